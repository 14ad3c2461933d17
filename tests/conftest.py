"""Seeds and a tiny world, shared by the tests that train."""

from pathlib import Path

import pytest
import torch

from acmnet.cli import main
from acmnet.scenes import SceneSettings, write_scenes
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


@pytest.fixture(scope="session")
def tiny_scenes(tmp_path_factory):
    """Give a folder with labels.json, labels.csv and 8 drawn videos; read only."""
    settings = SceneSettings(training_videos=6, test_videos=2, video_s=(6.0, 8.0))
    directory = tmp_path_factory.mktemp("scenes")
    write_scenes(directory, 0, settings)
    return directory


@pytest.fixture
def acmnet(capsys, monkeypatch, tmp_path):
    """Run a command in a directory of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture
def shared_data():
    """Give the real data beside the checkout; skip, visibly, where it is absent."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip(f"no real data at {data}")
    return data
