"""What the documents say is so: decisions exist, commands run, settings are real."""

import importlib
import inspect
import re
import shlex
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from acmnet import open_store, read_annotations
from acmnet.cli import main
from acmnet.data.labels.annotations import Instance, Point, WatchedSpan
from acmnet.data.labels.supervision import Supervision
from acmnet.recipes import recipe, setting_names
from acmnet.segments import Segment
from support.places import ROOT
from support.whole_program import app

JOURNEY = ["check", "train", "localize", "evaluate"]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def fenced(language, text):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_every_decision_that_is_cited_exists():
    written = set(
        re.findall(r"^## (D-\d+)", (ROOT / "docs/decisions.md").read_text(), re.M)
    )
    cited = {}
    for path in [
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *DOCUMENTS,
    ]:
        for name in re.findall(r"D-\d{3}", path.read_text()):
            cited.setdefault(name, path.name)
    assert {name: path for name, path in cited.items() if name not in written} == {}


def test_decisions_are_dated_in_order_and_listed_by_subject():
    """A heading may say which later entry changed, extended or replaced the entry."""
    text = (ROOT / "docs/decisions.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("## D-")]
    state = r"(; (changed|extended|replaced) by D-\d{3}( and D-\d{3})*)?"
    for line in headings:
        assert re.fullmatch(
            rf"## D-\d{{3}} .+ \(\d{{4}}-\d{{2}}-\d{{2}}{state}\)", line
        )
    assert headings == sorted(headings)
    listed = re.findall(r"^- \[(D-\d{3})\]", text, re.MULTILINE)
    assert sorted(listed) == [line.split()[1] for line in headings]


FILES = {
    "cff",
    "csv",
    "html",
    "json",
    "safetensors",
    "jsonl",
    "log",
    "md",
    "new",
    "npy",
    "old",
    "png",
    "py",
    "toml",
}
"""What stands behind the dot of the name of a file or folder."""


def is_set_by_instances(cls, name):
    """Whether objects of a class have an attribute that the class itself has not."""
    assigned = re.search(rf"self\.{name}\b.* = ", inspect.getsource(cls))
    return name in cls.__annotations__ or assigned is not None


def resolved(dotted):
    """Import a dotted name, of the package or of benchmarks, as far as it goes."""
    parts = dotted.split(".")
    for start in ("acmnet.", ""):
        for n in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(start + ".".join(parts[:n]))
            except ModuleNotFoundError:
                continue
            for name in parts[n:]:
                if not hasattr(found, name):
                    return is_set_by_instances(found, name)
                found = getattr(found, name)
            return True
    return False


def dotted_names(text):
    """Yield each dotted name in backticks, without what is given to a setting."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        name = re.match(r"(?:--)?([A-Za-z_-]+(?:\.[A-Za-z_-]+)+)(?=$| |=)", quoted)
        if name and name[1].rpartition(".")[2] not in FILES:
            yield name[1].replace("-", "_")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_dotted_name_is_a_setting_or_can_be_imported(path):
    known = setting_names()
    unknown = [
        name
        for name in dotted_names(path.read_text())
        if name not in known and not resolved(name)
    ]
    assert unknown == []


def test_names_that_do_not_exist_are_noticed():
    assert not resolved("evaluation.evaluate")
    assert not resolved("training.first_stage.losses.no_such_loss")
    assert not resolved("no_such_module.thing")
    assert resolved("network.acm_net.ACMNet.embedding")
    text = "`--training.epochs 50`, `features.json`, `evaluation.reports`, `net.py:3`"
    assert list(dotted_names(text)) == ["training.epochs", "evaluation.reports"]


def commands(name):
    """Every command of a page's shell blocks, as words, comments left out."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for block in fenced("sh", text) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if "acmnet " in line]


def test_the_readme_shows_both_journeys():
    verbs = [words[1] for words in commands("README.md") if words[0] == "acmnet"]
    assert verbs == [
        *("weights", "fit", "localize", "render"),
        *("check", "train", "localize", "evaluate"),
    ]


def test_every_verb_is_listed_with_the_commands():
    text = (ROOT / "docs/commands.md").read_text()
    listed = re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(name for name in app if not name.startswith("-"))


def test_every_command_of_the_guides_is_a_verb_with_these_options():
    """Each is parsed as the command line does, without being run."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    seen = 0
    for page in pages:
        for words in commands(page.relative_to(ROOT)):
            if words[0] == "acmnet":
                app.parse_args(words[1:], exit_on_error=False, print_error=False)
                seen += 1
    assert seen > 20


def test_the_readme_journey_with_videos_runs(tiny_scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("videos").symlink_to(tiny_scenes / "videos")
    Path("labels.csv").symlink_to(tiny_scenes / "labels.csv")
    one = ["--workers", "1"]  # each worker imports torch anew
    Path("holiday.mp4").symlink_to(tiny_scenes / "videos" / "test_000.mp4")
    few = ["--training.epochs", "2", "--student-training.epochs", "2"]
    few += ["--extractor", "motion", "--teachers.count", "1"]
    extract = [words for words in commands("docs/own-videos.md") if "extract" in words]
    weights, *journey = commands("README.md")[:4]
    assert weights[1] == "weights"  # needs the package index, so it is not run here
    for words in journey:
        main(words[1:] + (few + one if words[1] == "fit" else []))
    shutil.copytree("runs/mine/features", "features")  # so that little is left to do
    for words in extract:
        main(words[1:])
    assert Path("holiday.json").exists()
    assert Path("drawn.mp4").exists()
    assert Path("features/test_000.npy").exists()


def test_the_journey_with_features_runs(tiny_world, tmp_path, monkeypatch, capsys):
    """Run the commands of README and of the guide, then the guide's Python."""
    monkeypatch.chdir(tmp_path)
    Path("labels.json").symlink_to(tiny_world[0])
    Path("features").symlink_to(tiny_world[1])
    guide = "docs/own-features.md"
    own = [words for words in commands(guide) if words[1] in JOURNEY]
    assert [words[1] for words in own] == JOURNEY
    for words in own:
        few = ["--training.epochs", "2", "--student-training.epochs", "2"]
        main(words[1:] + (few if words[1] == "train" else []))
    assert Path("scores.json").exists()
    for block in fenced("python", (ROOT / guide).read_text()):
        exec(compile(block, guide, "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", ["choosing-a-recipe.md", "extending.md"])
def test_the_recipes_of_the_guides_are_read(name, tmp_path):
    (block,) = fenced("toml", (ROOT / "docs" / name).read_text())
    (tmp_path / "mine.toml").write_text(block)
    for profile in ("best", "official"):
        assert recipe(tmp_path / "mine.toml", profile=profile) != recipe(
            "default", profile=profile
        )


def test_the_files_of_the_features_guide_are_read(tmp_path):
    manifest, labels = fenced("json", (ROOT / "docs/own-features.md").read_text())
    (tmp_path / "labels.json").write_text(labels)
    (tmp_path / "features").mkdir()
    (tmp_path / "features/features.json").write_text(manifest)
    np.save(tmp_path / "features/holiday.npy", np.ones((49, 2048), np.float32))
    assert read_annotations(tmp_path / "labels.json").class_names == ("surf", "swim")
    store = open_store(tmp_path / "features")
    assert store.read("holiday").shape == (49, 2048)


def test_the_extractor_of_the_guides_is_one():
    (guide,) = fenced("python", (ROOT / "docs/extending.md").read_text())
    assert guide in fenced("python", (ROOT / "docs/python.md").read_text())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_of_the_repository_exists(path):
    """Of the checkout or of the package; what a command writes is no such path."""
    named = re.findall(r"`((?:\w+/)+[\w.]*(?:\.py|/))`", path.read_text())
    places = (ROOT, ROOT / "src" / "acmnet", ROOT / "src" / "acmnet" / "cli")
    made = ("videos/", "features/", "checkpoint/", "runs/", "figures/")
    unknown = [
        name
        for name in named
        if not name.startswith(made) and not any((x / name).exists() for x in places)
    ]
    assert unknown == []


def test_make_targets_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text()
    for path in DOCUMENTS:
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), (path.name, target)


def test_the_examples_of_labels_say_what_the_page_says(tmp_path):
    text = (ROOT / "docs/labels.md").read_text()
    (table,), (content,) = fenced("csv", text), fenced("json", text)
    (tmp_path / "labels.csv").write_text(table)
    (tmp_path / "labels.json").write_text(content)
    monday = WatchedSpan(None, Segment(0, 30)), WatchedSpan("jump", Segment(30, 60))
    for name in ("labels.csv", "labels.json"):
        found = read_annotations(tmp_path / name)
        assert found.class_names == ("jump", "run", "swim")
        video = found.videos["monday"]
        assert video.labels == ("jump", "run", "swim")
        assert video.instances == (Instance("jump", Segment(3.2, 4.8)),)
        assert video.points == (Point("run", 20.5),)
        assert video.watched == monday
    assert found.videos["tuesday"].watched == (WatchedSpan(None, Segment(0, 45)),)
    for supervision in get_args(Supervision):
        assert f"| `{supervision}` |" in text
