"""Files that no features can come from: names, pipes, and disks that are full."""

import json
import os
import resource
from pathlib import Path

import pytest

from acmnet.extraction.i3d.i3d_weights import import_weights
from acmnet.extraction.weight_files import WeightsError
from support.commands import refused
from support.extractions import write_movie


@pytest.fixture
def videos(acmnet):
    """Give a folder with two short videos."""
    del acmnet  # it makes the working directory
    Path("videos").mkdir()
    for name in ("a", "b"):
        write_movie(Path(f"videos/{name}.mp4"), n_frames=40)
    return Path("videos")


def test_names_and_pipes_are_left_out_and_the_others_go_on(acmnet, videos):
    longest = "x" * 248  # .x.trace has 255 bytes
    names = {
        longest: True,
        "y" * 250: False,
        "\u3042" * 83: False,  # 249 bytes
        "a tab\t": False,
    }
    for name in names:
        os.link(videos / "a.mp4", videos / f"{name}.ts")
    os.mkfifo(videos / "pipe.mp4")
    result = acmnet("extract", "videos", "--out", "f", "--extractor", "motion")
    refused(result, "4 of 7 videos were left out", code=3)
    failed = map(json.loads, Path("f/failed.jsonl").read_text().splitlines())
    reasons = {line["video"]: line["reason"] for line in failed}
    assert set(reasons) == {name for name, fits in names.items() if not fits} | {"pipe"}
    assert "has 250 bytes without its suffix, more than 248" in reasons["y" * 250]
    assert "has 249 bytes" in reasons["\u3042" * 83]
    assert "has a tab in it; rename the file" in reasons["a tab\t"]
    assert "no regular file" in reasons["pipe"]
    assert {path.stem for path in Path("f").glob("*.npy")} == {"a", "b", longest}
    # also where it is named as a file; nothing is left that could be done
    again = acmnet("extract", "videos/pipe.mp4", "--out", "f", "--retry-failed")
    refused(again, "1 of 1 video was left out")


def test_a_pipe_is_no_file_of_weights(acmnet):
    os.mkfifo("weights.pt")
    for name in ("i3d-rgb-kinetics400", "i3d-flow"):
        with pytest.raises(WeightsError, match="is a pipe, not a file"):
            import_weights(name, "weights.pt")
    refused(acmnet("weights", "import", "i3d-flow", "weights.pt"), "is a pipe")


def test_a_file_in_place_of_a_folder_is_named(acmnet, videos, monkeypatch):
    Path("taken").write_text("a file")
    Path("labels.csv").write_text("video,labels\na,jump\nb,\n")
    motion = ["--extractor", "motion"]
    for out in ("taken", "taken/below"):
        refused(acmnet("extract", "videos", "--out", out, *motion), "taken", "folder")
        fit = acmnet("fit", videos, "labels.csv", "--out", out, *motion)
        refused(fit, "taken", "is a file, not a folder; name another")
    monkeypatch.setenv("ACMNET_HOME", "taken")
    refused(
        acmnet("weights", "install", "i3d-flow", "--source", "labels.csv"), "labels"
    )
    assert Path("taken").read_text() == "a file"


def test_a_full_disk_is_said_and_nothing_is_lost(acmnet, videos):
    write_movie(videos / "long.mp4", n_frames=480)  # 30 snippets of 642 numbers
    extract = ["extract", "videos", "--out", "f", "--extractor", "motion"]
    extract += ["--workers", 1]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        result = acmnet(*extract)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    words = "f/long.npy could not be written", "free some space", "the same command"
    refused(result, *words)
    code, out, _ = acmnet(*extract)
    assert (code, "extracted" in out) == (0, True)
    assert len(list(Path("f").glob("*.npy"))) == 3
