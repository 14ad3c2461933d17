"""What the tests of pages on a server share: serve a site, and ask it."""

import contextlib
import http.client
import json
import threading

from acmnet.show.bench.server.page_server import SiteServer


@contextlib.contextmanager
def served(site):
    """Serve a site on a free port within the block."""
    server = SiteServer(site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
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


def asked(server, path):
    """Return status and JSON values of a GET."""
    status, _, body = ask(server, path)
    return status, json.loads(body)


def posted(server, path, values, **headers):
    """Post as a page of the site does; return status and JSON values."""
    given = {
        "Content_Type": "application/json",
        "X_Acmnet_Token": server.site.token,
        "Origin": f"http://127.0.0.1:{server.server_port}",
    }
    sent = {name: value for name, value in (given | headers).items() if value}
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    status, _, answer = ask(server, path, "POST", body, **sent)
    return status, json.loads(answer)
