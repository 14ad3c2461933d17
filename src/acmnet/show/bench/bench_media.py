"""What the bench knows of the video files: lengths, frame times, strips of pictures.

All of it is computed once and kept in a folder, under a name that changes whenever the
video file does. The folder can be deleted at any time.
"""

import contextlib
import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.files.file_access import write_json, written_whole
from acmnet.show.bench.frame_pictures import frame_picture, picture_strip
from acmnet.show.report.page_media import MEDIA_TYPES
from acmnet.video.containers import DecodeCount, VideoError, opened_video
from acmnet.video.frame_times import FrameTimes, frame_times

HEADERS_FILE: Final = "headers.json"
DIGITS: Final = 6
"""Decimal places of the times that the page gets: microseconds."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What the header of a video file claims, or its frames tell; None for nothing."""

    duration_s: float | None = None
    n_frames: int | None = None


class BenchMedia:
    """The video files of a bench, by number.

    Parameters
    ----------
    files : sequence of Path or None
        The video files; None for a video without one.
    folder : Path
        Where computed things are kept.
    on_opened : callable
        Called after each file whose header was read, with how many there were and how
        many there are.
    """

    def __init__(
        self,
        files: Sequence[Path | None],
        folder: Path,
        on_opened: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self.files = tuple(None if file is None else file.resolve() for file in files)
        self._folder = folder
        self._keys = [None if file is None else _key(file) for file in self.files]
        self._computing = [threading.Lock() for _ in files]
        self._strips: dict[int, bytes | None] = {}
        self._waiting: list[int] = []
        self._more = threading.Condition()
        self.headers = self._read_headers(on_opened)
        """Lengths and numbers of frames, by the frames once those are known."""
        self._keep_headers()
        threading.Thread(target=self._make_strips, daemon=True).start()

    def type_of(self, place: int) -> str | None:
        """Return the media type of a file; None if browsers do not play it."""
        file = self.files[place]
        return None if file is None else MEDIA_TYPES.get(file.suffix.lower())

    def times(self, place: int) -> FrameTimes:
        """Return when each frame is shown.

        Raises
        ------
        VideoError
            If the file cannot be read.
        """
        file = self.files[place]
        if file is None:
            raise VideoError("this video has no file here")
        with self._computing[place]:
            kept = self._kept_times(place)
            if kept is None:
                kept = frame_times(file)
                with (
                    contextlib.suppress(OSError),
                    written_whole(self._file(place, "npy")) as part,
                    part.open("wb") as opened,
                ):
                    np.save(opened, np.append(kept.times_s, kept.end_s))
            known = Header(round(kept.end_s, DIGITS), len(kept.times_s))
            if self.headers[place] != known:
                self.headers[place] = known
                self._keep_headers()
            return kept

    def times_json(self, place: int) -> bytes:
        """Return the times as the page gets them.

        Raises
        ------
        VideoError
            If the file cannot be read.
        """
        times = self.times(place)
        rounded = np.round(times.times_s, DIGITS).tolist()
        values = {"times_s": rounded, "end_s": round(times.end_s, DIGITS)}
        return json.dumps(values, separators=(",", ":")).encode()

    def picture(self, place: int, index: int) -> bytes | None:
        """Return a frame as a JPEG; None if there is no such frame.

        Raises
        ------
        VideoError
            If the file cannot be read.
        """
        times, file = self.times(place), self.files[place]
        if file is None or index >= len(times.times_s):
            return None
        return frame_picture(file, times, index)

    def strip(self, place: int) -> bytes | None:
        """Return a video's strip of pictures; None while it is being made.

        Raises
        ------
        VideoError
            If none can be made.
        """
        if self.files[place] is None:
            raise VideoError("this video has no file here")
        if place not in self._strips:
            kept = self._file(place, "jpg")
            if not kept.is_file():
                with self._more:
                    if place in self._waiting:
                        self._waiting.remove(place)
                    self._waiting.append(place)  # the last one asked for comes first
                    self._more.notify()
                return None
            self._strips[place] = kept.read_bytes()
        strip = self._strips[place]
        if strip is None:
            raise VideoError(f"no picture could be decoded from {self.files[place]}")
        return strip

    def _make_strips(self) -> None:
        """Make the strips that are requested, one after another, without end."""
        while True:
            with self._more:
                self._more.wait_for(lambda: self._waiting)
                place = self._waiting[-1]
            strip = self._made_strip(place)
            with contextlib.suppress(OSError):
                if strip is not None:
                    with written_whole(self._file(place, "jpg")) as part:
                        part.write_bytes(strip)
            self._strips[place] = strip
            with self._more:
                self._waiting.remove(place)

    def _made_strip(self, place: int) -> bytes | None:
        file = self.files[place]
        try:
            duration_s = self.headers[place].duration_s or self.times(place).end_s
        except VideoError:
            return None
        return None if file is None else picture_strip(file, duration_s)

    def _kept_times(self, place: int) -> FrameTimes | None:
        """Return the times that are kept; None if there are none."""
        if self._keys[place] is None:
            return None
        try:
            values = np.load(self._file(place, "npy"), allow_pickle=False)
            return FrameTimes(values[:-1], float(values[-1]))
        except (OSError, ValueError, IndexError):
            return None

    def _file(self, place: int, suffix: str) -> Path:
        return self._folder / f"{self._keys[place]}.{suffix}"

    def _read_headers(self, on_opened: Callable[[int, int], None]) -> list[Header]:
        """Return what the headers claim; those of known files are kept."""
        kept = self._kept_headers()
        headers = []
        for i, (key, file) in enumerate(zip(self._keys, self.files, strict=True)):
            known = kept.get(key or "")
            if known is None:
                known = Header() if file is None else _header(file)
            headers.append(known)
            on_opened(i + 1, len(self.files))
        return headers

    def _keep_headers(self) -> None:
        """Keep what is known of all files for the next start."""
        known = zip(self._keys, self.headers, strict=True)
        values = {key: dataclasses.asdict(header) for key, header in known if key}
        with contextlib.suppress(OSError):
            write_json(self._folder / HEADERS_FILE, values)

    def _kept_headers(self) -> dict[str, Header]:
        try:
            values: Any = json.loads((self._folder / HEADERS_FILE).read_bytes())
            return {str(key): Header(**fields) for key, fields in values.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}


def _key(file: Path) -> str:
    """Return a name that changes whenever a file does."""
    try:
        status = file.stat()
    except OSError:
        return hashlib.sha256(str(file).encode()).hexdigest()[:24]
    text = f"{file}\0{status.st_size}\0{status.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _header(file: Path) -> Header:
    """Return what a file's header claims; a file that cannot be read claims nothing."""
    try:
        with opened_video(file, DecodeCount()) as video:
            n_frames = video.stream.frames or None
            return Header(float(video.claimed_s) or None, n_frames)
    except VideoError:
        return Header()
