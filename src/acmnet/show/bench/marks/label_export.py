"""Writes what is marked at the bench in the format of another program, too.

The bench keeps everything in its own label file. Another program gets what its format
can hold: a file that is written anew after each change, or a folder of files.
"""

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from acmnet.data.formats.exchange_format import Content, Format, Holding
from acmnet.data.formats.writing import (
    EmptyContentError,
    contents_of_files,
    write_files,
)
from acmnet.data.labels.annotations import AnnotationError
from acmnet.data.labels.json_files.label_json import KIND
from acmnet.files.file_access import make_folder, sha256_of, write_json
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.show.bench.marks.bench_labels import Labels, is_named, video_of
from acmnet.show.bench.marks.mark_journal import JOURNAL_FILE

LABELS_FILE: Final = "labels.json"
"""File in the folder of a bench with everything that is marked, if its label file has
the format of another program."""
WRITTEN_FILE: Final = "written.json"
"""File beside it with the digests of the files that were written for other programs."""
BEFORE_FOLDER: Final = "before"
"""Folder beside it with the files that were there when the bench was begun."""
MARKED: Final[Mapping[Holding, str]] = {
    "names": "names without times",
    "points": "points",
    "watched": "watched spans",
}
"""What is marked at the bench besides segments, and what messages call it."""


@dataclasses.dataclass(frozen=True)
class LabelExport:
    """The label file of another program that follows what is marked.

    Attributes
    ----------
    path : Path
        The file; or the folder, for formats that have a file for each video or class.
    folder : Path
        The folder of the bench.
    format : Format
        The format of the file.
    fps : float or None
        Frames per second of the videos; needed if the format counts frames.
    of_run : Path or None
        The bench's own label file, if it is that of a run. Without a run it lies in the
        folder.
    """

    path: Path
    folder: Path
    format: Format
    fps: float | None
    of_run: Path | None = None
    _last: dict[Path, Content] = dataclasses.field(
        default_factory=dict, init=False, compare=False
    )
    """What each file had when it was last written: only what changes is written."""

    @property
    def labels(self) -> Path:
        """The bench's own label file, which holds everything."""
        return self.of_run or self.folder / LABELS_FILE

    @property
    def tried(self) -> Path:
        """A file that can be tried for writing: the file, or one in the folder."""
        return self.path / "a video" if self.path.is_dir() else self.path

    @property
    def is_begun(self) -> bool:
        """Whether there is a bench in the folder."""
        return self.labels.exists() or (self.folder / JOURNAL_FILE).exists()

    def limits(self) -> str:
        """Return a sentence on what the format cannot hold."""
        lacks = [name for key, name in MARKED.items() if key not in self.format.holds]
        lost = ", ".join([*lacks, "who marked what, and when"])
        return (
            f"{self.format.title} cannot hold {lost}: {self.labels} holds all of it, "
            f"and {self.path} the rest"
        )

    def refuse_changed(self) -> None:
        """Refuse files that the bench would overwrite although it did not write them.

        Raises
        ------
        AnnotationError
            If there is such a file; the message says what to do.
        """
        known = self._written_before()
        other = "name another --out"
        if self.of_run is None:
            other = (
                f"begin another bench with it, as in --labels {self.path} --out "
                f"other{self.path.suffix}"
            )
        for name, file in self._present():
            if known.get(name) != sha256_of(file):
                raise AnnotationError(
                    f"{file} is not as the bench in {self.folder} wrote it, and would "
                    f"be overwritten: move it away, or {other}"
                )

    def keep_present(self) -> bool:
        """Copy the files that are there to the folder of the bench; False for none."""
        for name, file in self._present():
            copy = self.folder / BEFORE_FOLDER / name
            make_folder(copy.parent)
            shutil.copy2(file, copy)
        return any(self._present())

    def write(self, labels: Labels) -> None:
        """Write what the format can hold; remove files of videos without any mark left.

        If there are several files, only those that have changed are written.

        A video whose names nobody has given yet is left out, because other programs
        would read that nothing happens in it.

        Raises
        ------
        AnnotationError, FileError
            If it cannot be written.
        """
        known = labels.videos
        videos = [
            video_of(video, marks, known[video], labels.classes)
            for video, marks in labels.of_video().items()
            if is_named(marks, known[video].duration_s)
        ]
        content = Content(videos=videos, class_names=labels.classes, fps=self.fps)
        before = self._written_before()
        try:
            _, parts = contents_of_files(self.path, content, self.format)
        except EmptyContentError:
            parts = {}
        names = {file: self._name(file) for file in parts}
        same = [x for x in parts if self._last.get(x) == parts[x] and x.exists()]
        now = {names[x]: before[names[x]] for x in same if names[x] in before}
        changed = {x: part for x, part in parts.items() if names[x] not in now}
        write_files(changed, self.format)
        now |= {names[file]: sha256_of(file) for file in changed}
        for name, file in list(self._present()):
            if name not in now and name in before and before[name] == sha256_of(file):
                file.unlink()
        others = {k: v for k, v in before.items() if not self._is_own(k)}
        write_json(self.folder / WRITTEN_FILE, others | now)
        self._last.clear()
        self._last.update(parts)

    def _present(self) -> Iterator[tuple[str, Path]]:
        """Yield the files of the format that are there, with their names."""
        if self.path.is_dir():
            for file in sorted(self.path.iterdir()):
                if file.suffix.lower() in self.format.suffixes and file.is_file():
                    yield self._name(file), file
        elif self.path.exists():
            yield self._name(self.path), self.path

    def _name(self, file: Path) -> str:
        """Return the name of a file in the list of what was written."""
        return str(file.relative_to(self.path.parent))

    def _is_own(self, name: str) -> bool:
        """Return whether a name in that list is that of this label file."""
        return Path(name).parts[0] == self.path.name

    def _written_before(self) -> dict[str, str]:
        """Return the digests of the files that were written, by name."""
        file = self.folder / WRITTEN_FILE
        if not file.exists():
            return {}
        text = read_text(file, KIND, AnnotationError, "delete it")
        values = parse_json(str(file), text, KIND, AnnotationError)
        return dict(values) if isinstance(values, dict) else {}
