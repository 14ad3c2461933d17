"""Seeds and a tiny world, shared by the tests that train."""

import shutil
from pathlib import Path

import hypothesis
import pytest
import torch

from acmnet.cli import main
from acmnet.data.made_up.drawn_videos import SceneSettings, write_scenes
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from support.once import made_once
from support.places import SHARED

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHORT = {"video_s": (4.0, 5.0), "instance_s": (1.0, 2.0), "context_s": (0.5, 1.0)}
"""Of scenes: half as long as what ``video_s`` alone gives, so half the extraction."""


# how long an example takes depends on what else the machine does
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")

TESTS = Path(__file__).parent
SLOW = {
    "benchmarks/test_sets",
    "cli/test_biologist",
    "cli/test_check",
    "cli/test_input_files",
    "cli/test_interrupts",
    "cli/test_start",
    "cli/test_verbs",
    "cli/test_verbs_on_tracks",
    "cli/test_verbs_on_videos",
    "cli/test_view",
    "data/made_up/test_drawn_videos",
    "docs/test_docs",
    "docs/test_notebook",
    "docs/test_python_examples",
    "docs/test_site",
    "evaluation/comparison/test_bootstrap",
    "evaluation/diagnosis/test_diagnosis",
    "evaluation/test_protocols",
    "extraction/many_videos/test_extraction_kills",
    "extraction/many_videos/test_extraction_run",
    "extraction/i3d/test_i3d",
    "extraction/i3d/test_i3d_weights",
    "extraction/motion/test_motion_descriptor",
    "extraction/flow/test_optical_flow",
    "extraction/pose/test_pose_extractor",
    "extraction/many_videos/test_refused_files",
    "extraction/test_shipped_extractors",
    "extraction/extractors/test_side_by_side",
    "extraction/extractors/test_trusted_extractors",
    "fitting/test_demo",
    "fitting/test_listed_videos",
    "inference/test_kept_detections",
    "model_exchange/test_model_export",
    "models/test_calibration",
    "models/test_training_summary",
    "python_api/test_python_journeys",
    "python_api/test_sklearn_estimator",
    "runs/test_hard_worlds",
    "runs/test_learning_from_marks",
    "runs/test_run_data",
    "runs/test_run_kills",
    "runs/test_run_state",
    "runs/test_second_stage",
    "show/bench/test_bench_in_browser",
    "show/bench/test_bench_rounds_in_browser",
    "show/bench/test_bench_timeline_in_browser",
    "show/bench/test_round_by_keys",
    "show/figures/test_figures",
    "show/bench/marks/test_mark_store",
    "show/rendering/test_rendered_video",
    "show/report/test_page_in_browser",
    "show/report/test_report",
    "show/bench/rounds/test_rounds",
    "test_supply",
    "validation/test_ablation",
    "validation/test_expected_quality",
    "video/test_damaged_videos",
    "video/test_frames",
    "workers/test_ray_workers",
    "workers/test_torchrun",
    "workers/test_worker_tasks",
}
"""Files whose tests are marked slow, so that ``make test-fast`` leaves them out."""


def pytest_collection_modifyitems(items):
    """Mark the tests of slow files; a file of the list that was moved is an error."""
    slow = {TESTS / f"{name}.py" for name in SLOW}
    if gone := [str(path) for path in slow if not path.exists()]:
        raise pytest.UsageError(f"SLOW in tests/conftest.py names no file: {gone}")
    for item in items:
        if item.path in slow:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory):
    """Labels and features of 12 training and 6 test videos; read only."""
    settings = WorldSettings(training_videos=12, test_videos=6, dimension=16)

    def make(folder):
        write_world(make_world(0, settings), folder)

    folder = made_once(tmp_path_factory, "world", make)
    return folder / "labels.json", folder / "features"


@pytest.fixture(scope="session")
def tiny_run(tiny_world, tmp_path_factory):
    """Train a run for two epochs on the tiny world; read only."""
    labels, features = map(str, tiny_world)
    given = ["--annotations", labels, "--features", features]
    few = ["--subset", "training", "--profile", "corrected", "--training.epochs", "2"]

    def make(folder):
        main(["train", *given, *few, "--out", str(folder / "run")])

    return made_once(tmp_path_factory, "runs", make) / "run"


@pytest.fixture(scope="session")
def tiny_scenes(tmp_path_factory):
    """Give a folder with labels.json, labels.csv and 8 drawn videos; read only."""
    settings = SceneSettings(training_videos=6, test_videos=2, **SHORT)
    return made_once(
        tmp_path_factory, "scenes", lambda folder: write_scenes(folder, 0, settings)
    )


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


@pytest.fixture
def stpn(shared_data):
    """Give the folder with STPN's detections on THUMOS14 and the truth, or skip."""
    folder = shared_data / "thumos14"
    if not (folder / "stpn_detections.json").is_file():
        pytest.skip(f"no STPN detections in {folder}")
    return folder


@pytest.fixture(scope="module")
def browser():
    """Start the system's Chromium, or skip."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """Open pages; at the end no console error may have come."""
    told, contexts = [], []

    def open_page(path):
        context = browser.new_context(viewport={"width": 1200, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and told.append(m.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
        page.goto(path if isinstance(path, str) else path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=20_000)
        return page

    def close():
        while contexts:
            contexts.pop().close()

    open_page.expected = []  # parts of errors that the browser itself reports
    open_page.close = close  # before a server ends that the pages still ask
    yield open_page
    close()
    assert [x for x in told if not any(y in x for y in open_page.expected)] == []
