"""What each command imports before it can start: nobody waits for what is not used."""

import ast
import json
import os
import subprocess
import sys

import pytest

import acmnet
from acmnet.cli.terminal.first_page import first_page
from acmnet.cli.verb_table import VERBS
from acmnet.data.made_up.drawn_videos import SceneSettings, write_scenes
from support.places import ROOT

HEAVY = {
    *("torch", "numpy", "scipy", "pandas", "h5py", "av", "cv2", "matplotlib", "jinja2"),
    *("safetensors", "filelock", "rich", "cyclopts", "openvino", "ray", "asyncio"),
    *("importlib.metadata", "multiprocessing", "pyarrow", "polars", "sklearn"),
    *("onnx", "onnxruntime", "onnxscript", "torch._dynamo"),
}
"""Libraries, and parts of Python, that take long to import."""
ASK = """
import contextlib, io, json, sys
heavy, commands = json.loads(sys.argv.pop())
found = []
for words in commands:
    exec(words[0])
    if words[1:]:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                main(words[1:])
            except SystemExit as stop:
                assert stop.code == 2 and words[1] in ("trian", "train"), words
    found.append([name for name in heavy if name in sys.modules])
print(json.dumps(found))
"""
MAIN = "from acmnet.cli import main"
ONE_EPOCH = ("--subset", "training", "--training.epochs", "1", "--out", "run")


def imported_after(*commands, cwd=None):
    """Return which heavy libraries one process has after each of the commands.

    A command is Python code, or the code that imports `main` and the words for it.
    """
    given = json.dumps([sorted(HEAVY), commands])
    done = subprocess.run(
        [sys.executable, "-c", ASK, given], capture_output=True, text=True, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Write a video, its label file and detections of it."""
    folder = tmp_path_factory.mktemp("scenes")
    few = SceneSettings(training_videos=1, test_videos=1, video_s=(2.0, 2.5))
    write_scenes(folder, 0, few)
    labels = json.loads((folder / "labels.json").read_text())["database"]
    found = {
        video: [{**x, "score": 0.5} for x in entry["annotations"]]
        for video, entry in labels.items()
    }
    results = {"version": "1", "results": found, "external_data": {}}
    (folder / "found.json").write_text(json.dumps(results))
    return folder


def test_what_each_verb_may_import(scenes, tiny_world):
    """The verbs of one process, from the least to the most: each adds its own."""
    video = next((scenes / "videos").iterdir())
    truth = ("--ground-truth", "labels.json", "--detections", "found.json")
    labels, files = map(str, tiny_world)
    world = ("--annotations", labels, "--features", files)
    command_line = {"rich", "cyclopts"}
    arrays = command_line | {"numpy"}
    features = arrays | {"safetensors"}
    may = (
        (("--help",), set()),
        (("trian",), command_line),
        (("train", "--training.epocs", "3"), command_line),
        (("recipes", "show", "default"), command_line),
        (("protocols",), arrays),
        (("evaluate", *truth), features),
        (("diagnose", *truth), features),
        (("doctor", *world), features),
        (("render", str(video), "--detections", "found.json", "--out", "o.mp4"), None),
        (("train", *world, "--profile", "corrected", *ONE_EPOCH), None),
    )
    commands = [(MAIN, *words) for words, _ in may]
    *found, by_render, by_train = imported_after(*commands, cwd=scenes)
    slow = {"importlib.metadata", "asyncio", "multiprocessing"}
    for (words, allowed), names in zip(may, found, strict=False):
        assert names - slow <= allowed, words
    assert "cv2" in by_render
    assert not by_render & {"torch", "h5py"}
    assert "torch" in by_train
    assert "torch._dynamo" not in by_train  # the compiler, which nobody asked for


def test_importing_acmnet_imports_no_library():
    scores = {"numpy", "importlib.metadata"}
    found = imported_after(
        ("import acmnet",), ("acmnet.__version__",), ("acmnet.evaluate",)
    )
    assert found[0] == set()
    assert found[1] <= scores
    assert "torch" not in found[2]


def test_a_worker_that_needs_no_network_imports_no_torch():
    made = "from acmnet.extraction.shipped_extractors import make_extractor\n"
    made += "from acmnet.extraction.extractors.extraction_settings import *\n"
    made += "import acmnet.extraction.many_videos.video_task\n"
    made += "import acmnet.workers.worker_engines\n"
    (found,) = imported_after((made + 'make_extractor(ExtractionSettings("motion"))',))
    assert "cv2" in found
    assert not found & {"torch", "h5py", "openvino", "matplotlib"}


def test_every_public_name_is_what_type_checkers_read():
    tree = ast.parse((ROOT / "src/acmnet/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    read = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(read) == acmnet.__all__
    for name, module in read.items():
        value = getattr(acmnet, name)
        assert value is getattr(sys.modules[module], name)
        assert name in dir(acmnet)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = acmnet.nothing


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_the_first_page_fits_the_terminal(columns):
    page = first_page(columns)
    assert max(map(len, page.splitlines())) <= columns
    words = page.split()
    assert all(name in words for name in VERBS)
    assert " ".join(words).count("130 after Ctrl-C") == 1


def test_a_wrong_verb_is_told_the_nearest(acmnet):
    code, _, err = acmnet("trian", "--annotations", "x")
    assert code == 2
    assert "there is no verb 'trian'; did you mean 'train'?" in err
    code, _, err = acmnet("--quick", "train")
    assert code == 2
    assert "there is no verb '--quick'; acmnet --help lists all verbs" in err


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_idle_threads_sleep_soon_unless_the_user_says_how_they_wait(name):
    told = "import os; from acmnet.cli import main; main(['protocols']); print()"
    told += (
        "; print(*(os.environ.get(x) for x in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')))"
    )
    known = {k: v for k, v in os.environ.items() if not k.startswith(("GOMP", "OMP_W"))}
    for given, expected in (({}, "1000 None"), ({name: "active"}, None)):
        done = subprocess.run(
            [sys.executable, "-c", told],
            capture_output=True,
            text=True,
            check=True,
            env=known | given,
        )
        pair = [given.get(x) for x in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")]
        expected = expected or " ".join(map(str, pair))
        assert done.stdout.splitlines()[-1] == expected
