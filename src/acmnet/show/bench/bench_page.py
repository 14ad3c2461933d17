"""The files of the bench's page: its HTML, its style and its scripts."""

import html
from importlib import resources
from typing import Final

TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
"""Content type of the files that the page loads, by the end of their names."""
TOKEN_PLACE: Final = "{{ token }}"
"""What stands in `bench.html` for the token."""


def bench_page(token: str) -> str:
    """Return the HTML of the page, with the token that it must send with each post.

    The page loads its style and scripts from the server that sent it, see `bench_file`.
    """
    page = resources.files(__package__).joinpath("bench.html")
    text = page.read_text(encoding="utf-8")
    return text.replace(TOKEN_PLACE, html.escape(token))


def bench_file(path: str) -> tuple[bytes, str] | None:
    """Return content and content type of a file that the page loads.

    Parameters
    ----------
    path : str
        Path of the request: ``/bench.css`` or ``/script/NAME.js``.

    Returns
    -------
    tuple or None
        None if the page has no such file.

    Examples
    --------
    >>> bench_file("/bench.css")[1], bench_file("/script/../bench_page.py")
    ('text/css; charset=utf-8', None)
    """
    folder = resources.files(__package__)
    shipped = {f"/script/{x.name}": x for x in (folder / "script").iterdir()}
    shipped["/bench.css"] = folder / "bench.css"
    file = shipped.get(path)
    if file is None:
        return None
    return file.read_bytes(), TYPES[file.name.rpartition(".")[2]]
