"""What persons mark is never lost, never overwritten unseen, and a plain label file."""

import contextlib
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import BENCH, Point
from acmnet.files.file_access import FileError
from acmnet.show.bench.marks import mark_journal
from acmnet.show.bench.marks.bench_labels import KnownVideo
from acmnet.show.bench.marks.bench_mark import MarkError, Proposal
from acmnet.show.bench.marks.label_file_intake import content_of, read_own
from acmnet.show.bench.marks.mark_changes import ConflictError
from acmnet.show.bench.marks.mark_journal import Journal, JournalError
from acmnet.show.bench.marks.mark_store import InUseError, MarkStore
from support.mark_server import serve_marks

VIDEOS = {"a": KnownVideo(20.0), "b": KnownVideo(10.0, "test"), "c": KnownVideo()}
PROPOSED = Proposal("d1", "run", 1.0, 2.0, 0.9, 1)


@contextlib.contextmanager
def stored(folder, **options):
    """Open the store of labels.json in a folder."""
    options = {"videos": VIDEOS} | options
    store = MarkStore(folder / "labels.json", folder / "labels.bench", **options)
    try:
        yield store
    finally:
        store.close()


def mark(known_id="m1", **changes):
    """Return a segment as the page sends it."""
    made = {"id": known_id, "video": "a", "kind": "segment", "label": "run"}
    return made | {"start_s": 1.0, "end_s": 2.5, "base": 0} | changes


def point(known_id, time_s, **changes):
    return mark(known_id, kind="point", start_s=time_s, end_s=None, **changes)


def name(known_id, **changes):
    return mark(known_id, kind="name", start_s=None, end_s=None, **changes)


def watched(known_id, label, start_s, end_s, **changes):
    times = {"start_s": start_s, "end_s": end_s}
    return mark(known_id, kind="watched", label=label, **times, **changes)


def put(store, *marks, who="anna"):
    return store.put({"who": who, "marks": list(marks)})


def content(folder):
    return json.loads((folder / "labels.json").read_text())


def everything(labels):
    """Return marks by id, with who, when, version and proposal."""
    return {x.id: x for x in labels.marks}, labels.classes


# ---- the label file


def test_the_file_is_a_label_file_with_who_and_when_beside(tmp_path):
    with stored(tmp_path, proposal=lambda *_: PROPOSED) as store:
        put(store, mark("m1", **{"from": "d1"}), point("m2", 7.5, label="fall"))
        put(store, name("m3", video="b", label="jump"))
        put(store, watched("m4", "run", 4, 6), watched("m5", None, 8, 9))
    found = content(tmp_path)
    assert found["classes"] == ["run", "fall", "jump"]
    assert set(found["database"]) == {"a", "b"}
    assert found["database"]["b"]["subset"] == "test"
    segment, instant = found["database"]["a"]["annotations"]
    assert (segment["label"], segment["segment"]) == ("run", [1.0, 2.5])
    assert (segment["who"], segment["version"]) == ("anna", 1)
    assert segment["from"] == PROPOSED._asdict()
    assert (instant["label"], instant["point"]) == ("fall", 7.5)
    spans = {"run": [[4.0, 6.0]], "": [[8.0, 9.0]]}
    assert found["database"]["a"]["watched"] == spans
    read = read_annotations(tmp_path / "labels.json")
    assert read.class_names == ("run", "fall", "jump")
    assert read.videos["a"].labels == ("run", "fall")
    assert [x.segment.end_s for x in read.videos["a"].instances] == [2.5]
    assert read.videos["a"].points == (Point("fall", 7.5),)
    assert {x.label for x in read.videos["a"].watched} == {"run", None}
    assert read.made_by == BENCH
    assert read.videos["b"].labels == ("jump",)


def test_a_class_that_is_added_later_was_not_looked_for(tmp_path):
    with stored(tmp_path, classes=["run", "fall"]) as store:
        put(store, watched("m1", None, 0, 20), watched("m2", None, 0, 10, video="b"))
        store.flush()
        assert content(tmp_path)["database"]["a"]["watched"] == [[0.0, 20.0]]
        store.add_class({"name": "jump", "who": "anna"})
        put(store, watched("m3", None, 0, 5))
    span = [0.0, 20.0]
    assert content(tmp_path)["database"]["a"]["watched"] == {
        "run": [span],
        "fall": [span],
        "": [[0.0, 5.0]],
    }


def test_a_video_without_names_says_nothing_happens_only_if_all_was_watched(tmp_path):
    """A video of the database without a label is one in which nothing happens."""
    with stored(tmp_path) as store:
        put(store, watched("m1", None, 0.0, 7.0), watched("m2", "run", 0.0, 20.0))
        put(store, watched("m3", None, 0.0, 5.0, video="b"))
        put(store, watched("m4", None, 5.0, 9.5, video="b"))
        put(store, watched("m5", None, 0.0, 900.0, video="c"))  # nobody knows its end
    found = content(tmp_path)
    assert set(found["database"]) == {"b"}
    assert set(found["unnamed"]) == {"a", "c"}
    assert read_annotations(tmp_path / "labels.json").videos["b"].labels == ()


def test_what_was_marked_is_there_when_it_is_opened_again(tmp_path):
    with stored(tmp_path, proposal=lambda *_: PROPOSED) as store:
        put(store, mark("m1", **{"from": "d1"}), name("m2"), watched("m3", None, 0, 5))
        put(store, mark("m1", base=1, gone=True), who="bert")
        before = store.snapshot()
    with stored(tmp_path) as store:
        assert everything(store.snapshot()) == everything(before)
        assert store.revision == 2
        assert store.since(1).marks[0].gone
        assert not store.notes
        assert not put(store, name("m2", base=1)).marks[0].gone


def test_begun_labels_of_another_program_are_continued(tmp_path):
    given = {
        "classes": ["run", "fall"],
        "database": {
            "a": {"annotations": [{"label": "run", "segment": [1, 2]}]},
            "b": {"annotations": [{"label": "fall"}], "subset": "test"},
            "z": {"annotations": [], "duration": 5.0},
        },
    }
    (tmp_path / "labels.json").write_text(json.dumps(given))
    with stored(tmp_path) as store:
        said = {content_of(x) for x in store.snapshot().marks}
        assert said == {
            ("a", "segment", "run", 1.0, 2.0),
            ("b", "name", "fall", None, None),
            ("z", "watched", None, 0.0, 5.0),
        }
    read = read_annotations(tmp_path / "labels.json")
    assert read.videos["b"].subset == "test"
    assert read.videos["z"].labels == ()
    assert read.class_names == ("run", "fall")


def test_a_file_that_was_edited_by_hand_wins_and_is_told(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"), mark("m2", start_s=5, end_s=6), name("m3", video="b"))
    edited = content(tmp_path)
    edited["database"]["a"]["annotations"][0]["segment"] = [1.0, 3.0]
    (tmp_path / "labels.json").write_text(json.dumps(edited))
    with stored(tmp_path) as store:
        (note,) = store.notes
        assert "changed by another program" in note
        marks = {content_of(x)[2:]: x for x in store.snapshot().marks}
        assert set(marks) == {("run", 1.0, 3.0), ("run", 5.0, 6.0), ("run", None, None)}
        assert marks["run", 5.0, 6.0].id == "m2"
        assert marks["run", 1.0, 3.0].who == "label file"
        assert {x.id: x.gone for x in store.since(1).marks}["m1"]


def test_without_its_journal_the_file_still_tells_who(tmp_path):
    with stored(tmp_path, proposal=lambda *_: PROPOSED) as store:
        put(store, mark("m1", **{"from": "d1"}), watched("m2", None, 0, 5))
        before = store.snapshot()
    (tmp_path / "labels.bench" / "journal.jsonl").unlink()
    with stored(tmp_path) as store:
        assert everything(store.snapshot()) == everything(before)


def test_a_class_with_marks_cannot_be_removed(tmp_path):
    with stored(tmp_path, classes=["run", "fall"]) as store:
        put(store, mark("m1"))
        with pytest.raises(InUseError, match="1 mark is of 'run'; remove it"):
            store.add_class({"name": "run", "gone": True})
        assert store.add_class({"name": "fall", "gone": True}) == ("run",)
        assert store.add_class({"name": " jump "}) == ("run", "jump")
        assert store.add_class({"name": "jump"}) == ("run", "jump")
    with stored(tmp_path) as store:
        assert store.snapshot().classes == ("run", "jump")


# ---- two persons


def test_two_persons_never_overwrite_each_other_unseen(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"), mark("m2", start_s=5.0, end_s=6.0))
        put(store, mark("m1", end_s=3.0, base=1), who="bert")
        both = mark("m1", end_s=4.0, base=1), mark("m2", end_s=9.0, base=1)
        with pytest.raises(ConflictError, match="1 mark was changed") as caught:
            put(store, *both)
        (current,) = caught.value.current
        assert (current.end_s, current.who, current.version) == (3.0, "bert", 2)
        ends = [x.end_s for x in store.snapshot().marks]
        assert ends == [3.0, 6.0]  # of m2, too, nothing was stored
        assert put(store, mark("m1", end_s=4.0, base=2)).marks[0].version == 3
        seen = store.since(2)
        assert (seen.revision, [x.end_s for x in seen.marks]) == (3, [4.0])


def test_a_request_whose_answer_got_lost_can_be_repeated(tmp_path):
    with stored(tmp_path) as store:
        first = put(store, mark("m1"), name("m2"))
        assert put(store, mark("m1"), name("m2")) == first
        moved = put(store, mark("m1", end_s=3.0, base=1))
        assert put(store, mark("m1", end_s=3.0, base=1)) == moved
        with pytest.raises(ConflictError):  # the same by somebody else was not seen
            put(store, mark("m1", end_s=3.0, base=1), who="bert")
        assert store.revision == 2


def test_a_label_file_is_open_once(tmp_path):
    with stored(tmp_path) as store:
        (store.folder / "address.txt").write_text("http://127.0.0.1:20001/")
        told = r"labels.json is open already at http://127.0.0.1:20001/; use that page"
        with pytest.raises(MarkError, match=told), stored(tmp_path):
            pass
    with stored(tmp_path):
        pass


# ---- refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"id": "a b"}, "1 to 64 letters, digits", id="id"),
        pytest.param({"id": 3}, "1 to 64 letters", id="number as id"),
        pytest.param({"video": "z"}, "no video 'z' here; reload", id="video"),
        pytest.param(
            {"kind": "box"}, "name, point, segment, watched, got 'box'", id="k"
        ),
        pytest.param({"label": ""}, "label must be 1 to 300 characters", id="blank"),
        pytest.param({"label": None}, "label must be 1 to 300 characters", id="none"),
        pytest.param({"label": "x" * 301}, "1 to 300 characters", id="long label"),
        pytest.param({"label": "a\x07b"}, "control character U", id="control"),
        pytest.param({"label": "run\ud800"}, "half a character", id="surrogate"),
        pytest.param({"start_s": 3.0}, r"from 3\.0 to 2\.5 is no segment", id="order"),
        pytest.param({"start_s": -1.0}, r"seconds from 0 .* got -1\.0", id="before 0"),
        pytest.param({"start_s": True}, "got True", id="bool"),
        pytest.param({"end_s": 10**400}, "is no segment", id="huge"),
        pytest.param({"end_s": 2.5000001, "start_s": 2.5}, "is no segment", id="tiny"),
        pytest.param({"end_s": 21.5}, "ends at 21.5 s, the video at 20 s", id="after"),
        pytest.param({"base": -1}, "base must be a whole number", id="base"),
        pytest.param({"base": 4}, "no mark m1, so it has no version 4", id="unknown"),
        pytest.param({"gone": 1}, "gone must be true or false, got 1", id="gone"),
    ],
)
def test_what_is_no_mark_is_refused(tmp_path, changes, message):
    with stored(tmp_path) as store:
        with pytest.raises(MarkError, match=message):
            put(store, name("m0"), mark("m1") | changes)
        assert store.revision == 0
    assert not (tmp_path / "labels.bench" / "journal.jsonl").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], "an object with who and a list of marks", id="list"),
        pytest.param({"who": "anna"}, "a list of marks", id="no marks"),
        pytest.param({"who": "", "marks": []}, "who must be 1 to 300", id="nobody"),
        pytest.param({"who": "a", "marks": [3]}, "must be an object, got int", id="no"),
        pytest.param({"who": "a", "marks": [{}] * 5001}, "at most 5000 marks", id="m"),
        pytest.param(
            {"who": "a", "marks": [mark(), mark()]}, "the same id", id="twice"
        ),
    ],
)
def test_what_is_no_request_is_refused(tmp_path, values, message):
    with stored(tmp_path) as store, pytest.raises(MarkError, match=message):
        store.put(values)


def test_a_mark_stays_in_its_video(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"))
        with pytest.raises(MarkError, match="belongs to video 'a', not to 'b'"):
            put(store, mark("m1", video="b", base=1))


# ---- one mark


def test_a_segment_that_is_marked_twice_is_one_mark(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"), name("n1"), point("p1", 7.5))
        twice = mark("m2"), name("n2"), point("p2", 7.5), mark("m3", label="fall")
        found = put(store, *twice, who="bert")
        assert [x.id for x in found.marks if x.gone] == ["m2", "n2", "p2"]
        assert [(x.id, x.who) for x in found.twins] == [
            ("m1", "anna"),
            ("n1", "anna"),
            ("p1", "anna"),
        ]
        again = put(store, *twice, who="bert")  # the answer had got lost
        assert again == found
        assert {x.id for x in store.snapshot().marks} == {"m1", "n1", "p1", "m3"}
        put(store, point("p3", 1.0), who="bert")  # and then the second of two taps
        assert [x.gone for x in put(store, mark("p3", base=1), who="bert").marks] == [1]
        # the first one goes, and so another one can come
        put(store, mark("m1", base=1, gone=True), mark("m4"))
        before = store.snapshot()
    assert {x.id for x in before.marks} == {"m4", "n1", "p1", "m3"}
    with stored(tmp_path) as store:
        assert everything(store.snapshot()) == everything(before)


def test_one_request_with_the_same_segment_twice_makes_one_mark(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"), mark("m2"), watched("w1", "run", 0, 4))
        put(store, watched("w2", "run", 0, 4))
        assert [x.id for x in store.snapshot().marks] == ["m1", "w1", "w2"]


def test_what_accepts_a_detection_where_a_mark_is_lends_it_the_detection(tmp_path):
    with stored(tmp_path, proposal=lambda *_: PROPOSED) as store:
        put(store, mark("m1"))
        found = put(store, mark("m2", **{"from": "d1"}), who="bert")
        assert (found.marks[0].gone, found.twins[0].id) == (True, "m1")
        (one,) = store.snapshot().marks
        assert (one.id, one.who, one.version) == ("m1", "bert", 2)
        assert one.proposal == PROPOSED


def test_marks_that_are_moved_to_one_place_stay_and_count_once(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"), mark("m2", end_s=3.0))
        put(store, mark("m2", base=1))  # on its way to an earlier end
        assert len(store.snapshot().marks) == 2
        store.flush()
        (one,) = content(tmp_path)["database"]["a"]["annotations"]
        assert one["id"] == "m1"
        put(store, mark("m2", base=2, end_s=2.0))
    assert len(content(tmp_path)["database"]["a"]["annotations"]) == 2


# ---- crashes


def test_a_torn_last_entry_is_left_out_and_told(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"))
        put(store, mark("m2", end_s=2.0))
    path = tmp_path / "labels.bench" / "journal.jsonl"
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in (last + 1, len(whole) - 20, len(whole) - 1):
        path.write_bytes(whole[:cut])
        (tmp_path / "labels.json").unlink(missing_ok=True)
        with stored(tmp_path) as store:
            assert [x.id for x in store.snapshot().marks] == ["m1"]
            (note,) = store.notes
            assert f"({cut - last} bytes) was not written to its end" in note
            put(store, mark("m3", end_s=3.0))
        with stored(tmp_path) as store:
            assert [x.id for x in store.snapshot().marks] == ["m1", "m3"]
            assert not store.notes


def test_zeros_after_the_last_entry_are_left_out(tmp_path):
    """As a file system may leave them when the power fails."""
    with stored(tmp_path) as store:
        put(store, mark("m1"))
    with (tmp_path / "labels.bench" / "journal.jsonl").open("ab") as file:
        file.write(b"\0" * 300 + b"\n" + b"\0" * 20)
    with stored(tmp_path) as store:
        assert [x.id for x in store.snapshot().marks] == ["m1"]


def test_a_damaged_entry_before_others_is_refused_by_its_line(tmp_path):
    with stored(tmp_path) as store:
        put(store, mark("m1"))
        put(store, mark("m2", end_s=2.0))
    path = tmp_path / "labels.bench" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b'{"rev', *lines[2:]]))
    with pytest.raises(JournalError, match="line 2 is no entry"), stored(tmp_path):
        pass
    other = lines[1].replace(b'"segment"', b'"box"')
    path.write_bytes(b"\n".join([lines[0], other, *lines[2:]]))
    with pytest.raises(JournalError, match="describes no change"), stored(tmp_path):
        pass
    path.write_bytes(b"\n".join([b'{"format": "acmnet journal 9"}', *lines[1:]]))
    with pytest.raises(JournalError, match="of the format"), stored(tmp_path):
        pass


def test_a_full_disk_keeps_nothing_of_the_change_and_goes_on(tmp_path, monkeypatch):
    with stored(tmp_path) as store:
        put(store, mark("m1"))
        half = mark_journal._write_all

        def full(file, line):
            half(file, line[:30])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(mark_journal, "_write_all", full)
        with pytest.raises(FileError, match=r"journal\.jsonl could not be written: No"):
            put(store, mark("m2", end_s=2.0))
        monkeypatch.undo()
        assert [x.id for x in store.snapshot().marks] == ["m1"]
        put(store, mark("m3", end_s=3.0))
        before = store.snapshot()
    with stored(tmp_path) as store:
        assert everything(store.snapshot()) == everything(before)


def test_a_label_file_that_cannot_be_written_is_told_and_written_later(tmp_path):
    with stored(tmp_path) as store:
        (tmp_path / "labels.json").mkdir()
        put(store, mark("m1"))
        store.flush()
        assert "labels.json could not be written" in store.fault
        assert "the marks are safe in" in store.fault
        (tmp_path / "labels.json").rmdir()
        store.flush()
        assert store.fault == ""
    assert "a" in content(tmp_path)["database"]


def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    """Marks arrive one after another; SIGKILL comes anywhere, also while writing."""
    draw, acknowledged, sent = random.Random(0), [], 0
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["acmnet.show.bench.marks.mark_store"])
    for _ in range(20):
        ours, theirs = context.Pipe()
        server = context.Process(target=serve_marks, args=(str(tmp_path), theirs))
        server.start()
        theirs.close()
        assert ours.recv() == "open"
        for i in range(200):
            ours.send(f"m{sent + i}")
        sent += 200
        acknowledged += [ours.recv() for _ in range(draw.randrange(6))]
        server.kill()
        server.join()
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                acknowledged.append(ours.recv())
    with stored(tmp_path, videos={"a": KnownVideo(1e6)}) as store:
        kept = {x.id for x in store.snapshot().marks}
    assert len(acknowledged) > 20
    assert len(kept) < sent
    assert set(acknowledged) <= kept
    file = content(tmp_path)["database"]["a"]["annotations"]
    assert {x["id"] for x in file} == kept


def test_five_thousand_marks_are_stored_and_opened_fast(tmp_path):
    many = [point(f"m{i}", i / 100, video="c") for i in range(5000)]
    with stored(tmp_path) as store:
        began = time.process_time()
        put(store, *many)
        for i in range(20):
            put(store, point(f"m{i}", 1.0 + i, video="c", base=1))
        store.flush()
        took_s = time.process_time() - began
        before = store.snapshot()
    began = time.process_time()
    with stored(tmp_path) as store:
        opened_s = time.process_time() - began
        assert everything(store.snapshot()) == everything(before)
    assert took_s < 3.0
    assert opened_s < 1.0


# ---- a law


TIMES = st.tuples(st.integers(0, 90), st.integers(1, 90)).map(
    lambda x: (x[0] / 10, (x[0] + x[1]) / 10)
)


@st.composite
def changes(draw):
    """Draw requests as two persons send them, some on versions that are gone by."""
    requests = []
    for _ in range(draw(st.integers(1, 8))):
        marks = {}
        for _ in range(draw(st.integers(1, 3))):
            start_s, end_s = draw(TIMES)
            i = draw(st.integers(0, 5))
            kind = draw(st.sampled_from(["name", "point", "segment", "watched"]))
            labels = ["run", "fall", "K\u00e4fer"] + [None] * (kind == "watched")
            marks[i] = {
                "id": f"m{i}",
                "video": "abc"[i % 3],
                "kind": kind,
                "label": draw(st.sampled_from(labels)),
                "start_s": start_s,
                "end_s": min(end_s, 10.4),
                "gone": draw(st.booleans()),
                "base": draw(st.integers(0, 3)),
                "from": draw(st.sampled_from([None, "d1"])),
            }
        who = draw(st.sampled_from(["anna", "bert"]))
        requests.append({"who": who, "marks": list(marks.values())})
    return requests


@given(changes())
@settings(max_examples=60)
def test_the_journal_the_file_and_the_store_are_one(requests):
    """Replayed, read back from the file, or as it was: the same marks each way."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with stored(folder, proposal=lambda *_: PROPOSED) as store:
            for request in requests:
                with contextlib.suppress(MarkError):
                    store.put(request)
            live = store.snapshot()
        if not live.revision:
            return
        own = read_own(folder / "labels.json")
        assert everything(own) == everything(live)
        os.remove(folder / "labels.json")
        with stored(folder) as store:
            assert everything(store.snapshot()) == everything(live)


def test_a_journal_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "journal.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(JournalError, match="is a link, which is not followed"):
        list(Journal(tmp_path / "journal.jsonl").entries())


def test_the_bench_starts_without_torch():
    """A person who marks by hand does not wait for it; nor does each kill of a test."""
    code = "import sys, acmnet.cli.verbs.label; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
