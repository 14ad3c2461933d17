"""A label file of another program follows what is marked at the bench."""

import contextlib

import pytest

from acmnet.data.formats.format_table import format_named
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError, Point
from acmnet.show.bench.marks.bench_labels import KnownVideo
from acmnet.show.bench.marks.label_export import LabelExport
from acmnet.show.bench.marks.mark_store import MarkStore

VIDEOS = {"a": KnownVideo(20.0), "b": KnownVideo(10.0)}


@contextlib.contextmanager
def opened(export):
    """Open the store of a bench whose label file is that of another program."""
    export.refuse_changed()
    folder = export.folder
    store = MarkStore(export.labels, folder, VIDEOS, ["run", "sit"], export=export)
    try:
        yield store
    finally:
        store.close()
    assert store.fault == ""


def put(store, video, start_s, end_s=None, **changes):
    """Store a segment; a point without an end."""
    kind = "point" if end_s is None else "segment"
    times = {"start_s": start_s, "end_s": end_s}
    mark = {"id": f"{video}{start_s:.0f}", "video": video, "kind": kind, "label": "run"}
    one = mark | times | changes
    return store.put({"who": "anna", "marks": [one]}).marks[0]


def test_everything_that_the_format_holds_is_in_the_file(tmp_path):
    out = tmp_path / "labels.csv"
    export = LabelExport(out, tmp_path / "labels.bench", format_named("csv"), None)
    with opened(export) as store:
        put(store, "a", 1.0, 2.5)
        put(store, "a", 4.0)
        put(store, "b", 3.0, 9.0, kind="watched", label=None)
    found = read_annotations(out)
    assert list(found.videos) == ["a"]  # what b shows is not known yet
    (instance,), points = found.videos["a"].instances, found.videos["a"].points
    assert (instance.segment.start_s, instance.segment.end_s) == (1.0, 2.5)
    assert points == (Point("run", 4.0),)
    assert "anna" not in out.read_text()
    assert "anna" in export.labels.read_text()
    out.unlink()  # it is written again, without a change
    with opened(export):
        assert read_annotations(out).videos == found.videos


def test_a_file_of_a_video_without_marks_is_removed_but_none_of_others(tmp_path):
    out = tmp_path / "elan"
    export = LabelExport(out, tmp_path / "elan.bench", format_named("elan"), None)
    with opened(export) as store:
        put(store, "a", 1.0, 2.5)
        one = put(store, "b", 2.0, 3.0)
        store.flush()
        assert sorted(x.name for x in out.iterdir()) == ["a.eaf", "b.eaf"]
        first = {x.name: x.stat().st_ino for x in out.iterdir()}
        put(store, "a", 4.0, 5.0)
        store.flush()
        now = {x.name: x.stat().st_ino for x in out.iterdir()}
        assert now["a.eaf"] != first["a.eaf"]
        assert now["b.eaf"] == first["b.eaf"]  # nothing of it has changed
        (out / "other.eaf").write_text("of somebody else")
        put(store, "b", 2.0, 3.0, gone=True, base=one.version)
    assert sorted(x.name for x in out.iterdir()) == ["a.eaf", "other.eaf"]
    with pytest.raises(AnnotationError, match=r"other.eaf is not as the bench"):
        export.refuse_changed()
    (out / "other.eaf").unlink()
    export.refuse_changed()


def test_a_change_of_one_video_is_written_wherever_it_tells(tmp_path):
    """In DeepEthogram's tables each file has a column for every class that is seen."""
    out = tmp_path / "tables"
    form = format_named("deepethogram")
    export = LabelExport(out, tmp_path / "tables.bench", form, 10.0)
    with opened(export) as store:
        put(store, "a", 1.0, 2.5)
        store.flush()
        assert "hop" not in (out / "a.csv").read_text()
        store.add_class({"name": "hop", "who": "anna"})
        put(store, "b", 3.0, 4.0, label="hop")
        store.flush()
        assert "hop" in (out / "a.csv").read_text()
        (out / "a.csv").unlink()
        put(store, "b", 5.0, 6.0)
    assert len(read_annotations(out, 10.0).videos["a"].instances) == 1
