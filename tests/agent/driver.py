"""Drives a real agent process, as a control plane that signs its tokens with a key of our own."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

SERVICE = "ws-test-1"
CONTROLLER = "dormouse-sweep@demo-dormouse.iam.gserviceaccount.com"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(ask: Callable[[], Any], seconds: float = 10) -> Any:
    """Return the first true answer; fail when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)
    return answer


class Signer:
    """Signs ID tokens as Google does and publishes the key as a JWKS document."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.fetches = 0
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        document = json.dumps({"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]}).encode()
        signer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                signer.fetches += 1
                self.send_response(200)
                self.send_header("Cache-Control", "public, max-age=3600")
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/oauth2/v3/certs"

    def token(self, epoch: int | str = 1, key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """Return a token; a claim of None is left out."""
        now = int(time.time())
        every = {
            "iss": "https://accounts.google.com",
            "aud": f"dormouse://{SERVICE}/epochs/{epoch}",
            "sub": "1",
            "email": CONTROLLER,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        } | claims
        kept = {name: value for name, value in every.items() if value is not None}
        return jwt.encode(kept, key or self.key, algorithm=algorithm, headers={"kid": "k1"})


@dataclass
class RunningAgent:
    """One agent process and a client of it."""

    process: subprocess.Popen[bytes]
    port: int
    user_port: int
    workspace: Path
    signer: Signer
    http: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def control(self, call: str, body: dict[str, Any] | None = None, epoch: int = 1) -> httpx2.Response:
        """Make a call of the control plane."""
        headers = {"Dormouse-Authorization": f"Bearer {self.signer.token(epoch)}"}
        return self.http.post(f"/-/{call}", json=body or {}, headers=headers)

    def load(self) -> None:
        """Load an empty workspace."""
        assert self.control("load", {"backup": None}).json()["state"] == "READY"

    def activity(self) -> dict[str, Any]:
        return self.http.get("/-/activity").json()

    def run(self, command: str | list[str], **fields: Any) -> list[dict[str, Any]]:
        """Run a command to its end and return its lines."""
        answer = self.http.post("/-/exec", json={"command": command, **fields})
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def output(self, command: str | list[str], **fields: Any) -> str:
        """Run a command and return what it wrote to stdout."""
        lines = self.run(command, **fields)
        return "".join(line["data"] for line in lines if line.get("stream") == "stdout")

    def tree(self) -> list[int]:
        """Return the agent's pid and those of all its descendants."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue
            parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
        pids = [self.process.pid]
        for pid in pids:
            pids += [child for child, parent in parents.items() if parent == pid]
        return pids

    def signal_tree(self, number: int) -> None:
        """Signal every process of the tree, as a freeze does."""
        for pid in self.tree():
            os.kill(pid, number)

    def freeze(self, seconds: float) -> None:
        """Freeze the whole instance for a while, as Cloud Run does between requests."""
        self.http.close()
        self.http = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)
        self.signal_tree(signal.SIGSTOP)
        time.sleep(seconds)
        self.signal_tree(signal.SIGCONT)

    def kill(self) -> None:
        """End the whole tree."""
        self.http.close()
        for pid in reversed(self.tree()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)
