"""What others would do it with: plain nginx, a server that answers what it was given, the disk itself."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.venv import ROOT

_NGINX = """\
daemon off; pid {root}/pid; error_log {root}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; client_max_body_size 0; client_body_temp_path {root}/body; proxy_temp_path {root}/p;
  fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; root {root}/files; dav_methods PUT DELETE; create_full_put_path on; }}
}}
"""
_START_SECONDS = 30
NO_NGINX = "nginx is not here (apt-get install nginx-light): nothing was measured beside it"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def nginx(directory: Path) -> Iterator[str | None]:
    """The address of an nginx of our own that takes PUT and answers GET; None where there is no nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    root, port = directory / "nginx", free_port()
    (root / "files").mkdir(parents=True)
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = root / "nginx.conf"
    configuration.write_text(_NGINX.format(root=root, port=port, user=user))
    with _process([program, "-e", str(root / "start.log"), "-c", str(configuration)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def canned(body: bytes, directory: Path) -> Iterator[str]:
    """The address of a server on the emulators' own stack that gives this JSON to everybody."""
    port, file = free_port(), directory / f"canned-{len(body)}.json"
    file.write_bytes(body)
    with _process([sys.executable, "-m", "bench.canned", str(port), str(file)], port):
        yield f"http://127.0.0.1:{port}"


def durable_write(path: Path, content: bytes) -> None:
    """One small file that survives a power cut: the least that an acknowledged write costs."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int) -> None:
    """Returns once somebody listens; raises TimeoutError."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nobody listens on {port}.") from None
            time.sleep(0.005)
