"""A server on this machine that behaves and misbehaves, in the place of a mirror."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    """Serves `server.content`; the first word of the path says how."""

    def do_GET(self):
        content, asked = self.server.content, self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        manner = self.path.split("/")[1]
        if manner == "gone":
            return self.send_error(404)
        if manner == "page":
            content = b"<html>Please sign in</html>"
        if manner == "damaged":
            content = b"?" * len(content)
        continues = asked and manner not in ("norange", "page")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if continues else 0
        if start >= len(content) > 0:
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            shown = start + 1 if manner == "misplaced" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        if manner == "page":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if manner != "nolength":
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = {"cut": start + 400_000, "cutonce": 400_000 if not start else None, "mute": start}.get(manner)
        with contextlib.suppress(ConnectionError):  # a client that was interrupted
            self.wfile.write(content[start:end])

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Run the server; `url`, `content` and the list of `requests` are its attributes."""
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.requests = b"", []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
