"""A store of objects behind URLs that stand for signed ones, over real HTTP."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Store:
    """Keeps objects by path; `fail_with` answers everything with that status, `cut_at` breaks downloads off,
    and while `proceed` is clear an upload that `began` is not read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.puts = 0
        self.fail_with = 0
        self.cut_at = 0
        self.began = threading.Event()
        self.proceed = threading.Event()
        self.proceed.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}?signature=s3cret"

    def grant(self, name: str) -> dict[str, Any]:
        """Return the body of a load of that object."""
        content = self.objects[name]
        digest = hashlib.sha256(content).hexdigest()
        return {"backup": {"url": self.url(name), "headers": {}, "sha256": digest, "size": len(content)}}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.store.began.set()
        assert self.store.proceed.wait(30)
        content = self._chunks()
        self.store.puts += 1
        if not self.store.fail_with:
            self.store.objects[self._name] = content
            self.store.headers[self._name] = dict(self.headers)
        self._reply(self.store.fail_with or 200, b"<Error><Code>AccessDenied</Code></Error>")

    def do_GET(self) -> None:
        content = self.store.objects.get(self._name)
        if self.store.fail_with or content is None:
            self._reply(self.store.fail_with or 404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.store.cut_at or len(content)])
        self.close_connection = bool(self.store.cut_at)

    @property
    def _name(self) -> str:
        return self.path.strip("/").partition("?")[0]

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
