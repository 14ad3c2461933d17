"""A training of long recordings learns the snippets that names tell."""

import json

import numpy as np
import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import write_features
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.recipes import recipe
from acmnet.runs.run_directory import PSEUDO_LABELS
from acmnet.runs.run_request import RunRequest
from acmnet.runs.student_training import KNOWN_BY_HEART
from acmnet.runs.training_run import train_run
from acmnet.segments import SnippetGrid
from acmnet.training.second_stage import unmarked_stretches

RECORDINGS, SNIPPETS = 10, 200


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Plant a rare class in every second recording, each longer than 167 snippets."""
    folder = tmp_path_factory.mktemp("recordings")
    random = np.random.default_rng(0)
    database = {}
    for i in range(RECORDINGS):
        x = random.normal(size=(SNIPPETS, 4))
        x[60:66, :2] += 6.0 * (i % 2 == 0)
        write_features(folder / "features", f"v{i}", x.astype(np.float32))
        labels = [{"label": "jump"}] if i % 2 == 0 else []
        database[f"v{i}"] = {"subset": "training", "annotations": labels}
    grid = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
    write_manifest(folder / "features", FeatureManifest(grid=grid, dimension=4))
    (folder / "labels.json").write_text(json.dumps({"database": database}))
    return DataSource(folder / "labels.json", folder / "features", "training")


@pytest.mark.parametrize(
    ("changes", "learns"),
    [
        ({}, True),
        ({"loss.marks_weight": 0.0}, False),
        ({"model.most_pooled": 0}, False),
    ],
)
def test_names_tell_snippets_of_long_recordings(source, tmp_path, changes, learns):
    few = {"training.epochs": 1, "teachers.count": 0}
    run = train_run(
        RunRequest(
            out=tmp_path / "run",
            data=open_data(source),
            recipe="default",
            profile="best",
            settings=recipe("default", profile="best", overrides=few | changes),
        )
    )
    first = json.loads((run / "log.jsonl").read_text().splitlines()[0])
    assert ("marks" in json.dumps(first)) == learns


def test_it_is_said_of_which_classes_names_tell(source, tmp_path):
    few = {"training.epochs": 1, "student_training.epochs": 1, "teachers.count": 1}
    notes: list[str] = []
    request = RunRequest(
        out=tmp_path / "run",
        data=open_data(source),
        recipe="default",
        profile="best",
        settings=recipe("default", profile="best", overrides=few),
    )
    train_run(request, on_note=notes.append)
    said = "in long recordings, names alone tell where 1 of 1 class may be: 'jump'"
    assert said in notes


@pytest.mark.parametrize("least", [0.0, 1e9])
def test_teachers_that_know_marked_recordings_by_heart(
    source, tmp_path, monkeypatch, least
):
    """The limit decides whether they teach anything where nobody marked."""
    monkeypatch.setattr(unmarked_stretches, "LEAST_SCORE_ELSEWHERE", least)
    content = json.loads(source.annotations.read_text())
    jump = {"label": "jump", "segment": [38.4, 42.24]}
    content["database"]["v0"] |= {"annotations": [jump], "watched": True}
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(content))
    few = {"training.epochs": 1, "student_training.epochs": 1, "teachers.count": 1}
    notes: list[str] = []
    run = train_run(
        RunRequest(
            out=tmp_path / "run",
            data=open_data(DataSource(labels, source.features, "training")),
            recipe="default",
            profile="best",
            settings=recipe("default", profile="best", overrides=few),
            supervision="segments",
        ),
        on_note=notes.append,
    )
    taught = json.loads((run / PSEUDO_LABELS).read_text())["results"]
    assert bool(taught["v0"])
    assert bool(taught["v2"]) == (not least)
    assert any("from your segments alone" in note for note in notes) == bool(least)
    assert load_config(run).training.get(KNOWN_BY_HEART, False) == bool(least)
