"""The reviewer's server: what it gives, what it keeps, and whom it refuses."""

import contextlib
import http.client
import json
import os
import socket
import threading
import time

import pytest

from acmnet.cli.view import _server, _with_durations
from acmnet.data.annotations import Annotations, Video
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.files import write_json
from acmnet.segments import Detections
from acmnet.show.bench import page_server
from acmnet.show.bench.byte_ranges import OutsideError, Span, span_of
from acmnet.show.bench.page_server import MOST_BYTES, SAFE, SiteServer
from acmnet.show.bench.training_progress import state_of
from acmnet.show.report.page_contents import (
    BEYOND_S,
    Contents,
    VideoContents,
    video_contents,
)
from acmnet.show.view import reviews
from acmnet.show.view.reviews import ReviewError, ReviewStore, StaleError
from acmnet.show.view.run_pages import Look, RunPages
from acmnet.show.view.run_site import RunSite
from support.commands import refused

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"quoted\" & 'single'",
    "../../etc/passwd",
    "turned\u202earound",
    "\U0001f938 turning",
    "x" * 300,
    "__proto__",
]


def annotations_of(*names, duration_s=20.0):
    videos = {
        v: Video(
            id=v, subset="test", duration_s=duration_s, labels=("run",), instances=()
        )
        for v in names
    }
    return Annotations("labels.json", videos, ("run", "jump"))


def review(**changes):
    made = {"label": "run", "start_s": 1.0, "end_s": 2.5, "verdict": "accepted"}
    return made | {"source": ["run", 1.0, 2.5, 0.9]} | changes


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


# ---- reviews


def test_reviews_are_a_label_file_of_the_reviewed_videos(tmp_path):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a", "b"))
    given = {
        "a": [
            review(),
            review(verdict="rejected", start_s=5.0, end_s=6.0),
            review(verdict="added", label="jump", start_s=7, end_s=9, source=None),
        ],
        "b": [],
    }
    assert store.save({"revision": 0, "videos": given}) == 1
    read = read_annotations(store.path)
    assert list(read.videos) == ["a"]
    found = read.videos["a"]
    assert (found.subset, found.duration_s) == ("test", 20.0)
    assert [(x.label, x.segment.start_s, x.segment.end_s) for x in found.instances] == [
        ("run", 1.0, 2.5),
        ("jump", 7.0, 9.0),
    ]
    again = store.to_json()
    assert again["revision"] == 1
    assert again["videos"] == {"a": given["a"]}


def test_hostile_names_come_back_as_they_went(tmp_path):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of(*HOSTILE))
    given = {name: [review(label=name)] for name in HOSTILE}
    store.save({"revision": 0, "videos": given})
    assert store.to_json()["videos"] == given
    assert set(read_annotations(store.path).videos) == set(HOSTILE)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"reviews.json", ".reviews.json.lock"}


def test_rejecting_keeps_what_a_video_is_known_to_contain(tmp_path):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    store.save({"revision": 0, "videos": {"a": [review(verdict="rejected")]}})
    read = read_annotations(store.path)
    assert read.videos["a"].labels == ("run",)
    assert read.videos["a"].instances == ()
    assert read.class_names == ("run", "jump")


def test_reviews_of_another_subset_are_kept(tmp_path):
    first = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    first.save({"revision": 0, "videos": {"a": [review()]}})
    second = ReviewStore(tmp_path / "reviews.json", annotations_of("b"))
    assert second.to_json() == {"revision": 1, "videos": {}}
    second.save({"revision": 1, "videos": {"b": [review()]}})
    assert set(read_annotations(first.path).videos) == {"a", "b"}
    assert first.to_json()["videos"] == {"a": [review()]}


def test_reviews_that_are_a_link_are_not_followed(tmp_path):
    (tmp_path / "secret.json").write_text('{"reviews": {}, "revision": 1}')
    (tmp_path / "reviews.json").symlink_to(tmp_path / "secret.json")
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    with pytest.raises(ReviewError, match="is a link, which is not followed"):
        store.to_json()


def test_a_stale_page_overwrites_nothing(tmp_path):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    store.save({"revision": 0, "videos": {"a": [review()]}})
    before = store.path.read_bytes()
    with pytest.raises(StaleError, match=r"saved by someone else .* reload the page"):
        store.save({"revision": 0, "videos": {}})
    assert store.path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"label": ""}, "label must be 1 to 300 characters", id="no label"),
        pytest.param({"label": "x" * 301}, "1 to 300 characters", id="long label"),
        pytest.param({"label": 3}, "1 to 300 characters", id="number"),
        pytest.param({"verdict": "liked"}, "accepted.*got 'liked'", id="verdict"),
        pytest.param({"start_s": 3.0}, r"from 3\.0 to 2\.5 is no segment", id="order"),
        pytest.param({"start_s": -1.0}, "from -1.0 to", id="before 0"),
        pytest.param({"end_s": float("nan")}, "to nan is no segment", id="nan"),
        pytest.param({"end_s": 10**400}, "is no segment", id="huge"),
        pytest.param({"end_s": True}, "to True is no segment", id="bool"),
        pytest.param({"end_s": 21.5}, "ends at 21.5 s, the video at 20 s", id="after"),
        pytest.param({"source": ["run", 1, 2]}, "source must be", id="short source"),
        pytest.param({"source": ["run", 1, 2, "x"]}, "source must be", id="source"),
        pytest.param({"source": ["\ud800", 1, 2, 3]}, "source must be", id="half"),
        pytest.param({"label": "run\ud800"}, "holds half a character", id="surrogate"),
        pytest.param({"label": "a\x07b"}, "control character U", id="control"),
    ],
)
def test_what_is_no_review_is_refused(tmp_path, changes, message):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    with pytest.raises(ReviewError, match=rf"video 'a', review 1 \(.* s\).*{message}"):
        store.save({"revision": 0, "videos": {"a": [review(**changes)]}})
    assert not store.path.exists()


def test_a_refusal_names_the_review_as_the_page_does(tmp_path):
    """The second of the list, with what it is: the page counts from 1, too."""
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    given = [review(), review(label="jump", start_s=3.0, end_s=2.0)]
    told = (
        r"video 'a', review 2 \('jump', 3.00 to 2.00 s\): from 3.0 to 2.0 is no segment"
    )
    with pytest.raises(ReviewError, match=told):
        store.save({"revision": 0, "videos": {"a": given}})


def test_a_detection_that_ends_after_its_video_can_be_rejected(tmp_path):
    """Features may cover more than the label file's duration: 21.5 s of 20 s."""
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    late = {"end_s": 21.5, "source": ["run", 1.0, 21.5, 0.9]}
    with pytest.raises(ReviewError, match=r"ends at 21\.5 s, the video at 20 s"):
        store.save({"revision": 0, "videos": {"a": [review(**late)]}})
    rejected = review(verdict="rejected", **late)
    assert store.save({"revision": 0, "videos": {"a": [rejected]}}) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], "an object with revision and videos", id="list"),
        pytest.param({"videos": {"z": []}}, "no video 'z'", id="unknown video"),
        pytest.param({"videos": {"a": 3}}, "must be a list", id="no list"),
        pytest.param({"videos": {"a": [3]}}, "must be an object", id="no object"),
    ],
)
def test_what_is_no_set_of_reviews_is_refused(tmp_path, values, message):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    with pytest.raises(ReviewError, match=message):
        store.save(values)


def test_a_damaged_file_is_not_overwritten(tmp_path):
    store = ReviewStore(tmp_path / "reviews.json", annotations_of("a"))
    store.path.write_text('{"database": {}}')
    with pytest.raises(ReviewError, match="holds no reviews of acmnet; mend it"):
        store.save({"revision": 0, "videos": {}})
    assert store.path.read_text() == '{"database": {}}'


# ---- the server


@pytest.fixture
def served(tmp_path):
    """Serve a site with one media file and one secret beside it."""
    folder = tmp_path / "run"
    folder.mkdir()
    media = folder / "odd #name?.mp4"
    media.write_bytes(bytes(range(256)) * 40)
    (tmp_path / "secret.txt").write_text("secret")
    store = ReviewStore(folder / "reviews.json", annotations_of("a"))
    site = RunSite(
        lambda token: f"<!doctype html><p>page {token}".encode(),
        lambda build, video: b"{}" if (build, video) == (1, 0) else None,
        lambda place: b"a strip" if place == 0 else None,
        (media,),
        lambda: {"sentence": "training", "checkpoint": 1.0},
        store,
    )
    server = SiteServer(site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(server, path, method="GET", body=None, **headers):
    """Send a request as it stands; return status, headers and body."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=20)
    sent = {"Host": f"127.0.0.1:{server.server_port}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        connection.putheader(name, value)
    if body is not None and "Content-Length" not in sent:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    result = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return result


def post(server, values, **headers):
    given = {
        "Content_Type": "application/json",
        "X_Acmnet_Token": server.site.token,
        "Origin": f"http://127.0.0.1:{server.server_port}",
    }
    given |= headers
    sent = {name: value for name, value in given.items() if value is not None}
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    return ask(server, "/api/reviews", "POST", body, **sent)


def test_it_gives_its_page_state_and_reviews(served):
    status, headers, body = ask(served, "/")
    assert status == 200
    assert body.decode().endswith(served.site.token)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy"):
        assert name in headers
    assert json.loads(ask(served, "/api/state")[2])["sentence"] == "training"
    assert json.loads(ask(served, "/api/reviews")[2]) == {"revision": 0, "videos": {}}
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
        "/reviews.json",
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
        pytest.param({"Content_Length": str(MOST_BYTES + 1)}, 413, id="too long"),
        pytest.param({"Content_Length": "9" * 50}, 413, id="far too long"),
    ],
)
def test_strangers_cannot_post(served, headers, status):
    values = {"revision": 0, "videos": {"a": [review()]}}
    got, _, body = post(served, values, **headers)
    assert got == status
    assert json.loads(body)["error"]
    assert not served.site.reviews.path.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b"\xff\xfe", 400, id="no text"),
        pytest.param(b"[" * 100_000, 400, id="deep"),
        pytest.param(b'{"revision": ' + b"9" * 5000 + b"}", 400, id="digits"),
        pytest.param(b'{"revision": 7, "videos": {}}', 409, id="stale"),
        pytest.param(b'{"revision": 0, "videos": {"z": []}}', 400, id="no video"),
    ],
)
def test_bad_bodies_get_one_sentence(served, body, status):
    got, _, answer = post(served, body)
    assert got == status
    assert len(json.loads(answer)["error"].splitlines()) == 1


def test_other_methods_and_places_take_nothing(served):
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, body = ask(served, "/api/reviews", method)
        assert status == 501
        assert method in json.loads(body)["error"]
        assert SAFE.items() <= headers.items()
    token = served.site.token
    given = {"X_Acmnet_Token": token, "Content_Type": "application/json"}
    assert ask(served, "/", "POST", b"{}", **given)[0] == 404


def test_a_post_is_kept_and_read_back(served):
    status, _, body = post(served, {"revision": 0, "videos": {"a": [review()]}})
    assert (status, json.loads(body)) == (200, {"revision": 1})
    told = json.loads(ask(served, "/api/reviews")[2])
    assert told == {"revision": 1, "videos": {"a": [review()]}}


def test_of_many_savers_one_wins_each_time(served):
    """Eight save on top of the same revision: one is kept, seven are told so."""
    results = []

    def save(i):
        videos = {"a": [review(label=f"label {i}")]}
        results.append(post(served, {"revision": 0, "videos": videos})[0])

    threads = [threading.Thread(target=save, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200, *[409] * 7]


def test_two_servers_of_one_run_do_not_overwrite_each_other(tmp_path, monkeypatch):
    """Both were given revision 0; the second to write must see what the first wrote."""

    def slowly(path, values):
        time.sleep(0.3)
        write_json(path, values)

    monkeypatch.setattr(reviews, "write_json", slowly)
    results = []

    def save(name):
        store = ReviewStore(tmp_path / "reviews.json", annotations_of("a", "b"))
        try:
            results.append(store.save({"revision": 0, "videos": {name: [review()]}}))
        except StaleError:
            results.append("stale")

    threads = [threading.Thread(target=save, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["1", "stale"]


def announced(served):
    """Return a connection that has announced a body of 100 bytes."""
    slow = socket.create_connection(served.server_address)
    slow.sendall(
        b"POST /api/reviews HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
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
        slow.sendall(b"POST /api/reviews HTTP/1.1\r\n")
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


# ---- pages


def contents_of(*names):
    """Return the contents of a page of videos without detections."""
    videos = tuple(
        VideoContents(id=name, summary={"id": name}, detections=()) for name in names
    )
    return Contents({"title": "run", "class_names": ["run"]}, videos)


def test_a_page_is_built_once_for_all_who_ask_at_once():
    """Two hundred ask while it is being built: one builds it, and all get it."""
    looks, got = [], []

    def look():
        looks.append(time.sleep(0.2))
        return Look(contents_of("a"), lambda _: {})

    pages = RunPages(look, lambda: 1.0)
    threads = [
        threading.Thread(target=lambda: got.append(pages.page("token")))
        for _ in range(200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(looks), len(got), len(set(got))) == (1, 200, 1)


def test_a_new_checkpoint_is_looked_at_and_the_old_page_asks_in_vain():
    now, looked = [1.0], []

    def insides(place):
        looked.append(place)
        return {"place": place}

    pages = RunPages(lambda: Look(contents_of("a", "b"), insides), lambda: now[0])
    assert pages.insides(0, 0) is None  # before any page
    assert b'"build":0' in pages.page("token")
    for _ in range(2):
        assert json.loads(pages.insides(0, 1)) == {"place": 1}
    assert looked == [1]
    assert pages.insides(0, 2) is None
    now[0] = 2.0
    assert pages.insides(0, 1) is None
    assert b'"build":1' in pages.page("token")
    assert pages.insides(0, 1) is None
    assert json.loads(pages.insides(1, 1)) == {"place": 1}


def test_a_poster_is_decoded_once():
    asked = []
    pages = RunPages(
        lambda: Look(contents_of(), lambda _: {}),
        lambda: None,
        lambda place: asked.append(place) or b"jpeg",
    )
    assert [pages.poster(3), pages.poster(3)] == [b"jpeg", b"jpeg"]
    assert asked == [3]


def test_what_is_looked_at_is_served_by_its_place(served):
    status, headers, body = ask(served, "/api/video/1/0")
    assert (status, body) == (200, b"{}")
    assert headers["Content-Type"] == "application/json"
    status, headers, body = ask(served, "/poster/0")
    assert (status, headers["Content-Type"], body) == (200, "image/jpeg", b"a strip")
    for path in (
        *("/api/video/0/0", "/api/video/1/1", "/api/video/1", "/api/video/1/0/0"),
        *("/api/video/1/-1", "/api/video/1/x", "/api/video/1/" + "9" * 400),
        *("/poster/1", "/poster/", "/poster/0/0", "/poster/9999999999"),
    ):
        assert ask(served, path)[0] == 404, path


def test_a_run_has_the_same_address_at_each_start(tmp_path):
    """A browser keeps drafts by address. Two at once have two; a run has its own."""
    site = RunSite(
        *(lambda _: b"", lambda *_: None, lambda _: None, (), lambda: {}),
        ReviewStore(tmp_path / "reviews.json", annotations_of("a")),
    )
    first = _server(site, 0, tmp_path)
    second = _server(site, 0, tmp_path)
    other = _server(site, 0, tmp_path / "another")
    for one in (first, second, other):
        one.server_close()
    assert len({first.address, second.address, other.address}) == 3
    again = _server(site, 0, tmp_path)
    again.server_close()
    assert again.address == first.address


def test_a_port_that_cannot_be_had_is_named(acmnet, served, tiny_run):
    taken = str(served.server_port)
    result = acmnet("view", tiny_run, "--subset", "test", "--port", taken)
    refused(result, f"port {taken}", "in use", "another with --port", code=2)
    result = acmnet("view", tiny_run, "--subset", "test", "--port", "70000")
    refused(result, "port 70000", "another with --port", code=2)


def test_a_label_file_without_lengths_takes_those_of_the_features(tiny_world, tmp_path):
    """A CSV has none, and yet 900 s of a video of about a minute must be refused."""
    known = read_annotations(tiny_world[0]).subset("test").videos
    table = ["video,labels", *(f"{v},{'|'.join(x.labels)}" for v, x in known.items())]
    (tmp_path / "labels.csv").write_text("\n".join(table))
    data = open_data(DataSource(tmp_path / "labels.csv", tiny_world[1]))
    video = next(iter(known))
    assert data.annotations.videos[video].duration_s is None
    found = _with_durations(data)
    span_s = data.store.grid.span_s(data.store.shape(video)[0])
    assert found.videos[video].duration_s == span_s < 200.0
    store = ReviewStore(tmp_path / "reviews.json", found)
    late = review(label="run", start_s=880.0, end_s=900.0, verdict="added", source=None)
    with pytest.raises(ReviewError, match=f"ends at 900 s, the video at {span_s:g} s"):
        store.save({"revision": 0, "videos": {video: [late]}})
    shown = video_contents(data.annotations.videos[video], data, Detections.of(["run"]))
    assert shown.summary["latest_s"] == span_s + BEYOND_S
    assert shown.summary["instances"] is None
