"""The server of a run's page: the page, its videos by number, and its reviews.

It listens on 127.0.0.1. Pages of other sites cannot use it: the Host header must name
this machine (against DNS rebinding), a post must come from our page and carry the token
that only our page was given, and no answer may be framed or read by another site.

Each connection has a thread of its own, up to `MOST_CONNECTIONS` at once. A request has
`PATIENCE_S` from its first byte to its last, headers and body together, and its headers
may have `MOST_HEAD` bytes: a client that sends a byte now and then occupies a thread
for ten seconds and no longer.
"""

import contextlib
import dataclasses
import hmac
import io
import json
import mimetypes
import os
import secrets
import socket
import stat
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from acmnet.files import one_line
from acmnet.show.view.byte_ranges import OutsideError, span_of
from acmnet.show.view.reviews import ReviewError, ReviewStore, StaleError
from acmnet.show.view.timed_requests import TimedReader, TooMuchError

T = TypeVar("T")

HOST: Final = "127.0.0.1"
MOST_BYTES: Final = 4 << 20
"""Most bytes of a posted body."""
MOST_HEAD: Final = 1 << 15
"""Most bytes of a request before its body: the request line and all headers."""
PATIENCE_S: Final = 10.0
"""How long a client may take to send one complete request."""
MOST_CONNECTIONS: Final = 512
"""Connections served at the same time; further ones are refused with status 503."""
BACKLOG: Final = 512
"""Connections that wait in the operating system until this process takes them."""
BLOCK: Final = 1 << 18
"""How many bytes of a file are read and sent at a time."""

SAFE: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer."""
BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n"
    b"Retry-After: 1\r\n\r\n"
)


@dataclasses.dataclass(frozen=True)
class Site:
    """What the server serves."""

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
    token: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(32))
    """What a page must send with reviews: another one at each start of the server."""

    def __post_init__(self) -> None:
        """Resolve links now: a file that a link points to later is not served."""
        resolved = tuple(path.resolve() for path in self.media)
        object.__setattr__(self, "media", resolved)


class SiteServer(ThreadingHTTPServer):
    """A server of one site, for browsers on this machine."""

    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        self._free = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, or refuse it if too many are open."""
        if not self._free.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.sendall(BUSY)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, then make room for another one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing when a connection breaks: the page tells its user."""

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    @property
    def names(self) -> tuple[str, ...]:
        """Host headers that mean this server; browsers leave out port 80."""
        hosts, port = (HOST, "localhost"), self.server_port
        return tuple(f"{x}:{port}" for x in hosts) + (hosts if port == 80 else ())


class _Refusal(Exception):  # noqa: N818 - not an error of ours
    """A request that is answered with an error status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: SiteServer
    protocol_version = "HTTP/1.1"
    server_version = "acmnet"
    sys_version = ""
    # for a refusal before any request was understood
    command = ""
    requestline = ""
    request_version = protocol_version

    def setup(self) -> None:
        """Read requests through a reader that limits their time."""
        super().setup()
        self.rfile.close()
        connection: socket.socket = self.request
        self._reader = TimedReader(connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Set the limits of the next request, then read and answer it."""
        self._reader.begin(PATIENCE_S, MOST_HEAD)
        try:
            super().handle_one_request()
        except TooMuchError:
            with contextlib.suppress(OSError):
                self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except OSError:  # gone, or too slow
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing: the page tells its user what goes wrong."""

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer a malformed request in JSON, like all other refusals."""
        status = HTTPStatus(code)
        self._send_json({"error": message or explain or status.phrase}, status)

    def do_GET(self) -> None:
        """Answer with the page, part of a video, the state or the reviews."""
        self._answer(self._got)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def do_POST(self) -> None:
        """Save reviews."""
        self._answer(self._posted)

    def _answer(self, act: Callable[[], None]) -> None:
        """Answer by ``act``, and every error of it by a status and a sentence."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            try:
                self._refuse_strangers()
                act()
            except _Refusal as refusal:
                self._send_json({"error": refusal.sentence}, refusal.status)
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                raise
            except (ValueError, OSError) as error:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                self._send_json({"error": one_line(error)}, status)
            return
        self.close_connection = True

    def _refuse_strangers(self) -> None:
        """Refuse requests to another host and requests by pages of other sites."""
        if self.headers.get("Host", "") not in self.server.names:
            raise _Refusal(HTTPStatus.FORBIDDEN, "this server has another host name")
        ours = {f"http://{name}" for name in self.server.names}
        origin = self.headers.get("Origin")
        if origin is not None and origin not in ours:
            raise _Refusal(HTTPStatus.FORBIDDEN, "another site may not ask")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise _Refusal(HTTPStatus.FORBIDDEN, "another site may not ask")

    def _got(self) -> None:
        """Answer a GET or HEAD request."""
        site = self.server.site
        if self.path == "/":
            self._send(site.page(site.token), "text/html; charset=utf-8")
        elif self.path == "/api/state":
            self._send_json(site.state())
        elif self.path == "/api/reviews":
            self._send_json(site.reviews.to_json())
        elif (places := self._places("/api/video/", 2)) is not None:
            build, video = places
            self._send(self._found(site.insides(build, video)), "application/json")
        elif (places := self._places("/poster/", 1)) is not None:
            known = places[0] < len(site.media)
            strip = site.poster(places[0]) if known else None
            self._send(self._found(strip), "image/jpeg")
        elif (places := self._places("/media/", 1)) is not None:
            known = places[0] < len(site.media)
            self._send_file(self._found(site.media[places[0]] if known else None))
        else:
            raise _Refusal(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _places(self, start: str, n: int) -> list[int] | None:
        """Return the n numbers of a path such as ``/media/3``; None for other paths."""
        parts = self.path.removeprefix(start).split("/")
        if not self.path.startswith(start) or len(parts) != n:
            return None
        is_number = (x.isascii() and x.isdecimal() and len(x) < 9 for x in parts)
        return [int(x) for x in parts] if all(is_number) else None

    @staticmethod
    def _found(value: T | None) -> T:
        """Return a value; refuse with status 404 for None."""
        if value is None:
            raise _Refusal(HTTPStatus.NOT_FOUND, "there is nothing here")
        return value

    def _posted(self) -> None:
        """Save the posted reviews, and answer with their revision."""
        if self.path != "/api/reviews":
            raise _Refusal(HTTPStatus.NOT_FOUND, "nothing can be posted here")
        site = self.server.site
        given = self.headers.get("X-Acmnet-Token", "")
        if not hmac.compare_digest(given.encode(), site.token.encode()):
            raise _Refusal(
                HTTPStatus.FORBIDDEN, "the server was started anew; reload the page"
            )
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise _Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        try:
            values = json.loads(self._body())
            revision = site.reviews.save(values)
        except StaleError as error:
            raise _Refusal(HTTPStatus.CONFLICT, str(error)) from None
        except (ReviewError, RecursionError) as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, one_line(error)) from None
        except ValueError as error:  # no JSON, no text, a number of 5,000 digits
            raise _Refusal(HTTPStatus.BAD_REQUEST, f"no JSON: {error}") from None
        self._send_json({"revision": revision})

    def _body(self) -> bytes:
        """Return the body of a post, if it announces an acceptable length."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdecimal():
            raise _Refusal(HTTPStatus.LENGTH_REQUIRED, "say how long the body is")
        if len(length) > 9 or int(length) > MOST_BYTES:
            raise _Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"reviews of more than {MOST_BYTES} bytes cannot be saved",
            )
        return self._received(int(length))

    def _received(self, length: int) -> bytes:
        """Read the body within the rest of the request's time."""
        self._reader.allow(length)
        body = self.rfile.read(length)
        if len(body) < length:
            raise _Refusal(HTTPStatus.BAD_REQUEST, "the body ends before its time")
        return body

    def _send_json(
        self, values: dict[str, Any], status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        if status != HTTPStatus.OK:
            # the unread rest of a refused body must not be read as a request
            self.close_connection = True
        self._send(json.dumps(values).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._head(status, kind, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(
        self,
        status: HTTPStatus,
        kind: str,
        length: int,
        more: dict[str, str] | None = None,
    ) -> None:
        self.connection.settimeout(PATIENCE_S)
        self.send_response(status)
        headers = SAFE | {"Content-Type": kind, "Content-Length": str(length)}
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_file(self, path: Path) -> None:
        """Send a file, or the range of bytes that is asked for."""
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            try:
                span = span_of(self.headers.get("Range"), size)
            except OutsideError:
                more = {"Content-Range": f"bytes */{size}"}
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                self._head(status, kind, 0, more)
                return
            first, end = span or (0, size)
            more = {"Accept-Ranges": "bytes"}
            if span:
                more["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
            status = HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK
            self._head(status, kind, end - first, more)
            if self.command == "HEAD":
                return
            file.seek(first)
            left = end - first
            while left and (block := file.read(min(left, BLOCK))):
                self.wfile.write(block)
                left -= len(block)
            if left:  # the file shrank: the next answer must not be taken for its rest
                self.close_connection = True


def _opened(path: Path) -> BinaryIO:
    """Open a regular file; refuse a name that was replaced by a link meanwhile."""
    gone = _Refusal(HTTPStatus.NOT_FOUND, "the video is not there any more")
    if path.resolve() != path:
        raise gone
    try:
        flags = (
            "O_NOFOLLOW",
            "O_NONBLOCK",
            "O_BINARY",
        )  # some systems lack some
        file = os.open(path, sum(getattr(os, name, 0) for name in flags))
    except OSError:
        raise gone from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise gone
    return os.fdopen(file, "rb")
