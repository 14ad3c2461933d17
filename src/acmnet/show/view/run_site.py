"""The page of a run on its server: the page, its videos by number, and its reviews."""

import dataclasses
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from acmnet.files import one_line
from acmnet.show.bench.page_server import (
    Answer,
    Refusal,
    json_answer,
    new_token,
    nothing_here,
)
from acmnet.show.view.reviews import ReviewError, ReviewStore, StaleError

PLACES: Final = re.compile(
    r"/(api/video|poster|media)/(\d{1,8})(?:/(\d{1,8}))?", re.ASCII
)
"""Pattern of the paths that have one or two numbers."""


@dataclasses.dataclass(frozen=True)
class RunSite:
    """What the server of a run serves."""

    page: Callable[[str], bytes]
    """Given the token, returns the HTML in UTF-8; called for every request."""
    insides: Callable[[int, int], bytes | None]
    """Given a page's number and a video's place on it, returns the curves of the video
    as JSON; None if that page is not the newest any more."""
    poster: Callable[[int], bytes | None]
    """Given a video file's number, returns a JPEG; None if no frame can be decoded."""
    media: tuple[Path, ...]
    """The video files, in the order of their numbers: no other files can be read."""
    state: Callable[[], dict[str, Any]]
    """Returns how far a training of the run is."""
    reviews: ReviewStore
    """Where reviews are saved."""
    token: str = dataclasses.field(default_factory=new_token)
    """What a page must send with reviews: another one at each start of the server."""

    def __post_init__(self) -> None:
        """Resolve links now: a file that a link points to later is not served."""
        resolved = tuple(path.resolve() for path in self.media)
        object.__setattr__(self, "media", resolved)

    def get(self, path: str) -> Answer | Path:
        """Return the page, part of a video, the state or the reviews."""
        if path == "/":
            return Answer(self.page(self.token), "text/html; charset=utf-8")
        if path == "/api/state":
            return json_answer(self.state())
        if path == "/api/reviews":
            return json_answer(self.reviews.to_json())
        found = PLACES.fullmatch(path)
        if found is None or (found[1] == "api/video") != (found[3] is not None):
            raise nothing_here()
        place = int(found[2])
        if found[1] == "api/video":
            curves = self.insides(place, int(found[3]))
            return Answer(_there(curves))
        if place >= len(self.media):
            raise nothing_here()
        if found[1] == "media":
            return self.media[place]
        return Answer(_there(self.poster(place)), "image/jpeg")

    def post(self, path: str, values: Any) -> Answer:
        """Save the posted reviews, and answer with their revision."""
        if path != "/api/reviews":
            raise nothing_here()
        try:
            return json_answer({"revision": self.reviews.save(values)})
        except StaleError as error:
            raise Refusal(HTTPStatus.CONFLICT, str(error)) from None
        except ReviewError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, one_line(error)) from None


def _there(value: bytes | None) -> bytes:
    """Return a value; refuse None."""
    if value is None:
        raise nothing_here()
    return value
