"""A server of one site on this machine: its pages, its files, and what it stores.

It listens on 127.0.0.1. Pages of other sites cannot use it: the Host header must name
this machine (against DNS rebinding), a post must come from our page and carry the token
that only our page was given, and no answer may be framed or read by another site.

Each connection has a thread of its own, up to `MOST_CONNECTIONS` at once. A request has
`PATIENCE_S` from its first byte to its last, headers and body together, and its headers
may have `MOST_HEAD` bytes: a client that sends a byte now and then occupies a thread
for ten seconds and no longer.
"""

import contextlib
import hmac
import io
import json
import mimetypes
import os
import secrets
import socket
import stat
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from acmnet.messages import one_line
from acmnet.show.bench.server.http_requests import (
    OutsideError,
    TimedReader,
    TooMuchError,
    span_of,
)

HOST: Final = "127.0.0.1"
MOST_BODY: Final = 4 << 20
"""Most bytes of a posted body."""
MOST_HEAD: Final = 1 << 15
"""Most bytes of a request before its body: the request line and all headers."""
PATIENCE_S: Final = 10.0
"""How long a client may take to send one complete request."""
MOST_CONNECTIONS: Final = 512
"""Connections served at the same time; further ones are refused with status 503."""
BACKLOG: Final = 512
"""Connections that wait in the operating system until this process takes them."""
BYTES_AT_ONCE: Final = 1 << 18
"""How many bytes of a file are read and sent at a time."""

SAFETY_HEADERS: Final = {
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


class Answer(NamedTuple):
    """What a request is answered with."""

    body: bytes
    kind: str = "application/json"
    """The media type of the body."""
    status: HTTPStatus = HTTPStatus.OK


class Refusal(Exception):  # noqa: N818 - not an error of ours
    """A request that is answered with an error status and a sentence.

    Parameters
    ----------
    status : HTTPStatus
        The status of the answer.
    sentence : str
        What the page shows to its user.
    more : mapping, optional
        Further values of the answer.
    """

    def __init__(
        self, status: HTTPStatus, sentence: str, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.more = status, sentence, more or {}


class Site(Protocol):
    """What the server serves."""

    @property
    def token(self) -> str:
        """What a page must send with each post: a new one at each start."""

    def get(self, path: str) -> Answer | Path:
        """Return the answer to a request, or the file to send.

        Raises
        ------
        Refusal
            If there is nothing at that path.
        """

    def post(self, path: str, values: Any) -> Answer:
        """Store JSON values, and return the answer.

        Raises
        ------
        Refusal
            If they cannot be stored.
        """


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def not_found() -> Refusal:
    """Return the refusal of a path that a site does not have."""
    return Refusal(HTTPStatus.NOT_FOUND, "there is nothing here")


def json_answer(values: Any, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """Return values as an answer in JSON."""
    body = json.dumps(values, separators=(",", ":")).encode()
    return Answer(body, status=status)


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
        """Answer with what the site has at the path."""
        self._answer(self._got)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def do_POST(self) -> None:
        """Let the site store what was posted."""
        self._answer(self._posted)

    def _answer(self, act: Callable[[], None]) -> None:
        """Answer by ``act``, and every error of it by a status and a sentence."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            try:
                self._refuse_strangers()
                act()
            except Refusal as refusal:
                values = {"error": refusal.sentence, **refusal.more}
                self._send_json(values, refusal.status)
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
            raise Refusal(HTTPStatus.FORBIDDEN, "this server has another host name")
        ours = {f"http://{name}" for name in self.server.names}
        origin = self.headers.get("Origin")
        if origin is not None and origin not in ours:
            raise Refusal(HTTPStatus.FORBIDDEN, "another site may not ask")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refusal(HTTPStatus.FORBIDDEN, "another site may not ask")

    def _got(self) -> None:
        """Answer a GET or HEAD request."""
        answer = self.server.site.get(self.path)
        if isinstance(answer, Path):
            self._send_file(answer)
        else:
            self._send(answer)

    def _posted(self) -> None:
        """Let the site store what was posted by a page of its own."""
        site = self.server.site
        given = self.headers.get("X-Acmnet-Token", "")
        if not hmac.compare_digest(given.encode(), site.token.encode()):
            raise Refusal(
                HTTPStatus.FORBIDDEN, "the server was started anew; reload the page"
            )
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        body = self._body()
        try:
            values = json.loads(body)
        except (ValueError, RecursionError) as error:
            # no JSON, no text, a number of 5,000 digits
            raise Refusal(
                HTTPStatus.BAD_REQUEST, f"no JSON: {one_line(error)}"
            ) from None
        self._send(site.post(self.path, values))

    def _body(self) -> bytes:
        """Return the body of a post, if it announces an acceptable length."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdecimal():
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "say how long the body is")
        if len(length) > 9 or int(length) > MOST_BODY:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"more than {MOST_BODY} bytes cannot be stored at once",
            )
        return self._received(int(length))

    def _received(self, length: int) -> bytes:
        """Read the body within the rest of the request's time."""
        self._reader.allow(length)
        body = self.rfile.read(length)
        if len(body) < length:
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body ends before its time")
        return body

    def _send_json(self, values: Mapping[str, Any], status: HTTPStatus) -> None:
        """Send values that tell of an error."""
        # the unread rest of a refused body must not be read as a request
        self.close_connection = True
        self._send(json_answer(values, status))

    def _send(self, answer: Answer) -> None:
        self._head(answer.status, answer.kind, len(answer.body))
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _head(
        self,
        status: HTTPStatus,
        kind: str,
        length: int,
        more: dict[str, str] | None = None,
    ) -> None:
        self.connection.settimeout(PATIENCE_S)
        self.send_response(status)
        headers = SAFETY_HEADERS | {"Content-Type": kind, "Content-Length": str(length)}
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_file(self, path: Path) -> None:
        """Send a file, or the range of bytes that is requested."""
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
            while left and (block := file.read(min(left, BYTES_AT_ONCE))):
                self.wfile.write(block)
                left -= len(block)
            if left:  # the file shrank: the next answer must not be taken for its rest
                self.close_connection = True


def _opened(path: Path) -> BinaryIO:
    """Open a regular file; refuse a name that was replaced by a link meanwhile."""
    gone = Refusal(HTTPStatus.NOT_FOUND, "the video is not there any more")
    if path.resolve() != path:
        raise gone
    try:
        flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")  # some systems lack some
        file = os.open(path, sum(getattr(os, name, 0) for name in flags))
    except OSError:
        raise gone from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise gone
    return os.fdopen(file, "rb")
