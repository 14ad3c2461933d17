"""The bench of a run: what it shows at first, what it takes over, how it learns."""

import contextlib
import json
import shutil

import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli.options.detection_limits import LimitOptions
from acmnet.cli.options.run_data import RunDataOptions
from acmnet.cli.verb_parts.bench_server import closing
from acmnet.cli.verb_parts.run_page import opened_page
from acmnet.cli.verbs.view import FROM_RUN, bench_of_run, export_of_run
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.show.bench.marks.bench_labels import label_values
from acmnet.show.bench.rounds.round_folders import rounds_in


@pytest.fixture
def run(tiny_run, tmp_path):
    """Return a copy of the tiny run, to be marked."""
    return shutil.copytree(tiny_run, tmp_path / "run")


@contextlib.contextmanager
def bench(run, subset="test", videos=None, out=None):
    """Open the bench of a run, with a label file for another program."""
    given = RunDataOptions(subset=subset)
    page = opened_page(run, given, videos, LimitOptions(), "cpu")
    site = bench_of_run(page, "anna", export_of_run(page, out, None))
    with closing(site):
        yield site


def everything(site):
    return json.loads(site.get("/bench.json").body)


def test_a_run_opens_with_what_it_found_and_its_files_stay(run, tiny_world):
    before = {x.name: x.read_bytes() for x in run.iterdir() if x.is_file()}
    known = read_annotations(tiny_world[0]).subset("test").videos
    with bench(run) as site:
        told = everything(site)
        assert {x["id"] for x in told["videos"]} == set(known)
        assert (told["model"], told["round"], told["who"]) == (True, 0, "anna")
        first = told["videos"][0]
        assert first["detections"]
        scores = [x["score"] for x in first["detections"]]
        assert scores == sorted(scores, reverse=True)
        truth = known[first["id"]].instances
        assert [x["start_s"] for x in first["truth"]] == [
            x.segment.start_s for x in truth
        ]
        # names of videos that it was not trained on are shown, and are no marks
        assert first["names"] == list(known[first["id"]].labels)
        assert told["marks"] == []
        rounds = json.loads(site.get("/rounds/0/detections.json").body)
        assert rounds["videos"][first["id"]] == first["detections"]
    for name, content in before.items():
        if name != "found.safetensors":
            assert (run / name).read_bytes() == content


def test_nothing_is_remarked_on_scores_that_the_page_does_not_show(run):
    with bench(run, subset="training") as site:
        assert not [x for x in everything(site)["notes"] if "score" in x]


def test_what_a_run_was_trained_on_is_not_forgotten_by_its_rounds(run):
    config = load_config(run)
    with bench(run) as site:
        marks = site.store.snapshot().marks
    found = {(x.video, x.label) for x in marks}
    assert {x.who for x in marks} == {FROM_RUN}
    assert {x.kind for x in marks} == {"name"}  # its true segments are none
    assert found == {(v, x) for v, own in config.trained_on.items() for x in own}
    with bench(run) as site:  # once, not each time
        assert len(site.store.snapshot().marks) == len(marks)
        assert site.store.snapshot().classes == config.class_names


def test_a_round_goes_on_learning_from_videos_without_an_action(
    tiny_world, tmp_path, acmnet
):
    values = json.loads(tiny_world[0].read_text())
    videos = {name: video["subset"] for name, video in values["database"].items()}
    first, second = [v for v, subset in videos.items() if subset == "training"][:2]
    rows = [
        (name, label["label"])
        for name, video in values["database"].items()
        for label in video["annotations"]
        if name not in (first, second)
    ]
    rows += [(first, ""), (second, "")]  # tables state no length
    labels = tmp_path / "labels.csv"
    labels.write_text("video,label\n" + "".join(f"{v},{x}\n" for v, x in set(rows)))
    out = tmp_path / "own"
    given = ["--annotations", labels, "--features", tiny_world[1], "--out", out]
    few = ["--profile", "corrected", "--training.epochs", "1"]
    assert acmnet("train", *given, *few)[0] == 0
    with bench(out, subset=None) as site:
        site.store.flush()
        written = label_values(site.store.snapshot())
    assert set(written["database"]) == set(videos)
    assert written["unnamed"] == {}
    for name in (first, second):
        entry = written["database"][name]
        assert entry["annotations"] == []
        assert entry["watched"] == [[0.0, entry["duration"]]]


def test_marks_of_a_run_are_written_for_other_programs_too(run, tiny_world, tmp_path):
    video = next(iter(read_annotations(tiny_world[0]).subset("test").videos))
    out = tmp_path / "marks.csv"
    mark = {"id": "1", "video": video, "kind": "segment", "label": "run"}
    mark |= {"start_s": 1.0, "end_s": 2.5}
    with bench(run, out=out) as site:
        site.store.put({"who": "anna", "marks": [mark]})
    (instance,) = read_annotations(out).videos[video].instances
    assert (instance.segment.start_s, instance.segment.end_s) == (1.0, 2.5)
    with bench(run, out=out):  # the file is the bench's own, and stays
        assert read_annotations(out).videos[video].instances == (instance,)
    out.write_text("of somebody else\n")
    refusal = r"marks\.csv is not as the bench in .* wrote it.* or name another --out"
    with pytest.raises(AnnotationError, match=refusal), bench(run, out=out):
        pass


def test_a_round_begins_with_the_run_its_settings_and_its_features(run, tiny_world):
    with bench(run) as site:
        method = site.learning.method
        first = site.learning._next([])
        first.folder.mkdir(parents=True)
        (first.folder / "labels.json").write_bytes(site.store.labels.read_bytes())
        train, localize = method.steps(first, None)
    config = load_config(run)
    assert train[train.index("--features") + 1] == str(tiny_world[1])
    assert train[train.index("--profile") + 1] == config.profile
    epochs = config.settings["training"]["epochs"]
    assert train[train.index("--training.epochs") + 1] == str(epochs)
    assert train[train.index("--from") + 1] == str(run)
    assert localize[0] == "localize"
    assert rounds_in(site.learning.folder) == []
