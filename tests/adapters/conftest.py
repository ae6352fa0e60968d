"""A server that records what arrives and answers what it is told, and one that publishes keys of our own."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

OPERATION = {"name": "projects/p/locations/l/operations/o", "done": False}


@dataclass(frozen=True)
class Arrived:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    status: int = 200
    body: Any = field(default_factory=lambda: OPERATION)
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0


@dataclass
class Wire:
    """Answers each request with the next answer that was set, then with the last one again."""

    port: int
    answers: list[Answer]
    requests: list[Arrived] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def will_answer(self, status: int = 200, body: Any = OPERATION, **more: Any) -> None:
        self.answers[:] = [Answer(status, body, **more)]

    def take(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Recorder(BaseHTTPRequestHandler):
    wire: Wire

    def _answer(self) -> None:
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        body = json.loads(content) if content else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.wire.requests.append(Arrived(self.command, url.path, query, headers, body))
        answer = self.wire.take()
        time.sleep(answer.pause)
        document = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def wire() -> Iterator[Wire]:
    """An HTTP server in the place of the other side."""
    recorder = type("Recorder", (_Recorder,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), recorder)
    recorder.wire = Wire(server.server_address[1], [Answer()])  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield recorder.wire  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


class Keys:
    """A key pair, and the documents that publish it as Google publishes its own."""

    def __init__(self, key_id: str = "k1") -> None:
        self.id = key_id
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public_pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token with exactly these claims, however wrong."""
        content = json.dumps(claims).encode()
        return jwt.PyJWS().encode(content, self.private, "RS256", {"kid": self.id, **header})

    def jwks(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.id, "alg": "RS256", "use": "sig"}]}

    def certificates(self) -> dict[str, str]:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self.private.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        certificate = builder.sign(self.private, hashes.SHA256())
        return {self.id: certificate.public_bytes(serialization.Encoding.PEM).decode()}


@pytest.fixture(scope="session")
def keys() -> Keys:
    """The published key."""
    return Keys()


@pytest.fixture(scope="session")
def other_keys() -> Keys:
    """A key that is not published, under the id of the one that is."""
    return Keys()
