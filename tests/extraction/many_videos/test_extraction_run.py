"""Many videos: parallel, resumable, with broken ones set aside."""

import dataclasses
import hashlib
import json
import os
import re
import sys
from pathlib import Path

import pytest

from acmnet.data.features.failed_videos import Failure, fingerprint, read_failures
from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.data.features.feature_store import open_store
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos import extraction_run
from acmnet.extraction.many_videos.extraction_request import (
    ExtractionProgress,
    ExtractionRequest,
)
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.extraction.many_videos.records import (
    ExtractionError,
    FailureLog,
    VideoRecord,
    claim_store,
    finished,
    read_records,
    write_record,
)
from acmnet.extraction.many_videos.video_search import find_videos
from acmnet.extraction.many_videos.video_task import VideoWorker
from acmnet.segments import SnippetGrid
from acmnet.workers.ray_engine import RayEngine
from acmnet.workers.worker_engines import EngineError, cores
from support.extractions import BACKBONES, write_movie
from support.movies import damaged_movies

DAMAGED = 120
"""Videos of the fuzzed set; `tests/video/test_damaged_videos.py` reads 300."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a directory with the module ``my_backbones``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_backbones.py").write_text(BACKBONES)
    yield tmp_path
    sys.modules.pop("my_backbones", None)


def request_of(folder, name="Mean", **changes):
    settings = ExtractionSettings(f"my_backbones:{name}")
    values = {"workers": 1} | changes
    return ExtractionRequest(
        videos=find_videos([folder]), out=Path("out"), settings=settings, **values
    )


def bytes_of(out):
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.npy"))}


def hidden(out):
    return [path for path in out.rglob(".*") if path.is_file()]


# -- which videos ----------------------------------------------------------------------


def test_videos_are_found_in_folders_and_taken_as_named(tmp_path):
    for name in ("b.mp4", "sub/a.AVI", "no.txt", ".hidden.mp4", "._b.mp4", ".x/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    odd = tmp_path / "no.txt"
    found = find_videos([tmp_path, odd, tmp_path / "b.mp4"])
    assert found == {"a": tmp_path / "sub/a.AVI", "b": tmp_path / "b.mp4", "no": odd}
    assert list(found) == ["a", "b", "no"]


def test_what_is_no_set_of_videos_is_refused(tmp_path):
    with pytest.raises(ExtractionError, match=r"no video and no folder at .*gone; che"):
        find_videos([tmp_path / "gone"])
    with pytest.raises(ExtractionError, match=r"holds no video \(.*\.mp4.*\); name"):
        find_videos([tmp_path])
    for name in ("a.mp4", "a.avi"):
        (tmp_path / name).touch()
    with pytest.raises(ExtractionError, match=r"'a': .*a\.avi and .*a\.mp4; rename"):
        find_videos([tmp_path])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"videos": {}}, "there are no videos", id="no videos"),
        pytest.param({"workers": 0}, "workers must be at least 1, got 0", id="workers"),
        pytest.param({"engine": "dask"}, "one of local, ray; got 'dask'", id="engine"),
        pytest.param({"stall_s": 0}, "stall_s must be above 0, got 0", id="stall"),
        pytest.param({"shard": (0, 2)}, "from 1 to n, got 0/2", id="shard 0"),
        pytest.param({"shard": (3, 2)}, "from 1 to n, got 3/2", id="shard beyond"),
    ],
)
def test_requests_are_refused(changes, message):
    values = {"videos": {"a": Path("a.mp4")}, "workers": 1} | changes
    with pytest.raises(ExtractionError, match=message):
        ExtractionRequest(out=Path("o"), settings=ExtractionSettings(), **values)


def test_shards_deal_every_video_once():
    videos = {f"v{i:02}": Path(f"v{i:02}.mp4") for i in range(10)}
    whole = ExtractionRequest(
        videos=videos, out=Path("o"), settings=ExtractionSettings()
    )
    shards = [dataclasses.replace(whole, shard=(i, 4)) for i in (1, 2, 3, 4)]
    dealt = [list(shard.own_videos()) for shard in shards]
    assert dealt[0] == ["v00", "v04", "v08"]
    assert dealt[3] == ["v03", "v07"]
    assert (
        sorted(video for shard in dealt for video in shard)
        == list(whole.own_videos())
        == list(videos)
    )


def test_rate_and_time_left():
    # 30 s of video in 10 s; 1 of 5 bytes took 10 s, so 4 more take 40 s
    progress = ExtractionProgress(
        total=3,
        total_bytes=5,
        done=1,
        done_bytes=1,
        failed=0,
        video_s=30.0,
        elapsed_s=10.0,
    )
    assert (progress.rate, progress.left_s) == (3.0, 40.0)
    assert ExtractionProgress(total=3, total_bytes=5).left_s == float("inf")
    # 20 s more of a video in work, half of its 2 bytes: 2 of 5 bytes took 10 s
    working = dataclasses.replace(progress, working_s=20.0, working_bytes=1.0)
    assert (working.rate, working.left_s) == (5.0, 15.0)


def test_one_long_video_tells_how_far_it_has_come(here, monkeypatch):
    """12 s of video: 75 blocks of 4 frames that take 40 ms each, so 3 s and more."""
    monkeypatch.setattr("acmnet.extraction.many_videos.extraction_run.LOOK_S", 0.1)
    (here / "videos").mkdir()
    write_movie(here / "videos" / "long.mp4", n_frames=300)
    told = []
    extract_videos(request_of("videos", "Slow"), on_working=told.append)
    behind = [progress.working_s for progress in told]
    in_work = [x for x in behind if x]
    assert in_work == sorted(in_work)
    assert 0.0 < in_work[0] < 12.0
    assert all(p.done == 0 and p.total == 1 for p in told if p.working_s)
    whole = told[-1].total_bytes
    for p in told:
        if p.working_s:  # the header claims 12 s
            assert p.working_bytes == pytest.approx(whole * p.working_s / 12.0)
    assert hidden(Path("out")) == []


# -- fingerprints ----------------------------------------------------------------------


def test_a_fingerprint_tells_another_file_but_not_another_date(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(3_000_000))
    before = fingerprint(path)
    os.utime(path, (1, 1))
    assert fingerprint(path) == before
    # the first byte, the last, and where the 8th stretch of 16 begins:
    # (3,000,000 - 65,536) * 7 // 15 = 1,369,416
    for place in (0, 2_999_999, 1_369_416):
        content = bytearray(3_000_000)
        content[place] = 1
        path.write_bytes(content)
        assert fingerprint(path) != before, place
    path.write_bytes(bytes(2_999_999))
    assert fingerprint(path) != before
    assert before.startswith("3000000-")


# -- one run ---------------------------------------------------------------------------


def test_all_moods(here):
    """One run in which everything goes wrong that can, beside videos that are well."""
    folder = here / "videos"
    folder.mkdir()
    for video, brightness in {"well": 0, "also_well": 18, "once": 100}.items():
        write_movie(folder / f"{video}.mp4", brightness)
    wrong = {
        "raises": (40, "extractor", r"KeyError: 'no such colour' \(my_backbones.py:\d"),
        "leaves": (60, "extractor", r"SystemExit: done \(my_backbones.py:\d+\)"),
        "kills": (80, "died", r"the process died \(signal 9\); out of memory\?"),
        "hangs": (120, "stalled", r"made no progress for 0\.5 s \(or, .* for 5 s\)"),
        "nan": (140, "extractor", r"must be finite, got nan in row 0, column 0"),
        "wide": (160, "extractor", r"block of shape \(1, 6\).*dimension is 3"),
        "many": (180, "extractor", r"gave 6 snippets for the 22 frames .* grid has 5"),
    }
    for video, (brightness, _, _) in wrong.items():
        write_movie(folder / f"{video}.mp4", brightness)
    (folder / "text.mp4").write_text("no video at all")
    wrong["text"] = (0, "video", r"text\.mp4")
    seen, notes = [], []
    request = request_of(folder, "Moody", workers=2, stall_s=0.5)
    summary = extract_videos(
        request, on_video=lambda *a: seen.append(a), on_note=notes.append
    )

    assert [f.video for f in summary.failures] == sorted(wrong)
    for failure in summary.failures:
        _, kind, reason = wrong[failure.video]
        assert failure.kind == kind, failure
        assert re.search(reason, failure.reason), failure
        assert failure.file == str(folder / f"{failure.video}.mp4")
    assert list(read_records("out")) == ["also_well", "once", "well"]
    assert open_store("out").video_ids == ("also_well", "once", "well")
    assert hidden(Path("out")) == []

    assert (summary.done, summary.already) == (3, 0)
    assert summary.video_s == pytest.approx(3 * 22 / 25)
    assert [p.done for _, p in seen] == list(range(1, 12))
    last = seen[-1][1]
    assert (last.total, last.failed, last.left_s) == (11, 8, 0)
    assert last.total_bytes == sum(p.stat().st_size for p in folder.iterdir())
    died = sorted(note for note in notes if "once more" in note)
    assert died == [
        "kills: the process died (signal 9); out of memory? It is tried once more.",
        "once: the process crashed (Segmentation fault) It is tried once more.",
    ]
    threads = max(1, cores() // 2)
    plan = rf"extracting in 2 processes of {threads} threads?; .* 32 frames of 32 pix"
    assert any(re.match(plan, note) for note in notes)

    lines = Path("out/failed.jsonl").read_text().splitlines()
    assert [json.loads(line)["video"] for line in lines] == sorted(wrong)
    record = read_records("out")["well"]
    assert (record.n_frames, record.n_snippets) == (22, 5)  # floor(18 / 4) + 1
    assert record.source_bytes == (folder / "well.mp4").stat().st_size
    content = Path("out/well.npy").read_bytes()
    assert record.sha256 == hashlib.sha256(content).hexdigest()


def test_workers_that_are_not_alike_do_not_share_a_store(here):
    (here / "videos").mkdir()
    for i in range(6):
        write_movie(here / "videos" / f"{i}.mp4", 40, n_frames=50)
    with pytest.raises(ExtractionError, match=r"not like the first: .* versions.mine"):
        extract_videos(request_of("videos", "Own", workers=2))


# -- calling again ---------------------------------------------------------------------


def test_what_is_done_again(here):
    folder, out = here / "videos", Path("out")
    folder.mkdir()
    well = ("kept", "edited", "replaced", "unrecorded", "gone", "spoilt")
    for i, video in enumerate(well):
        write_movie(folder / f"{video}.mp4", i, n_frames=8)
    for video in ("broken", "mended", "unnamed"):
        (folder / f"{video}.mp4").write_text("no video")
    first = extract_videos(request_of(folder))
    assert first.done == 6
    assert [f.video for f in first.failures] == ["broken", "mended", "unnamed"]
    before = bytes_of(out)

    os.utime(folder / "kept.mp4", (1, 1))
    content = bytearray((out / "edited.npy").read_bytes())
    content[-1] ^= 1
    (out / "edited.npy").write_bytes(content)
    write_movie(folder / "replaced.mp4", 15, n_frames=16)
    (out / "extracted/unrecorded.json").unlink()
    (out / ".unrecorded.npy.1.part").write_bytes(b"half")
    (out / "extracted/.kept.json.77.part").write_bytes(b"half")
    (out / "extracted/.gone.trace").touch()
    (out / ".another.npy.1.part").write_bytes(b"of a video not of this call")
    (out / "gone.npy").unlink()
    write_movie(folder / "mended.mp4", 3, n_frames=8)
    (folder / "spoilt.mp4").write_text("no video any more")
    (folder / "unnamed.mp4").unlink()
    seen, notes = [], []
    again = extract_videos(
        request_of(folder), on_video=lambda v, _: seen.append(v), on_note=notes.append
    )
    done = sorted(outcome.video for outcome in seen)
    assert done == ["edited", "gone", "mended", "replaced", "spoilt", "unrecorded"]
    assert (again.already, again.done) == (1, 5)
    # broken is listed, and not tried again
    assert again.failures[0] == first.failures[0]
    assert [f.video for f in again.failures] == ["broken", "spoilt"]
    assert any("1 video failed before and their files are" in n for n in notes)
    # what is known of a video that this call does not name stays
    assert list(read_failures(out)) == ["broken", "spoilt", "unnamed"]
    after = bytes_of(out)
    assert after.pop("mended.npy")
    assert after.pop("replaced.npy") != before.pop("replaced.npy")
    # features of a file that is no more are no features of its successor
    assert before.pop("spoilt.npy")
    assert after == before
    assert "spoilt" not in read_records(out)
    assert [path.name for path in hidden(out)] == [".another.npy.1.part"]


BROKEN = Failure(
    video="v",
    file="v.mp4",
    reason="why",
    kind="video",
    when="2026-01-01T00:00:00",
    fingerprint="",
)


@pytest.mark.parametrize(
    ("changes", "is_settled"),
    [
        pytest.param({}, True, id="cannot be decoded"),
        pytest.param({"fingerprint": "1-a"}, False, id="another file"),
        pytest.param({"fingerprint": ""}, False, id="could not be read"),
        pytest.param({"kind": "extractor", "calls": 9}, False, id="an extractor"),
        pytest.param({"kind": "died"}, False, id="died in one call"),
        pytest.param({"kind": "died", "calls": 2}, True, id="died in two"),
        pytest.param({"kind": "stalled", "calls": 2}, True, id="stalled in two"),
    ],
)
def test_when_a_failure_is_final(tmp_path, changes, is_settled):
    path = tmp_path / "v.mp4"
    path.write_text("v")
    failure = dataclasses.replace(BROKEN, fingerprint=fingerprint(path))
    failure = dataclasses.replace(failure, **changes)
    assert failure.is_settled(path) is is_settled
    path.unlink()
    assert failure.is_settled(path) is False


def test_failures_are_counted_merged_and_read(tmp_path):
    (tmp_path / "extracted").mkdir()
    logs = [FailureLog(tmp_path, f".{i}-of-2", [v]) for i, v in ((1, "a"), (2, "b"))]
    died = dataclasses.replace(BROKEN, video="a", kind="died", fingerprint="1-a")
    assert logs[0].add(died).calls == 1
    assert logs[1].add(dataclasses.replace(BROKEN, video="b")).calls == 1
    with (tmp_path / "failed.2-of-2.jsonl").open("a") as file:
        file.write('{"video": "torn')
    logs = FailureLog(tmp_path, ".1-of-2", ["a"])
    later = dataclasses.replace(died, when="2026-02-01T00:00:00")
    assert logs.add(later).calls == 2
    assert logs.add(dataclasses.replace(later, kind="video")).calls == 1
    assert logs.add(later).calls == 1
    # both shards' lines, the newest of each video; a finished one is no failure
    assert list(read_failures(tmp_path)) == ["a", "b"]
    assert read_failures(tmp_path)["a"] == later
    (tmp_path / "extracted" / "b.json").touch()
    assert list(read_failures(tmp_path)) == ["a"]
    # a call without shards takes the shards' files over
    whole = FailureLog(tmp_path, "", ["a", "b"])
    whole.write()
    assert [p.name for p in tmp_path.glob("failed*")] == ["failed.jsonl"]
    whole.failures.clear()
    whole.write()
    assert list(tmp_path.glob("failed*")) == []


def test_where_nothing_is_left_no_extractor_is_made(here, monkeypatch):
    (here / "videos").mkdir()
    for name in ("a", "b"):
        write_movie(here / "videos" / f"{name}.mp4", 90)
    request = dataclasses.replace(
        request_of("videos"), settings=ExtractionSettings("motion")
    )
    assert extract_videos(request).done == 2
    before, notes = bytes_of(Path("out")), []

    def called(*_):
        raise EngineError("an extractor is made")

    monkeypatch.setattr(extraction_run, "LocalEngine", called)
    summary = extract_videos(request, on_note=notes.append)
    assert (summary.done, summary.already, summary.failures) == (0, 2, ())
    assert notes == ["2 videos finished before and not done again"]
    assert bytes_of(Path("out")) == before
    # it is made where it has something to do, or to say whether it is another one
    for changes in ({"stride_frames": 8}, {"extractor": "motion+i3d-rgb"}):
        other = dataclasses.replace(request.settings, **changes)
        with pytest.raises(EngineError, match="an extractor is made"):
            extract_videos(dataclasses.replace(request, settings=other))
    Path("out/b.npy").unlink()
    with pytest.raises(EngineError, match="an extractor is made"):
        extract_videos(request)


# -- the store -------------------------------------------------------------------------

MANIFEST = FeatureManifest(
    grid=SnippetGrid(25.0, 16, 16),
    dimension=2,
    streams=("rgb",),
    extractor="mine:It",
    versions={"torch": "2"},
    settings={"crop": "ten"},
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"extractor": "a:B"}, "extractor 'mine:It', .* 'a:B'", id="name"),
        pytest.param(
            {"grid": SnippetGrid(25, 16, 8)}, "stride_frames 16, .* has 8;", id="grid"
        ),
        pytest.param({"dimension": 3}, "dimension 2, .* has 3; extract in", id="D"),
        pytest.param({"streams": ()}, r"streams \['rgb'\], .* has \[\];", id="streams"),
        pytest.param({"versions": {}}, r"versions\.torch '2', .* None", id="version"),
        pytest.param(
            {"settings": {"crop": "ten", "a": 1}}, r"settings\.a None, .* 1", id="new"
        ),
    ],
)
def test_a_store_of_other_features_is_refused(tmp_path, changes, message):
    claim_store(tmp_path, MANIFEST)
    claim_store(tmp_path, MANIFEST)
    with pytest.raises(ExtractionError, match=r"features\.json says " + message):
        claim_store(tmp_path, dataclasses.replace(MANIFEST, **changes))


def test_features_that_nobody_knows_are_left_alone(tmp_path):
    (tmp_path / "a.npy").touch()
    with pytest.raises(ExtractionError, match=r"has features but no features\.json"):
        claim_store(tmp_path, MANIFEST)
    assert os.listdir(tmp_path) == ["a.npy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", r"a\.json is not valid JSON", id="torn"),
        pytest.param("[]", r"a\.json is no record of an extracted vi", id="a list"),
        pytest.param('{"video": "a"}', r"a\.json is no record", id="keys"),
    ],
)
def test_records_are_refused(tmp_path, text, message):
    (tmp_path / "extracted").mkdir()
    (tmp_path / "extracted" / "a.json").write_text(text)
    with pytest.raises(ExtractionError, match=message):
        read_records(tmp_path)
    assert finished(tmp_path, "a", tmp_path / "a.mp4") is None


def test_a_record_of_wrong_types_is_refused(tmp_path):
    record = VideoRecord(
        video="a",
        source="a.mp4",
        source_bytes=1,
        fingerprint="1-a",
        n_frames=8,
        n_decoded=8,
        skipped_packets=0,
        duration_s=1,
        n_snippets=2,
        sha256="00",
        seconds=0.5,
    )
    (tmp_path / "extracted").mkdir()
    write_record(tmp_path, record)
    assert read_records(tmp_path) == {"a": record}  # whole seconds are seconds
    write_record(tmp_path, dataclasses.replace(record, n_frames="8"))
    with pytest.raises(ExtractionError, match=r"a\.json: n_frames must be .* int, got"):
        read_records(tmp_path)
    write_record(tmp_path, dataclasses.replace(record, cuts_s=(2.0, 1.0)))
    with pytest.raises(
        ExtractionError, match=r"cuts_s must be .* got '\[2\.0, 1\.0\]'"
    ):
        read_records(tmp_path)


# -- runs that cannot be ---------------------------------------------------------------


def test_an_extractor_that_kills_its_process_stops_the_run(here):
    write_movie(here / "a.mp4")
    with (here / "my_backbones.py").open("a") as file:
        file.write("class Killed(Mean):\n    def __init__(self):\n        die(None)\n")
    with pytest.raises(
        ExtractionError, match=r"died \(signal 9\) while it made .*:Killed'; out of"
    ):
        extract_videos(request_of(here / "a.mp4", "Killed"))
    assert not Path("out").exists()


def test_why_an_extractor_cannot_be_made(tmp_path):
    def make():
        return 1 / 0

    refused = VideoWorker(make, "mine", tmp_path, 60)(None)
    assert isinstance(refused, Failure)
    assert re.fullmatch(
        r"ZeroDivisionError: division by zero \(test_extraction_run\.py:\d+\)",
        refused.reason,
    )


def test_ray_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(EngineError, match=r"pip install 'acmnet\[ray\]'"),
        RayEngine(dict, 2),
    ):
        pass


# -- damaged videos --------------------------------------------------------------------


def test_damaged_videos_are_done_or_listed(here):
    paths = damaged_movies(here / "damaged", n=DAMAGED)
    # find_videos takes files of any suffix when they are named; two may share a stem
    videos = {path.name.replace(".", "_"): path for path in paths}
    settings = ExtractionSettings("my_backbones:Mean")
    request = ExtractionRequest(
        videos=videos, out=Path("out"), settings=settings, workers=2
    )
    seen = []
    summary = extract_videos(request, on_video=lambda v, _: seen.append(v))
    assert sorted(outcome.video for outcome in seen) == sorted(videos)
    assert summary.done == len(open_store("out").video_ids) > 0
    # none crashed its process, and none stalled for 60 s
    assert {failure.kind for failure in summary.failures} == {"video"}
    assert all(failure.reason for failure in summary.failures)
    again = extract_videos(dataclasses.replace(request, retry_failed=True))
    assert (again.done, again.already) == (0, summary.done)
    assert [f.reason for f in again.failures] == [f.reason for f in summary.failures]
    assert all(
        f.when > g.when for f, g in zip(again.failures, summary.failures, strict=True)
    )
    assert {failure.calls for failure in again.failures} == {2}
