"""Read a label file as far as possible, and find all that the strict reader refuses.

`acmnet.data.label_files.read_annotations` stops at the first fault. Here it is given
parts of the file until every fault is located, and then what remains. So there is one
set of rules, and one wording.
"""

import collections
import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from acmnet.data.checks.findings import Finding
from acmnet.data.formats.exchange_format import Format, FrameRates
from acmnet.data.formats.reading import foreign_format, read_foreign
from acmnet.data.label_files import is_json, read_annotations, read_table
from acmnet.data.labels.annotations import AnnotationError, Annotations
from acmnet.data.labels.json_files import bmn_annotations
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.messages import quoted
from acmnet.runtime.garbage_collection import without_collection

Item = TypeVar("Item")

CLASS_LISTS: Final = ("taxonomy", "classes")
PLACEHOLDER: Final = {"label": "-"}
"""Stands for another annotation, so that the one asked about keeps its index."""


@dataclasses.dataclass(frozen=True)
class LenientReading:
    """What could be read, and all that could not."""

    annotations: Annotations | None
    """Without the entries at fault; None if nothing is left."""
    findings: tuple[Finding, ...]


def read_leniently(path: str | Path, fps: FrameRates | None = None) -> LenientReading:
    """Read a label file, with a finding for each thing that training would refuse.

    Nothing is raised for what the file says. The arguments are those of
    `acmnet.data.label_files.read_annotations`.

    Notes
    -----
    A segment that does not end after it starts is taken off; its label stays. Any
    other annotation, video or row that the strict reader refuses is left out.
    """
    path = Path(path)
    try:
        foreign = foreign_format(path)
        if foreign is not None:
            return _whole_file(path, foreign, fps)
        if not is_json(path):
            return _read_table(path)
        text = read_text(path, "label file", AnnotationError, "it names a video")
    except AnnotationError as error:
        return LenientReading(None, (_refused(str(path), str(error)),))
    with tempfile.TemporaryDirectory() as folder:
        return _read_json(_Reader(path, Path(folder) / "labels.json"), text)


def _whole_file(path: Path, foreign: Format, fps: FrameRates | None) -> LenientReading:
    """Read a file of another program, of which the first fault is reported."""
    labels = read_foreign(path, foreign, fps)
    source = str(path)
    notes = [
        Finding(level="note", kind="form", sentence=sentence, source=source)
        for sentence in labels.notes
    ]
    return LenientReading(labels, tuple(notes))


def _read_table(path: Path) -> LenientReading:
    """Read a table row by row; what was recognised in its form is a note."""
    source, faults = str(path), list[str]()
    try:
        table = read_table(path, faults.append)
    except AnnotationError as error:
        sentences = faults or [str(error)]
        return LenientReading(None, tuple(_refused(source, x) for x in sentences))
    findings = [_refused(source, sentence) for sentence in faults]
    findings += [
        Finding(level="note", kind="form", sentence=sentence, source=source)
        for sentence in table.notes
    ]
    return LenientReading(table, tuple(findings))


@dataclasses.dataclass(frozen=True)
class _Reader:
    """The strict reader, for parts of a file."""

    path: Path
    part: Path

    def read(self, text: str) -> Annotations:
        """Return what the strict reader says, as if it had read the file itself."""
        self.part.write_text(text, encoding="utf-8", newline="")
        try:
            annotations = read_annotations(self.part)
        except AnnotationError as error:
            sentence = str(error).replace(str(self.part), str(self.path))
            raise AnnotationError(sentence) from None
        return dataclasses.replace(annotations, source=str(self.path))

    def refusal(self, text: str) -> str:
        """Return why the strict reader refuses a text; empty if it does not."""
        try:
            self.read(text)
        except AnnotationError as error:
            return str(error)
        return ""


def _refused(source: str, sentence: str, **place: Any) -> Finding:
    return Finding(
        level="error", kind="refused", sentence=sentence, source=source, **place
    )


def _isolated(
    items: Sequence[Item], refusal: Callable[[Sequence[Item]], str]
) -> Iterator[tuple[Item, str]]:
    """Yield each item that is refused on its own, and why."""
    sentence = refusal(items) if items else ""
    if not sentence:
        return
    if len(items) == 1:
        yield items[0], sentence
        return
    half = len(items) // 2
    yield from _isolated(items[:half], refusal)
    yield from _isolated(items[half:], refusal)


def _read_json(reader: _Reader, text: str) -> LenientReading:
    """Read an ActivityNet-style file."""
    source = str(reader.path)
    content, twice = _parsed(text)
    lengths: list[Finding] = []
    if bmn_annotations.is_flat(content):
        lengths += _wrong_lengths(source, content, refuses_empty=False)
        try:
            content = bmn_annotations.as_database(reader.path, content, AnnotationError)
        except AnnotationError as error:
            return LenientReading(None, (*lengths, _refused(source, str(error))))
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(database, dict) or not database:
        return _read_as_a_whole(reader, text)
    findings = [
        _refused(source, f"{source}: {quoted(key)} is listed twice; keep one")
        for key in twice
    ]
    findings += lengths or _wrong_lengths(source, database)
    bare = {key: value for key, value in content.items() if key not in CLASS_LISTS}
    if not findings:
        with contextlib.suppress(AnnotationError):
            return LenientReading(reader.read(json.dumps(content)), ())
    findings += _mended(reader, bare, database)
    for head in (content, bare) if database else ():
        mended = json.dumps({**head, "database": database})
        try:
            return LenientReading(reader.read(mended), tuple(findings))
        except AnnotationError as error:
            findings.append(_refused(source, str(error)))
    return LenientReading(None, tuple(findings))


def _parsed(text: str) -> tuple[Any, list[str]]:
    """Return the content of JSON, None if it is none, and the keys listed twice."""
    twice: list[str] = []

    def merged(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values = dict(pairs)
        if len(values) != len(pairs):
            counts = collections.Counter(key for key, _ in pairs)
            twice.extend(key for key, n in counts.items() if n > 1)
        return values

    try:
        with without_collection():
            return json.loads(text, object_pairs_hook=merged), twice
    except (ValueError, RecursionError):
        return None, twice


def _read_as_a_whole(reader: _Reader, text: str) -> LenientReading:
    """Read a file that cannot be taken apart."""
    try:
        parse_json(str(reader.path), text, "label file", AnnotationError)
        return LenientReading(reader.read(text), ())
    except AnnotationError as error:
        return LenientReading(None, (_refused(str(reader.path), str(error)),))


def _wrong_lengths(
    source: str, database: Mapping[str, Any], *, refuses_empty: bool = True
) -> Iterator[Finding]:
    """Yield the segments that do not end after they start; take them off."""
    for video, entry in database.items():
        annotations = entry.get("annotations") if isinstance(entry, dict) else None
        for index, annotation in enumerate(
            annotations if isinstance(annotations, list) else ()
        ):
            try:
                start_s, end_s = map(float, annotation["segment"])
            except (KeyError, TypeError, ValueError, OverflowError):
                continue
            if not end_s <= start_s:
                continue
            is_refused = refuses_empty or end_s < start_s
            yield Finding(
                level="error" if is_refused else "warning",
                kind="length",
                sentence=f"{source}: video {quoted(video)}, annotations[{index}]: an "
                f"instance must end after it starts, got [{start_s:g}, {end_s:g}] s; "
                "correct it, or leave the segment out to keep the label only",
                source=source,
                video=video,
                index=index,
            )
            del annotation["segment"]


def _mended(
    reader: _Reader, bare: Mapping[str, Any], database: dict[str, Any]
) -> Iterator[Finding]:
    """Yield what is refused in each video; take it out of the database."""

    def of(videos: Mapping[str, Any]) -> str:
        return reader.refusal(json.dumps({**bare, "database": videos}))

    source = str(reader.path)
    refused = list(_isolated(list(database), lambda x: of({k: database[k] for k in x})))
    for video, sentence in refused:
        entry = database[video]
        refusals = list(_refused_annotations(video, entry, of))
        for index, why in refusals:
            yield _refused(source, why, video=video, index=index)
        if refusals:
            at_fault = {index for index, _ in refusals}
            entry["annotations"] = [
                x for i, x in enumerate(entry["annotations"]) if i not in at_fault
            ]
            sentence = of({video: entry})
        if sentence:
            yield _refused(source, sentence, video=video)
            del database[video]


def _refused_annotations(
    video: str, entry: object, of: Callable[[Mapping[str, Any]], str]
) -> Iterator[tuple[int, str]]:
    """Yield the index of each annotation that is refused, and why."""
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    if not isinstance(annotations, list) or not video.strip():
        return

    def refusal(indices: Sequence[int]) -> str:
        kept = set(indices)
        shown = [x if i in kept else PLACEHOLDER for i, x in enumerate(annotations)]
        return of({video: {"annotations": shown}})

    yield from _isolated(range(len(annotations)), refusal)
