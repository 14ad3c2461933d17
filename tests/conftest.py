"""Seeds and a tiny world, shared by the tests that train."""

from pathlib import Path

import pytest
import torch

from acmnet.synthetic import WorldSettings, make_world, write_world

SHARED = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory):
    """Labels and features of 12 training and 6 test videos; read only."""
    settings = WorldSettings(training_videos=12, test_videos=6, dimension=16)
    return write_world(make_world(0, settings), tmp_path_factory.mktemp("world"))


@pytest.fixture
def shared_data():
    """Give the real data beside the checkout; skip, visibly, where it is absent."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip(f"no real data at {data}")
    return data
