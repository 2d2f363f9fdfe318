"""The question for a newer version: what is asked, and what is said."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from napari_qsm.errors import QsmError
from napari_qsm.session.newer_version import comparison, published_version


@pytest.fixture
def server():
    """A page at this computer that keeps what it was asked."""

    class Page(BaseHTTPRequestHandler):
        asked: ClassVar[list] = []
        body = json.dumps({"info": {"version": "1.2.0"}})
        code = 200

        def do_GET(self):
            self.asked.append((self.path, {k.lower() for k in self.headers}))
            self.send_response(self.code)
            self.end_headers()
            self.wfile.write(self.body.encode())

        def log_message(self, *args):
            pass

    made = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield Page, f"http://127.0.0.1:{made.server_port}/page"
    made.shutdown()
    made.server_close()
    thread.join()


def test_a_plain_question_that_tells_nothing(server):
    page, address = server
    assert published_version(address) == "1.2.0"
    ((path, headers),) = page.asked
    assert path == "/page"
    assert headers <= {"host", "user-agent", "accept-encoding", "connection"}


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (404, "", "published yet"),
        (503, "", "ask again later"),
        (200, "<html>Log in</html>", "log in"),
        (200, "{}", "log in"),
        (200, '{"info": {"version": "new"}}', "log in"),
    ],
)
def test_what_comes_back_may_be_no_answer(server, code, body, said):
    page, address = server
    page.code, page.body = code, body
    with pytest.raises(QsmError, match=said):
        published_version(address)


def test_offline_is_one_sentence():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/page"
        with pytest.raises(QsmError, match="cannot be reached"):
            published_version(address)


@pytest.mark.parametrize(
    ("published", "here", "said"),
    [
        ("0.10.0", "0.9.0", "Version 0.10.0 is there"),
        ("0.9.0", "0.9.0", "newest version"),
        ("0.9.0", "0.10.0.dev1", "newer than"),
        ("0.9.0", "0.9.0rc1", "Version 0.9.0 is there"),
    ],
)
def test_versions_are_compared_as_numbers(published, here, said):
    assert said in comparison(published, here)
