"""Serve a bench until it is ended, and leave everything in order then."""

import contextlib
import hashlib
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from acmnet.cli.terminal.app import UsageError, console, note
from acmnet.files.file_access import write_text
from acmnet.messages import one_line
from acmnet.show.bench.bench_site import BenchSite
from acmnet.show.bench.marks.mark_store import ADDRESS_FILE
from acmnet.show.bench.server.page_server import Site, SiteServer

FIRST_PORT: Final = 20_000
"""The lowest of the ports that benches are given."""
PORTS: Final = 10_000
"""How many ports benches are given, all below those that systems hand out."""


def serve(site: BenchSite, port: int, browser: bool) -> None:
    """Serve a bench until Ctrl-C or SIGTERM.

    Then a round of learning is stopped so that it can go on, and the label file is
    written.

    Parameters
    ----------
    site : BenchSite
        The bench.
    port : int
        Port on 127.0.0.1; 0 for the one that belongs to the label file.
    browser : bool
        Whether to open the page in the default browser.
    """
    with closing(site), site_server(site, port, site.store.labels) as server:
        write_text(site.store.folder / ADDRESS_FILE, server.address + "\n")
        console.print(f"{server.address}  (Ctrl-C ends it)", markup=False)
        if browser:
            webbrowser.open(server.address)
        site.suggesting.begin()
        server.serve_forever()


@contextlib.contextmanager
def closing(site: BenchSite) -> Iterator[None]:
    """At the end of the block, stop what is at work and write the label file.

    A note tells why if it could not be written.
    """
    try:
        yield
    finally:
        site.suggesting.end()
        site.learning.stop()
        site.store.close()
        if site.store.fault:
            note(site.store.fault)


def site_server(site: Site, port: int, labels: Path) -> SiteServer:
    """Return a server on the given port, or on the labels' own, or on a free one.

    A browser keeps unsaved marks by address, so a label file has the same address each
    time.

    Raises
    ------
    UsageError
        If the given port cannot be used.
    """
    if port:
        try:
            return SiteServer(site, port)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {port} of this machine cannot be used ({one_line(error)}); give "
                "another with --port, or leave it out"
            ) from None
    digest = hashlib.sha256(str(labels.resolve()).encode()).digest()
    try:
        return SiteServer(site, FIRST_PORT + int.from_bytes(digest[:4]) % PORTS)
    except OSError:  # in use, perhaps by the bench of other labels
        return SiteServer(site)
