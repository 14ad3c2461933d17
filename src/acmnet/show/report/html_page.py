"""The HTML page of a run: one file that holds everything it shows."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from acmnet.files.file_access import write_text
from acmnet.show.report.page_contents import Contents
from acmnet.show.report.report_parts import ReportParts

POLICY: Final = (
    "default-src 'none'; script-src {script}; style-src {style}; "
    "img-src data:; media-src blob: file: 'self'; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)
"""Content security policy: the page loads only its own parts and linked videos."""
ALLOWED_FOR_PARTS: Final = " file: 'self'"
"""What a page with parts may load besides: scripts from where it lies itself."""

SCRIPTS: Final = (
    "elements",
    "state",
    "parts",
    "player",
    "timeline",
    "curves",
    "lists",
    "summary",
    "address",
    "start",
)
"""The files that the script of the page is joined from, in this order."""


def page_of(contents: Contents) -> str:
    """Return the HTML of a page that holds everything it shows.

    Parameters
    ----------
    contents : Contents
        All that is shown. Names in it may hold anything: they enter the page as JSON
        and become text nodes only.
    """
    return _rendered(_page_values(contents), list(_embedded(contents)))


def _rendered(
    values: Mapping[str, Any],
    embedded: Sequence[tuple[str, str, Markup]] = (),
    scripts: str = "",
) -> str:
    """Return the HTML of a page with these contents.

    ``embedded`` are type, id and text of further elements, and ``scripts`` is added to
    the sources of scripts that the page may load.
    """
    js, css = page_script(), _shipped("page.css")
    policy = POLICY.format(script=_hash(js) + scripts, style=_hash(css))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_shipped("page.html"))
    return template.render(
        title=values["title"],
        policy=Markup(policy),
        css=Markup(css),
        js=Markup(js),
        contents=_json(values),
        embedded=embedded,
    )


def page_script() -> str:
    """Return the script of the page: its files, joined into one function scope."""
    parts = [_shipped(f"script/{name}.js") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _embedded(contents: Contents) -> Iterator[tuple[str, str, Markup]]:
    """Yield type, id and text of the elements that are read when a video is opened."""
    for i, video in enumerate(contents.videos):
        if video.insides is not None:
            yield "application/json", f"insides-{i}", _json(video.insides)
        if video.poster is not None:
            yield "text/plain", f"poster-{i}", _base64(video.poster)
        if video.media is not None and video.media.url is None:
            yield "text/plain", f"media-{i}", _base64(video.media.path.read_bytes())


def write_page(contents: Contents, path: Path) -> None:
    """Write a page without a server, completely or not at all."""
    write_text(path, page_of(contents))


def write_paged(summary: Mapping[str, Any], parts: ReportParts, path: Path) -> None:
    """Write the page of a report whose parts are written, completely or not at all."""
    values = {**summary, **parts.contents()}
    write_text(path, _rendered(values, scripts=ALLOWED_FOR_PARTS))
    parts.remove_others()


def _page_values(contents: Contents) -> dict[str, Any]:
    """Return what the page needs before any video is opened."""
    names = contents.summary["class_names"]
    place = {name: i for i, name in enumerate(names)}
    return dict(contents.summary) | {
        "videos": [{**video.summary, **video.files()} for video in contents.videos],
        "detections": [
            [i, place[label], start_s, end_s, score]
            for i, video in enumerate(contents.videos)
            for label, start_s, end_s, score in video.detections
        ],
    }


def _base64(values: bytes) -> Markup:
    """Return bytes as text for an HTML element."""
    return Markup(base64.b64encode(values).decode())


def _json(values: object) -> Markup:
    r"""Return JSON without characters that could end the HTML element around it.

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
    """Return the hash by which the policy allows this script or style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _shipped(name: str) -> str:
    """Return the text of a file beside this module."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
