"""Keeps what persons mark: in a journal at once, then in the label file.

Every change is on the disk in the journal before it is answered. The label file is
written whole a moment later. Marks have versions: a change that was made on an older
version than the present one is refused, so that nobody overwrites what another person
said without having seen it.
"""

import contextlib
import datetime
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from filelock import FileLock, Timeout

from acmnet.data.labels.annotations import AnnotationError
from acmnet.files.file_access import FileError, make_folder, write_text
from acmnet.messages import counted
from acmnet.show.bench.marks.bench_labels import (
    KnownVideo,
    Labels,
    label_text,
    label_values,
)
from acmnet.show.bench.marks.bench_mark import Mark, MarkError, Proposal, checked_name
from acmnet.show.bench.marks.label_export import LabelExport
from acmnet.show.bench.marks.label_file_intake import (
    FROM_FILE,
    changes_to,
    read_label_file,
)
from acmnet.show.bench.marks.mark_changes import (
    changed_marks,
    checked_request,
    present_twins,
)
from acmnet.show.bench.marks.mark_journal import JOURNAL_FILE, Journal, JournalError

ADDRESS_FILE: Final = "address.txt"
"""File beside the journal with the address of the server that has it open."""
WRITTEN_AFTER_S: Final = 0.5
"""Seconds from a change until the label file is written."""


class Stored(NamedTuple):
    """What became of a request."""

    revision: int
    marks: tuple[Mark, ...]
    """The marks of the request as they are stored."""
    twins: tuple[Mark, ...] = ()
    """The marks that said already what marks of the request say, which are gone then.
    """


class MarkStore:
    """The marks of one label file, for all pages that show it.

    Parameters
    ----------
    labels : Path
        The label file, JSON. If it is there, its marks are the first ones.
    folder : Path
        Folder of the bench beside it, with the journal; it is made.
    videos : mapping of str to KnownVideo
        The videos that can be marked; those of the label file are added.
    classes : sequence of str
        Classes that are added to those of the label file.
    proposal : callable
        Returns the detection with an id, given the video and the id; None for none.
    export : LabelExport or None
        What writes the label file of another program after ``labels``.

    Raises
    ------
    MarkError
        If another server has the same label file open.
    JournalError, AnnotationError
        If a file cannot be read.
    """

    def __init__(
        self,
        labels: Path,
        folder: Path,
        videos: Mapping[str, KnownVideo],
        classes: Sequence[str] = (),
        proposal: Callable[[str, str], Proposal | None] = lambda *_: None,
        export: LabelExport | None = None,
    ) -> None:
        self.labels, self.folder = labels, folder
        self._export, self._exported = export, 0
        self.notes: list[str] = []
        """Sentences on what was found when the files were opened."""
        self.fault = ""
        """Why the label file could not be written; empty if it could."""
        self._videos = dict(videos)
        self._proposal = proposal
        self._classes: dict[str, None] = {}
        self._marks: dict[str, Mark] = {}
        self._changed: dict[str, int] = {}
        self._revision = self._written = 0
        self._lock, self._writing = threading.RLock(), threading.Lock()
        self._wake, self._ends = threading.Event(), threading.Event()
        make_folder(folder)
        self._acquired_lock = _acquired_lock(labels, folder)
        self._journal = Journal(folder / JOURNAL_FILE)
        try:
            self._open(classes)
        except BaseException:
            self._acquired_lock.release()
            raise
        self._writer = threading.Thread(target=self._write_soon, daemon=True)
        self._writer.start()

    # ---- opening

    def _open(self, classes: Sequence[str]) -> None:
        """Replay the journal, then take in what the label file holds beyond it."""
        for entry in self._journal.entries():
            try:
                self._apply(entry)
            except (AttributeError, KeyError, TypeError, ValueError):
                raise JournalError(
                    f"{self._journal.path}, entry {self._revision + 1} describes no "
                    "change of marks; move the file away to begin from the label file"
                ) from None
        self.notes += self._journal.notes
        if self.labels.exists():
            self._take_in_file()
        new = [checked_name("--classes", "class", name) for name in classes]
        self._add_classes([name for name in new if name not in self._classes], "")
        if self._revision:
            self.flush()

    def _take_in_file(self) -> None:
        """Take in what the label file says and the journal does not know."""
        content = read_label_file(self.labels)
        is_ours = content.journal == self._journal.id
        if is_ours and content.revision <= self._revision:
            self._written = content.revision
            return
        self.notes += content.notes
        present = self.snapshot().marks
        changed = changes_to(content, present, self._marks, present_time())
        if changed and self._revision:
            self.notes.append(
                f"{self.labels} was changed by another program since it was written "
                f"here: {counted(len(changed), 'mark')} were taken from it"
            )
        entry = {
            "videos": {
                video: video_facts._asdict()
                for video, video_facts in content.videos.items()
            },
            "classes": list(dict.fromkeys([*self._classes, *content.classes])),
            "marks": [mark.to_record() for mark in changed],
        }
        self._commit(FROM_FILE, entry, max(content.revision, self._revision + 1))

    # ---- reading

    @property
    def revision(self) -> int:
        """How many changes there were."""
        return self._revision

    def snapshot(self) -> Labels:
        """Return everything that is marked now."""
        with self._lock:
            marks = tuple(mark for mark in self._marks.values() if not mark.gone)
            return Labels(
                journal=self._journal.id,
                revision=self._revision,
                classes=tuple(self._classes),
                videos=dict(self._videos),
                marks=marks,
            )

    def since(self, revision: int) -> Stored:
        """Return the marks that changed after a revision, gone ones among them."""
        with self._lock:
            changed = [
                self._marks[known_id]
                for known_id, number in self._changed.items()
                if number > revision
            ]
            return Stored(self._revision, tuple(changed))

    # ---- changing

    def put(self, values: object) -> Stored:
        """Store marks, all of them or none, and return once they are on the disk.

        Parameters
        ----------
        values : JSON value
            ``{"who": ..., "marks": [...]}``, as docs/labelling.md describes it.

        Raises
        ------
        ConflictError
            If a mark has another version by now than its ``base``.
        MarkError
            If a mark cannot be stored; the message names it.
        FileError
            If the journal cannot be written.
        """
        with self._lock:
            durations_s = {k: v.duration_s for k, v in self._videos.items()}
            request = checked_request(values, durations_s)
            twins = present_twins(request.marks, self._marks)
            changed = changed_marks(
                request,
                self._marks,
                twins,
                tuple(self._classes),
                self._proposal,
                present_time(),
            )
            if changed:
                entry = {"marks": [mark.to_record() for mark in changed]}
                self._commit(request.who, entry, self._revision + 1)
            stored = tuple(self._marks[mark.id] for mark in request.marks)
            same = tuple(self._marks[twin.id] for twin in twins.values())
            return Stored(self._revision, stored, same)

    def add_class(self, values: object) -> tuple[str, ...]:
        """Add a class, or with ``gone`` remove one that no mark has; return all.

        Raises
        ------
        MarkError
            If the name cannot be that of a class, or marks have the class to remove.
        """
        if not isinstance(values, dict):
            raise MarkError('a class must be an object such as {"name": "jump"}')
        name = checked_name("the request", "name", values.get("name"))
        who = checked_name("the request", "who", values.get("who", FROM_FILE))
        with self._lock:
            if not values.get("gone"):
                self._add_classes([name][name in self._classes :], who)
                return tuple(self._classes)
            users = [x for x in self._marks.values() if x.label == name and not x.gone]
            if users:
                n, pronoun = len(users), "it" if len(users) == 1 else "them"
                raise InUseError(
                    f"{counted(n, 'mark', ('is', 'are'))} of {name!r}; remove "
                    f"{pronoun} first"
                )
            if name in self._classes:
                rest = [x for x in self._classes if x != name]
                self._commit(who, {"classes": rest, "marks": []}, self._revision + 1)
            return tuple(self._classes)

    def take_in(
        self,
        marks: Sequence[Mark],
        who: str,
        durations_s: Mapping[str, float | None] | None = None,
    ) -> None:
        """Store marks that another file held, such as the names of a run.

        Lengths of videos are kept with them where they were not known before.
        """
        with self._lock:
            if not marks:
                return
            known = {
                video: self._videos.get(video, KnownVideo())._replace(
                    duration_s=duration_s
                )
                for video, duration_s in (durations_s or {}).items()
            }
            entry = {
                "videos": {video: facts._asdict() for video, facts in known.items()},
                "marks": [mark.to_record() for mark in marks],
            }
            self._commit(who, entry, self._revision + 1)

    def set_duration(self, video: str, duration_s: float) -> None:
        """Tell the length of a video, once its frames are known."""
        with self._lock:
            known = self._videos[video]
            self._videos[video] = known._replace(duration_s=duration_s)

    def _add_classes(self, names: Sequence[str], who: str) -> None:
        if names:
            entry = {"classes": [*self._classes, *names], "marks": []}
            self._commit(who or FROM_FILE, entry, self._revision + 1)

    def _commit(self, who: str, entry: dict[str, Any], revision: int) -> None:
        """Write a change to the journal, then apply it."""
        line = {"revision": revision, "who": who, "at": present_time(), **entry}
        self._journal.append(line)
        self._apply(line)
        self._wake.set()

    def _apply(self, entry: Mapping[str, Any]) -> None:
        """Apply a change that the journal holds."""
        revision = int(entry["revision"])
        if revision <= self._revision:
            raise ValueError("revisions must rise")
        marks = [Mark.from_record(values) for values in entry["marks"]]
        for video, known in entry.get("videos", {}).items():
            before = self._videos.get(video, KnownVideo())
            duration_s = before.duration_s or known["duration_s"]
            self._videos[video] = KnownVideo(duration_s, known["subset"])
        if "classes" in entry:
            self._classes = dict.fromkeys(entry["classes"])
        for mark in marks:
            self._videos.setdefault(mark.video, KnownVideo())
            if mark.label is not None:
                self._classes.setdefault(mark.label)
            self._marks[mark.id] = mark
            self._changed[mark.id] = revision
        self._revision = revision

    # ---- the label file

    def _write_soon(self) -> None:
        """Write the label file a moment after each change, until the store closes."""
        while not self._ends.is_set():
            self._wake.wait()
            self._ends.wait(WRITTEN_AFTER_S)
            self._wake.clear()
            self.flush()

    def flush(self) -> None:
        """Write the label file now, if it is not as the journal is."""
        with self._writing:
            labels = self.snapshot()
            try:
                if labels.revision != self._written:
                    write_text(self.labels, label_text(label_values(labels)) + "\n")
                    self._written = labels.revision
                if self._export is not None and labels.revision != self._exported:
                    self._export.write(labels)
                    self._exported = labels.revision
            except (AnnotationError, FileError) as error:
                self.fault = f"{error}; the marks are safe in {self._journal.path}"
            else:
                self.fault = ""

    def close(self) -> None:
        """Write the label file, and let others open it."""
        self._ends.set()
        self._wake.set()
        self._writer.join()
        self.flush()
        self._journal.close()
        with contextlib.suppress(OSError):
            (self.folder / ADDRESS_FILE).unlink(missing_ok=True)
        self._acquired_lock.release()


class InUseError(MarkError):
    """A class that cannot be removed, because marks have it."""


def _acquired_lock(labels: Path, folder: Path) -> FileLock:
    """Return the lock of a label file, which one server at a time holds."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        at = ""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            at = f" at {(folder / ADDRESS_FILE).read_text().strip()}"
        raise MarkError(
            f"{labels} is open already{at}; use that page, or end its acmnet first"
        ) from None
    return lock


def present_time() -> str:
    """Return the present time in UTC, to the second."""
    now = datetime.datetime.now(datetime.UTC)
    return now.isoformat(timespec="seconds").replace("+00:00", "Z")
