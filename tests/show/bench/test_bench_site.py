"""What the server of the bench answers, to whom, and how fast with much to show."""

import json
import threading
import time

import cv2
import numpy as np
import pytest

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import write_detections
from acmnet.segments import Detections
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_site import BenchSite, ShownVideo, known_videos
from acmnet.show.bench.marks.mark_store import MarkStore
from acmnet.show.bench.rounds.learning import Learning, Method
from acmnet.show.bench.rounds.round_detections import RoundDetections
from acmnet.show.bench.rounds.round_folders import (
    DETECTIONS,
    LABELS,
    STATE,
    Request,
    round_of,
)
from acmnet.video.frames import FrameReader
from support.movies import number_in, numbers, write_movie
from support.serving import ask, asked, posted, served

FOUND = Detections.of(["run", "jump"], [(0.2, 0.6, 0.9, 0), (0.5, 1.1, 0.4, 1)])
NO_LEARNING = Method(lambda *_: [], lambda *_: (0.0, ""), "nothing can be learned here")


def bench_of(folder, files, **options):
    """Return a bench of videos, by id, whose files may be None."""
    media = BenchMedia(tuple(files.values()), folder / "seen")
    shown = {video: ShownVideo() for video in files}
    detections = RoundDetections()
    store = MarkStore(
        folder / "labels.json",
        folder / "labels.bench",
        known_videos(shown, media),
        ["run", "jump"],
        detections.proposal,
    )
    learning = Learning(folder / "rounds", options.pop("method", NO_LEARNING), print)
    return BenchSite(
        title="labels.json",
        who="anna",
        run=None,
        videos=shown,
        store=store,
        media=media,
        detections=detections,
        learning=learning,
        **options,
    )


@pytest.fixture
def server(tmp_path):
    """Serve a bench of one video with a file, one without, and one that is damaged."""
    movie = write_movie(tmp_path / "odd #name?.mp4", numbers(30), b_frames=2)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    files = {"a": movie, "b": None, "c": tmp_path / "broken.mp4"}
    site = bench_of(tmp_path, files)
    site.detections.show(1, DetectionFile.of({"a": FOUND}))
    with served(site) as server:
        yield server
    site.store.close()


def mark(known_id="m1", **changes):
    made = {"id": known_id, "video": "a", "kind": "segment", "label": "run"}
    return made | {"start_s": 0.2, "end_s": 0.8, "base": 0} | changes


def put(server, *marks, who="anna", **headers):
    return posted(server, "/marks", {"who": who, "marks": list(marks)}, **headers)


def test_everything_that_a_page_opens_with(server):
    status, told = asked(server, "/bench.json")
    assert status == 200
    assert told["classes"] == [
        {"name": "run", "key": "1"},
        {"name": "jump", "key": "2"},
    ]
    assert (told["who"], told["round"], told["model"]) == ("anna", 1, True)
    assert told["learn"] == {"possible": False, "why_not": NO_LEARNING.why_not}
    first, second, third = told["videos"]
    assert (first["url"], first["type"]) == ("media/0", "video/mp4")
    assert (first["duration_s"], first["n_frames"]) == (1.2, 30)
    shown = [(x["label"], x["start_s"], x["score"]) for x in first["detections"]]
    assert shown == [("run", 0.2, 0.9), ("jump", 0.5, 0.4)]
    assert second["url"] is second["strip_url"] is second["frame_times_url"] is None
    assert third["duration_s"] is None
    status, headers, page = ask(server, "/")
    assert status == 200
    assert server.site.token in page.decode()
    assert headers["X-Frame-Options"] == "DENY"


def test_frame_times_pictures_and_the_file_itself(server):
    status, told = asked(server, "/frames/0.json")
    assert status == 200
    assert told["times_s"] == pytest.approx([i / 25 for i in range(30)])
    assert told["end_s"] == 1.2
    for index in (0, 1, 17, 29):
        status, headers, body = ask(server, f"/frame/0/{index}.jpg")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        pixels = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert number_in(pixels) == index
    assert ask(server, "/frame/0/30.jpg")[0] == 404
    assert ask(server, "/media/0", Range="bytes=0-9")[0] == 206
    status, told = asked(server, "/frames/2.json")
    assert status == 404
    assert "broken.mp4 is no video that can be read" in told["error"]


def test_a_strip_is_made_in_the_background_and_kept(server, tmp_path):
    assert asked(server, "/strip/0.jpg") == (202, {"state": "being made"})
    for _ in range(200):
        status, headers, body = ask(server, "/strip/0.jpg")
        if status == 200:
            break
        time.sleep(0.02)
    assert headers["Content-Type"] == "image/jpeg"
    strip = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert strip.shape == (54, 32 * 54, 3)
    shown = [number_in(strip[:, 54 * i : 54 * (i + 1)]) for i in range(32)]
    assert shown == [int((i + 0.5) * 30 / 32) for i in range(32)]
    again = BenchMedia(server.site.media.files, tmp_path / "seen")
    assert again.strip(0) == body
    assert ask(server, "/strip/2.jpg")[0] == 202
    for _ in range(200):
        if ask(server, "/strip/2.jpg")[0] == 404:
            break
        time.sleep(0.02)
    assert "no picture could be decoded" in asked(server, "/strip/2.jpg")[1]["error"]


@pytest.mark.parametrize(
    "path",
    [
        *("/../secret.txt", "/media/../../secret.txt", "/media/1", "/media/3"),
        *(
            "/media/0?x=1",
            "/media/-1",
            "/frames/1.json",
            "/strip/9.jpg",
            "/labels.json",
        ),
        *("/frame/0/x.jpg", "/rounds/1/detections.json", "/rounds/../labels.json"),
        *("/script/../bench_page.py", "/seen/headers.json", "/media/" + "9" * 400),
    ],
)
def test_nothing_else_can_be_read(server, path):
    status, _, body = ask(server, path)
    assert status == 404
    assert b"secret" not in body


def test_marks_are_stored_told_and_swapped_between_two_persons(server):
    known_id = asked(server, "/bench.json")[1]["videos"][0]["detections"][0]["id"]
    status, told = put(server, mark("m1", **{"from": known_id}))
    assert (status, told["revision"]) == (200, 2)
    (stored,) = told["marks"]
    assert (stored["from"], stored["version"], stored["who"]) == (known_id, 1, "anna")
    moved = mark("m1", end_s=0.9, base=1, **{"from": known_id})
    assert put(server, moved, who="bert")[0] == 200
    status, told = put(server, mark("m1", end_s=1.0, base=1))
    assert status == 409
    assert [x["end_s"] for x in told["conflicts"]] == [0.9]
    assert "changed by somebody else" in told["error"]
    status, told = asked(server, "/marks.json?since=2")
    assert [x["end_s"] for x in told["marks"]] == [0.9]
    assert asked(server, "/marks.json?since=3")[1]["marks"] == []
    assert asked(server, "/marks.json?since=99")[0] == 409
    assert asked(server, "/marks.json?since=x")[0] == 400
    proposal = server.site.store.snapshot().marks[0].proposal
    assert (proposal.label, proposal.score, proposal.round) == ("run", 0.9, 1)


def test_a_proposal_of_a_round_that_was_swapped_is_still_known(server):
    known_id = asked(server, "/bench.json")[1]["videos"][0]["detections"][0]["id"]
    server.site.detections.show(2, DetectionFile.of({"a": Detections.of(["run"])}))
    told = asked(server, "/detections.json")[1]
    assert (told["round"], told["detections_version"]) == (2, 2)
    assert told["videos"]["a"] == []
    put(server, mark("m1", **{"from": known_id}))
    assert server.site.store.snapshot().marks[0].proposal.round == 1


def test_contradictions_are_stored_but_told_and_not_learned_from(server):
    instant = mark("m2", kind="point", start_s=1.0, end_s=None)
    looked = mark("m3", kind="watched", start_s=0.0, end_s=1.2)
    status, told = put(server, mark("m1"), instant, looked)
    assert status == 200
    (problem,) = told["problems"]
    assert problem["video"] == "a"
    assert "outside of every segment" in problem["sentence"]
    assert asked(server, "/bench.json")[1]["problems"] == [problem]
    assert put(server, mark("m2", base=1, gone=True))[1]["problems"] == []


def test_of_many_contradictions_in_a_video_the_page_shows_the_first(server):
    points = [
        mark(f"p{i}", kind="point", start_s=0.5 + i / 10, end_s=None) for i in range(3)
    ]
    put(server, mark("m1", start_s=0.0, end_s=0.2), *points)
    _, told = put(server, mark("w", kind="watched", start_s=0.0, end_s=1.2))
    (problem,) = told["problems"]
    assert "the point at 0.5 s" in problem["sentence"]


def test_classes_are_added_and_removed(server):
    status, told = posted(server, "/classes", {"name": "fall", "who": "anna"})
    assert (status, told["classes"][2]) == (200, {"name": "fall", "key": "3"})
    put(server, mark("m1", label="fall"))
    status, told = posted(server, "/classes", {"name": "fall", "gone": True})
    assert (status, told["error"]) == (409, "1 mark is of 'fall'; remove it first")
    assert posted(server, "/classes", {"name": ""})[0] == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Host": "evil.example"}, 403, id="another host"),
        pytest.param({"Origin": "http://evil.example"}, 403, id="another origin"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, 403, id="cross-site"),
        pytest.param({"X_Acmnet_Token": None}, 403, id="no token"),
        pytest.param({"X_Acmnet_Token": "guess"}, 403, id="wrong token"),
        pytest.param({"Content_Type": "text/plain"}, 415, id="a form's type"),
    ],
)
def test_strangers_cannot_mark(server, headers, status):
    got, told = put(server, mark(), **headers)
    assert got == status
    assert told["error"]
    assert not server.site.store.snapshot().marks


def test_bad_requests_get_one_sentence(server):
    assert posted(server, "/marks", b"{")[0] == 400
    assert posted(server, "/marks", b"[" * 100_000)[0] == 400
    status, told = put(server, mark(end_s=9.0))
    assert (status, told["error"]) == (
        400,
        "video 'a', segment 'run' (0.20 to 9.00 s): it ends at 9 s, the video at "
        "1.2 s; give an earlier end",
    )
    assert posted(server, "/elsewhere", {})[0] == 404
    status, told = posted(server, "/learn", {})
    assert (status, told["error"]) == (409, NO_LEARNING.why_not)


def test_eight_persons_at_once_lose_nothing(server):
    statuses = []

    def work(i):
        for k in range(10):
            one = mark(f"m{i}-{k}", end_s=0.5 + i / 10 + k / 100)
            statuses.append(put(server, one, who=f"person {i}")[0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 80
    assert len(server.site.store.snapshot().marks) == 80


def test_an_hour_and_five_thousand_marks_open_fast(tmp_path):
    """Cost of the server alone, without the browser; an hour has 90,000 frames."""
    site = bench_of(tmp_path, {"a": None})
    points = [
        mark(f"m{i}", kind="point", start_s=i * 0.7, end_s=None) for i in range(5000)
    ]
    site.store.put({"who": "anna", "marks": points})
    began = time.process_time()
    told = json.loads(site.get("/bench.json").body)
    took_s = time.process_time() - began
    site.store.close()
    assert len(told["marks"]) == 5000
    assert took_s < 1.0


def test_times_are_those_that_extraction_uses_at_another_rate(tmp_path):
    path = write_movie(tmp_path / "a.mkv", numbers(40), fps=10)
    media = BenchMedia((path,), tmp_path / "seen")
    times_s = json.loads(media.times_json(0))["times_s"]
    for k, frame in enumerate(FrameReader(path, fps=25.0)):
        shown = max(i for i, time_s in enumerate(times_s) if time_s <= k / 25 + 1e-9)
        assert number_in(frame) == shown


def test_a_round_is_not_scored_on_what_an_earlier_one_learned_from(tmp_path):
    """Two videos were watched; the first round learned from a, the second from b."""
    site = bench_of(tmp_path, {"a": None, "b": None})
    for video in "ab":
        site.store.set_duration(video, 10.0)
        watched = mark(f"w{video}", video=video, kind="watched", label=None)
        jump = mark(f"j{video}", video=video, start_s=2.0, end_s=4.0)
        times = {"start_s": 0.0, "end_s": 10.0}
        site.store.put({"who": "anna", "marks": [watched | times, jump]})
    found = Detections.of(["run", "jump"], [(2.0, 4.0, 0.9, 0)])
    for number, video in enumerate("ab", 1):
        one = round_of(site.learning.folder, number)
        one.folder.mkdir(parents=True)
        one.begin(Request(at="", revision=1, n_marks=1, n_videos=1, steps=()))
        learned_from = {"classes": ["run", "jump"], "database": {video: {}}}
        (one.folder / LABELS).write_text(json.dumps(learned_from))
        (one.folder / STATE).write_text('{"state": "done", "seconds": 1.0}')
        write_detections(one.folder / DETECTIONS, {"a": found, "b": found})
    first, second = json.loads(site.get("/rounds.json").body)["rounds"]
    assert first["scores"]["videos"] == 1
    assert first["scores"]["average_map"] == 1.0
    assert second["scores"] is None
    site.store.close()
