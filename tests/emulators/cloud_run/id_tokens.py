"""ID tokens as Google's, and the published keys by which they are verified."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

GATEWAY = "dormouse-gateway@demo-dormouse.iam.gserviceaccount.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Certificates(BaseHTTPRequestHandler):
    """The published keys, and how often they were fetched."""

    fetched = 0

    def do_GET(self) -> None:
        type(self).fetched += 1
        algorithm = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
        public = algorithm.to_jwk(KEY.public_key(), as_dict=True) | {
            "kid": "one",
            "alg": "RS256",
            "use": "sig",
        }
        body = httpx2.Response(200, json={"keys": [public]}).content
        self.send_response(200)
        self.send_header("Cache-Control", "public, max-age=3600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def certificates() -> Iterator[str]:
    """Where the keys are published, for `--keys`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Certificates)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/oauth2/v3/certs"
    server.shutdown()
    server.server_close()


def token(audience: str, *, key: Any = KEY, kid: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
    """An ID token of the gateway's account, unless the claims say otherwise; a claim of None is left out."""
    now = int(time.time())
    body = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "sub": "1",
        "email": GATEWAY,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
    } | claims
    return jwt.encode({k: v for k, v in body.items() if v is not None}, key, algorithm, headers={"kid": kid})


def serverless(value: str) -> dict[str, str]:
    """The header that Cloud Run keeps from the container."""
    return {"X-Serverless-Authorization": f"Bearer {value}"}
