"""The page: one HTML file that holds all it shows and needs no network."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from acmnet.files import written_whole
from acmnet.report.contents import Contents

POLICY: Final = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data:; "
    "media-src blob: file: 'self'; connect-src {connect}; base-uri 'none'; "
    "form-action 'none'"
)
"""What the page may load: nothing but itself, its embedded data and linked videos."""


def page_of(contents: Contents, *, token: str | None = None) -> str:
    """Return the HTML of a report.

    Parameters
    ----------
    contents : Contents
        All that is shown. Names in it may hold anything: they enter the page as JSON
        and become text nodes only.
    token : str, optional
        Of the server that keeps reviews; without, the page stands alone.
    """
    js, css = (_shipped(name) for name in ("page.js", "page.css"))
    policy = POLICY.format(
        script=_hash(js), style=_hash(css), connect="'self'" if token else "'none'"
    )
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_shipped("page.html"))
    embedded = [
        (i, base64.b64encode(video.media.path.read_bytes()).decode())
        for i, video in enumerate(contents.videos)
        if video.media is not None and video.media.url is None
    ]
    return template.render(
        title=contents.summary["title"],
        policy=Markup(policy),
        css=Markup(css),
        js=Markup(js),
        contents=_json(_whole(contents, token)),
        videos=[_json(video.details) for video in contents.videos],
        embedded=embedded,
    )


def write_page(contents: Contents, path: Path) -> None:
    """Write a report, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_text(page_of(contents), encoding="utf-8")


def _whole(contents: Contents, token: str | None) -> dict[str, Any]:
    """Return what the page needs before any video is looked at."""
    names = contents.summary["class_names"]
    place = {name: i for i, name in enumerate(names)}
    return dict(contents.summary) | {
        "videos": [_listed(video.summary, video.media) for video in contents.videos],
        "detections": [
            [i, place[label], start_s, end_s, score]
            for i, video in enumerate(contents.videos)
            for label, start_s, end_s, score in video.details["detections"]
        ],
        "review": {"token": token} if token else None,
    }


def _listed(summary: Mapping[str, Any], media: Any) -> dict[str, Any]:
    shown = None if media is None else {"type": media.type, "url": media.url}
    return dict(summary) | {"media": shown}


def _json(values: object) -> Markup:
    r"""Return JSON that cannot end the element it stands in, whatever it holds.

    Examples
    --------
    >>> str(_json(["</script>", "&"]))
    '["\\u003c/script\\u003e","\\u0026"]'
    """
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _shipped(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
