"""The page of a run that may still be training: built once for each checkpoint.

However many ask for it at once, the page is built by one of them and given to all from
memory. What the networks say of a video, and its strip of frames, are computed when
somebody looks at that video, and kept.
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
"""Videos whose curves are kept in memory, those that were looked at last."""
KEPT_POSTERS: Final = 512
"""Strips of frames that are kept in memory."""
DECODERS: Final = 2
"""Strips of frames that are decoded at once."""


@dataclasses.dataclass(frozen=True)
class Look:
    """A run as one of its checkpoints sees it."""

    contents: Contents
    insides: Callable[[int], Mapping[str, Any]]
    """Given a video's place on the page, returns what the networks say of it."""


@dataclasses.dataclass(frozen=True)
class _Built:
    """The page of one checkpoint."""

    checkpoint: float | None
    number: int
    html: bytes
    insides: Callable[[int], bytes]
    n_videos: int


class RunPages:
    """Pages of a run, and what is asked for once they are open.

    Parameters
    ----------
    look : callable
        Localises with the newest checkpoint and returns what a page shows.
    checkpoint : callable
        Returns what changes with each new checkpoint.
    poster : callable
        Given a file's place, returns its strip of frames; None where it has none.
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
        """Return the newest checkpoint's page; all who ask meanwhile wait for one."""
        with self._building:
            checkpoint = self._checkpoint()
            if self._built is None or self._built.checkpoint != checkpoint:
                number = 0 if self._built is None else self._built.number + 1
                self._built = self._build(checkpoint, number, token)
            return self._built.html

    def _build(self, checkpoint: float | None, number: int, token: str) -> _Built:
        look = self._look()

        @functools.lru_cache(KEPT_VIDEOS)
        def insides(place: int) -> bytes:
            return json.dumps(look.insides(place), separators=(",", ":")).encode()

        html = page_of(look.contents, token=token, build=number).encode()
        return _Built(checkpoint, number, html, insides, len(look.contents.videos))

    def insides(self, number: int, place: int) -> bytes | None:
        """Return what the networks say of a video on a page, as JSON.

        None where the page is not the newest checkpoint's, or has no such video.
        """
        built = self._built
        if built is None or built.number != number or place >= built.n_videos:
            return None
        if built.checkpoint != self._checkpoint():
            return None
        with self._computing:
            return built.insides(place)

    def poster(self, place: int) -> bytes | None:
        """Return the strip of frames of a file."""
        with self._decoding:
            return self._poster(place)
