"""What the documents say is so: decisions exist, commands run, settings are real."""

import re
from pathlib import Path

import pytest

from acmnet.cli import main
from acmnet.recipes import setting_names

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fenced(language, text):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_every_decision_that_is_cited_exists():
    written = set(
        re.findall(r"^## (D-\d+)", (ROOT / "docs/decisions.md").read_text(), re.M)
    )
    cited = {}
    for path in [
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "tests").glob("*.py"),
        *DOCUMENTS,
    ]:
        for name in re.findall(r"D-\d{3}", path.read_text()):
            cited.setdefault(name, path.name)
    assert {name: path for name, path in cited.items() if name not in written} == {}


def test_every_decision_is_dated():
    for line in (ROOT / "docs/decisions.md").read_text().splitlines():
        if line.startswith("## "):
            assert re.fullmatch(r"## D-\d{3} .+ \(\d{4}-\d{2}-\d{2}\)", line), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_dotted_names_are_settings_functions_or_classes(path):
    pattern = r"`(?:--)?([a-z]+)\.([A-Za-z_]+)(?:\.[a-z_]+)?(?: = [^`]*)?`"
    for room, name in re.findall(pattern, path.read_text()):
        source = ROOT / "src" / "acmnet" / f"{room}.py"
        known = name == "json" or f"{room}.{name}" in setting_names()
        if source.exists() and not known:
            defined = re.search(rf"(def|class) {name}\b", source.read_text())
            assert defined, f"{path.name} names {room}.{name}"


def commands():
    """Every command of the README's shell blocks, as words."""
    blocks = fenced("sh", (ROOT / "README.md").read_text())
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.split() for line in lines if line.startswith("acmnet ")]


def test_the_readme_shows_the_verbs_of_both_journeys():
    verbs = [words[1] for words in commands()]
    assert verbs == [
        *("fit", "localize", "render", "extract"),
        *("check", "train", "localize", "evaluate"),
    ]


def test_the_readme_journey_with_videos_runs(tiny_scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("videos").symlink_to(tiny_scenes / "videos")
    Path("labels.csv").symlink_to(tiny_scenes / "labels.csv")
    Path("holiday.mp4").symlink_to(tiny_scenes / "videos" / "test_000.mp4")
    few = ["--training.epochs", "2", "--student.epochs", "2", "--extractor", "motion"]
    for words in commands()[:4]:
        main(words[1:] + (few if words[1] == "fit" else []))
    assert Path("holiday.json").exists()
    assert Path("drawn.mp4").exists()
    assert Path("features/test_000.npy").exists()


def test_the_readme_journey_with_features_runs(
    tiny_world, tmp_path, monkeypatch, capsys
):
    """Run the README's own commands, then its Python, on a tiny world."""
    monkeypatch.chdir(tmp_path)
    Path("labels.json").symlink_to(tiny_world[0])
    Path("features").symlink_to(tiny_world[1])
    for words in commands()[4:]:
        few = ["--training.epochs", "2"] if words[1] == "train" else []
        main(words[1:] + few)
    assert Path("scores.json").exists()
    for block in fenced("python", (ROOT / "README.md").read_text()):
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_make_targets_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text()
    for path in DOCUMENTS:
        for target in re.findall(r"`?make ([a-z]+)", path.read_text()):
            if target in ("demo", "test", "install", "bench", "results"):
                assert re.search(rf"^{target}:", makefile, re.M), (path.name, target)
