"""The server of pages: what it gives, what it keeps, and whom it refuses."""

import contextlib
import json
import os
import socket
import threading
import time
from http import HTTPStatus

import pytest

from acmnet.cli.terminal.app import UsageError
from acmnet.cli.verb_parts.bench_server import site_server
from acmnet.show.bench.rounds.training_progress import state_of
from acmnet.show.bench.server import page_server
from acmnet.show.bench.server.http_requests import OutsideError, Span, span_of
from acmnet.show.bench.server.page_server import (
    MOST_BODY,
    SAFETY_HEADERS,
    Answer,
    Refusal,
    SiteServer,
    json_answer,
    new_token,
    not_found,
)
from support.serving import ask


class TinySite:
    """A page, one video, and values that are kept."""

    def __init__(self, media):
        self.media = (media.resolve(),)
        self.token = new_token()
        self.kept = []

    def get(self, path):
        """Return what is at a path."""
        if path == "/":
            page = f"<!doctype html><p>page {self.token}"
            return Answer(page.encode(), "text/html; charset=utf-8")
        if path == "/api/state":
            return json_answer({"sentence": "training"})
        if path == "/media/0":
            return self.media[0]
        raise not_found()

    def post(self, path, values):
        """Keep values."""
        if path != "/api/values":
            raise not_found()
        if values == "stale":
            raise Refusal(HTTPStatus.CONFLICT, "it is stale", {"conflicts": [1]})
        self.kept.append(values)
        return json_answer({"n": len(self.kept)})


# ---- ranges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param("bytes=0-99", Span(0, 100), id="first hundred"),
        pytest.param("bytes=990-", Span(990, 1000), id="open end"),
        pytest.param("bytes=-10", Span(990, 1000), id="last ten"),
        pytest.param("bytes=-5000", Span(0, 1000), id="more than all"),
        pytest.param("bytes=999-5000", Span(999, 1000), id="past the end"),
        pytest.param("bytes=" + "0" * 30 + "-1", Span(0, 2), id="many zeros"),
        pytest.param("bytes=" + "9" * 5000 + "-", OutsideError, id="many digits"),
        pytest.param("bytes=1000-", OutsideError, id="behind the end"),
        pytest.param("bytes=-0", OutsideError, id="last none"),
        pytest.param("bytes=5-4", None, id="backwards"),
        pytest.param("bytes=-", None, id="empty"),
        pytest.param("bytes=0-1,5-6", None, id="two ranges"),
        pytest.param("lines=0-1", None, id="another unit"),
        pytest.param("bytes=a-b", None, id="letters"),
        pytest.param("bytes=\u0661-", None, id="other digits"),
    ],
)
def test_ranges(header, expected):
    if expected is OutsideError:
        with pytest.raises(OutsideError):
            span_of(header, 1000)
    else:
        assert span_of(header, 1000) == expected


# ---- the server


@pytest.fixture
def served(tmp_path):
    """Serve a site with one media file and one secret beside it."""
    folder = tmp_path / "run"
    folder.mkdir()
    media = folder / "odd #name?.mp4"
    media.write_bytes(bytes(range(256)) * 40)
    (tmp_path / "secret.txt").write_text("secret")
    site = TinySite(media)
    server = SiteServer(site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def post(server, values, **headers):
    given = {
        "Content_Type": "application/json",
        "X_Acmnet_Token": server.site.token,
        "Origin": f"http://127.0.0.1:{server.server_port}",
    }
    given |= headers
    sent = {name: value for name, value in given.items() if value is not None}
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    return ask(server, "/api/values", "POST", body, **sent)


def test_it_gives_its_page_and_its_state(served):
    status, headers, body = ask(served, "/")
    assert status == 200
    assert body.decode().endswith(served.site.token)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy"):
        assert name in headers
    assert json.loads(ask(served, "/api/state")[2])["sentence"] == "training"
    assert served.server_address[0] == "127.0.0.1"


def test_it_gives_a_video_whole_and_in_parts(served):
    whole = served.site.media[0].read_bytes()
    status, headers, body = ask(served, "/media/0")
    assert (status, body) == (200, whole)
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Type"] == "video/mp4"
    status, headers, body = ask(served, "/media/0", Range="bytes=100-299")
    assert (status, body) == (206, whole[100:300])
    assert headers["Content-Range"] == f"bytes 100-299/{len(whole)}"
    status, headers, body = ask(served, "/media/0", Range=f"bytes={len(whole)}-")
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(whole)}"
    status, headers, body = ask(served, "/media/0", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(whole)), b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/media/../../secret.txt",
        "/media/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/media//etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/media/odd%20%23name%3F.mp4",
        "/media/1",
        "/media/-1",
        "/media/0/",
        "/media/0?x=1",
        "/media/" + "9" * 400,
        "/labels.json",
        "/config.json",
        "/media/",
        "/.",
    ],
)
def test_nothing_else_can_be_read(served, path):
    status, _, body = ask(served, path)
    assert status == 404
    assert b"secret" not in body
    assert b"root:" not in body


def test_a_name_that_became_a_link_is_not_followed(served, tmp_path):
    media = served.site.media[0]
    media.unlink()
    media.symlink_to(tmp_path / "secret.txt")
    status, _, body = ask(served, "/media/0")
    assert status == 404
    assert b"secret" not in body.replace(b"the video is not there any more", b"")
    media.unlink()
    os.mkfifo(media)
    assert ask(served, "/media/0")[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "[::1]:80", ""]
)
def test_foreign_hosts_are_refused(served, host):
    """DNS rebinding: another site's name may come to point here."""
    assert ask(served, "/", Host=host)[0] == 403
    assert ask(served, "/", Host=f"localhost:{served.server_port}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": "http://evil.example"}, 403, id="another origin"),
        pytest.param({"Origin": "null"}, 403, id="an opaque origin"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, 403, id="cross-site"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, 403, id="another port"),
        pytest.param({"X_Acmnet_Token": None}, 403, id="no token"),
        pytest.param({"X_Acmnet_Token": "guess"}, 403, id="wrong token"),
        pytest.param({"Content_Type": "text/plain"}, 415, id="a form's type"),
        pytest.param({"Content_Type": None}, 415, id="no type"),
        pytest.param({"Content_Length": "x"}, 411, id="no length"),
        pytest.param({"Content_Length": str(MOST_BODY + 1)}, 413, id="too long"),
        pytest.param({"Content_Length": "9" * 50}, 413, id="far too long"),
    ],
)
def test_strangers_cannot_post(served, headers, status):
    got, _, body = post(served, {"a": 1}, **headers)
    assert got == status
    assert json.loads(body)["error"]
    assert not served.site.kept


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b"\xff\xfe", 400, id="no text"),
        pytest.param(b"[" * 100_000, 400, id="deep"),
        pytest.param(b'{"revision": ' + b"9" * 5000 + b"}", 400, id="digits"),
        pytest.param(b'"stale"', 409, id="stale"),
    ],
)
def test_bad_bodies_get_one_sentence(served, body, status):
    got, _, answer = post(served, body)
    assert got == status
    assert len(json.loads(answer)["error"].splitlines()) == 1


def test_other_methods_and_places_take_nothing(served):
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, body = ask(served, "/api/values", method)
        assert status == 501
        assert method in json.loads(body)["error"]
        assert SAFETY_HEADERS.items() <= headers.items()
    token = served.site.token
    given = {"X_Acmnet_Token": token, "Content_Type": "application/json"}
    assert ask(served, "/", "POST", b"{}", **given)[0] == 404


def test_a_post_is_kept_and_a_refusal_tells_more(served):
    status, _, body = post(served, {"a": [1]})
    assert (status, json.loads(body)) == (200, {"n": 1})
    assert served.site.kept == [{"a": [1]}]
    status, _, body = post(served, "stale")
    told = {"error": "it is stale", "conflicts": [1]}
    assert (status, json.loads(body)) == (409, told)


def announced(served):
    """Return a connection that has announced a body of 100 bytes."""
    slow = socket.create_connection(served.server_address)
    slow.sendall(
        b"POST /api/values HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"Content-Type: application/json\r\nX-Acmnet-Token: %s\r\n"
        b"Content-Length: 100\r\n\r\n"
        % (served.server_port, served.site.token.encode())
    )
    return slow


def test_a_slow_body_does_not_hold_the_server(served):
    """One client announces a body and sends none; another is answered meanwhile."""
    with announced(served):
        assert ask(served, "/api/state")[0] == 200


def dripped(client, drop, most=60):
    """Send a drop every tenth of a second until cut off; return whether it ever was."""
    client.settimeout(0.1)
    for _ in range(most):
        try:
            client.sendall(drop)
            if client.recv(100) == b"":
                return True
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return True
    return False


def test_a_body_that_drips_is_cut_off_as_a_whole(served, monkeypatch):
    """A byte every tenth of a second would take 10 s; half a second is the limit."""
    monkeypatch.setattr(page_server, "PATIENCE_S", 0.5)
    with announced(served) as slow:
        assert dripped(slow, b" ")


@pytest.mark.parametrize(
    ("sent", "drop"),
    [
        pytest.param(b"", b"G", id="request line"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"X-A: b\r\n", id="headers"),
    ],
)
def test_headers_that_drip_are_cut_off_as_a_whole(served, monkeypatch, sent, drop):
    """Each read is answered within the limit, all of them together are not."""
    monkeypatch.setattr(page_server, "PATIENCE_S", 0.5)
    with socket.create_connection(served.server_address) as slow:
        slow.sendall(sent)
        assert dripped(slow, drop)


def test_the_time_of_a_request_is_that_of_headers_and_body_together(
    served, monkeypatch
):
    """Headers for 0.6 of the 0.9 seconds leave the body 0.3, not 0.9 of its own."""
    monkeypatch.setattr(page_server, "PATIENCE_S", 0.9)
    with socket.create_connection(served.server_address) as slow:
        began = time.monotonic()
        slow.sendall(b"POST /api/values HTTP/1.1\r\n")
        time.sleep(0.6)
        slow.sendall(
            b"Host: 127.0.0.1:%d\r\nX-Acmnet-Token: %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            % (served.server_port, served.site.token.encode())
        )
        slow.settimeout(5.0)
        assert slow.recv(100) == b""
        assert time.monotonic() - began < 1.4


def test_headers_beyond_their_size_are_refused(served):
    with socket.create_connection(served.server_address) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: %s\r\n" % (b"b" * 5000) * 8)
        client.settimeout(5.0)
        answer = client.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_many_slow_clients_do_not_keep_the_page_from_another(served):
    """Sixty open requests and send nothing more; the page comes all the same."""
    with contextlib.ExitStack() as held:
        for _ in range(60):
            client = socket.create_connection(served.server_address)
            held.enter_context(client)
            client.sendall(b"GET / HTTP/1.1\r\n")
        assert ask(served, "/")[0] == 200


def test_connections_beyond_the_limit_are_refused(served):
    served._free = threading.Semaphore(1)
    with socket.create_connection(served.server_address) as first:
        first.sendall(b"GET / HTTP/1.1\r\n")
        end = time.monotonic() + 20
        # until the first has its thread; taking the place to see would refuse it
        while served._free._value and time.monotonic() < end:
            time.sleep(0.01)
        with socket.create_connection(served.server_address) as second:
            assert second.recv(1000).startswith(b"HTTP/1.1 503 ")
    for _ in range(100):  # its place is free again
        status, *_ = ask(served, "/")
        if status == 200:
            break
        time.sleep(0.02)
    assert status == 200


def test_two_hundred_at_once_get_the_page_that_is_built_once(served):
    """The page is the site's own: nobody who asks makes it anew, and nobody waits."""
    began, results = threading.Barrier(201), []

    def get():
        began.wait()
        results.append(ask(served, "/")[0])

    threads = [threading.Thread(target=get) for _ in range(200)]
    for thread in threads:
        thread.start()
    began.wait()
    for thread in threads:
        thread.join(timeout=20)
    assert results == [200] * 200


def test_a_body_that_ends_early_is_refused(served):
    with announced(served) as slow:
        slow.sendall(b"{")
        slow.shutdown(socket.SHUT_WR)
        answer = slow.makefile("rb").read()
    assert b" 400 " in answer
    assert b"the body ends before its time" in answer


def test_a_line_that_is_no_request_is_refused_like_all_else(served):
    with socket.create_connection(served.server_address) as client:
        client.sendall(b"<script> no request HTTP/1.1\r\n\r\n")
        answer = client.makefile("rb").read()
    assert b"nosniff" in answer
    assert b"application/json" in answer


@pytest.mark.parametrize(("port", "is_bare"), [(80, True), (8080, False)])
def test_the_port_of_http_may_be_left_out(served, monkeypatch, port, is_bare):
    monkeypatch.setattr(served, "server_port", port)
    assert ("localhost" in served.names) is is_bare
    assert f"127.0.0.1:{port}" in served.names


# ---- live


def test_the_state_tells_a_training_that_goes_on(tmp_path):
    assert state_of(tmp_path) == {"sentence": "", "checkpoint": None}
    log = tmp_path / "log.jsonl"
    log.write_text('{"epoch": 3, "total": 1.25}\n{"epoch": 4, "tot')
    assert state_of(tmp_path)["sentence"] == "training: epoch 3, loss 1.25"
    teacher = tmp_path / "teachers" / "1" / "log.jsonl"
    teacher.parent.mkdir(parents=True)
    teacher.write_text('{"epoch": 7, "total": 2.0}\n')
    os.utime(log, (1, time.time() - 5))
    assert state_of(tmp_path)["sentence"] == ("training: epoch 7 of teacher 1, loss 2")
    for path in (log, teacher):
        os.utime(path, (1, time.time() - 100))
    assert state_of(tmp_path)["sentence"] == ""


def test_labels_have_the_same_address_at_each_start(tmp_path):
    """A browser keeps drafts by address. Two at once have two, others their own."""
    site = TinySite(tmp_path / "a.mp4")
    first = site_server(site, 0, tmp_path / "labels.json")
    second = site_server(site, 0, tmp_path / "labels.json")
    other = site_server(site, 0, tmp_path / "others.json")
    for one in (first, second, other):
        one.server_close()
    assert len({first.address, second.address, other.address}) == 3
    again = site_server(site, 0, tmp_path / "labels.json")
    again.server_close()
    assert again.address == first.address


def test_a_port_that_cannot_be_had_is_named(served, tmp_path):
    site = TinySite(tmp_path / "a.mp4")
    for port, words in ((served.server_port, "in use"), (70_000, "0-65535")):
        with pytest.raises(UsageError, match=f"port {port} .*{words}.* another with"):
            site_server(site, port, tmp_path / "labels.json")
