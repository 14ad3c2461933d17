"""The page of a run that may still be training: built once for each checkpoint.

If several browsers ask for the page at once, it is built for the first and sent to all
of them from memory. The curves of a video and its strip of frames are computed when
somebody opens that video, and kept in memory.
"""

import dataclasses
import functools
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from acmnet.show.report.html_page import page_of
from acmnet.show.report.page_contents import Contents

KEPT_VIDEOS: Final = 256
"""Curves are kept in memory of this many videos, the last ones opened."""
KEPT_POSTERS: Final = 512
"""How many strips of frames are kept in memory."""
DECODERS: Final = 2
"""How many strips of frames are decoded at the same time."""


@dataclasses.dataclass(frozen=True)
class Look:
    """What one checkpoint of a run shows."""

    contents: Contents
    insides: Callable[[int], Mapping[str, Any]]
    """Given a video's place on the page, returns its curves; see `insides_of`."""


@dataclasses.dataclass(frozen=True)
class _Built:
    """The page of one checkpoint, as it is sent."""

    checkpoint: float | None
    number: int
    html: bytes
    insides: Callable[[int], bytes]
    n_videos: int


class RunPages:
    """The pages of a run, and what they ask for once they are open.

    Parameters
    ----------
    look : callable
        Finds actions with the newest checkpoint and returns what its page shows.
    checkpoint : callable
        Returns the time of the newest checkpoint.
    poster : callable
        Given a video file's number, returns its strip of frames, or None.
    """

    def __init__(
        self,
        look: Callable[[], Look],
        checkpoint: Callable[[], float | None],
        poster: Callable[[int], bytes | None] = lambda _: None,
    ) -> None:
        self._look, self._checkpoint = look, checkpoint
        self._poster = functools.lru_cache(KEPT_POSTERS)(poster)
        self._built: _Built | None = None
        self._building = threading.Lock()
        self._computing = threading.Lock()
        self._decoding = threading.Semaphore(DECODERS)

    def page(self, token: str) -> bytes:
        """Return the newest checkpoint's page; callers wait while it is built."""
        with self._building:
            checkpoint = self._checkpoint()
            if self._built is None or self._built.checkpoint != checkpoint:
                number = 0 if self._built is None else self._built.number + 1
                self._built = self._build(checkpoint, number, token)
            return self._built.html

    def _build(self, checkpoint: float | None, number: int, token: str) -> _Built:
        """Build the page of a checkpoint."""
        look = self._look()

        @functools.lru_cache(KEPT_VIDEOS)
        def insides(place: int) -> bytes:
            return json.dumps(look.insides(place), separators=(",", ":")).encode()

        html = page_of(look.contents, token=token, build=number).encode()
        return _Built(checkpoint, number, html, insides, len(look.contents.videos))

    def insides(self, number: int, place: int) -> bytes | None:
        """Return the curves of a video on a page, as JSON.

        Returns None if the page is not of the newest checkpoint, or has no such video.
        """
        built = self._built
        if built is None or built.number != number or place >= built.n_videos:
            return None
        if built.checkpoint != self._checkpoint():
            return None
        with self._computing:
            return built.insides(place)

    def poster(self, place: int) -> bytes | None:
        """Return the strip of frames of a video file; None if it has none."""
        with self._decoding:
            return self._poster(place)
