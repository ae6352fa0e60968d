"""The invoker check: Cloud Run's 401 and 403, before any instance starts, and no token for the container."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.emulators.cloud_run.driver import Emulator, automatic, http, running

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


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that lets only the gateway's account in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Certificates)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keys = f"http://127.0.0.1:{server.server_port}/oauth2/v3/certs"
    with running(tmp_path_factory.mktemp("guarded"), "--keys", keys, "--invoker", GATEWAY) as emulator:
        yield emulator
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def uri(guarded: Emulator) -> str:
    guarded.create("private")
    return guarded.scale("private", automatic(0, 1)).uri


def token(audience: str, *, key: Any = KEY, kid: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
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
    return {"X-Serverless-Authorization": f"Bearer {value}"}


REFUSED = {
    "no token": (403, lambda _: {}),
    "not bearer": (403, lambda _: {"Authorization": "Basic abc"}),
    "not a token": (401, lambda _: serverless("abc")),
    "foreign key": (401, lambda uri: serverless(token(uri, key=FOREIGN_KEY))),
    "unknown key id": (401, lambda uri: serverless(token(uri, kid="two"))),
    "unsigned": (401, lambda uri: serverless(token(uri, key=None, algorithm="none"))),
    "symmetric": (401, lambda uri: serverless(token(uri, key="s" * 64, algorithm="HS256"))),
    "expired": (401, lambda uri: serverless(token(uri, exp=int(time.time()) - 1))),
    "other service": (401, lambda _: serverless(token("http://127.0.0.1:1"))),
    "other issuer": (401, lambda uri: serverless(token(uri, iss="https://securetoken.google.com/x"))),
    "other account": (403, lambda uri: serverless(token(uri, email="somebody@example.com"))),
    "unverified": (403, lambda uri: serverless(token(uri, email_verified=False))),
    "no expiry": (401, lambda uri: serverless(token(uri, exp=None))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_others_are_refused_and_start_nothing(guarded: Emulator, case: str) -> None:
    """A refused request costs nothing: no instance, no thaw."""
    if "asleep" not in known(guarded):
        guarded.create("asleep")
        guarded.scale("asleep", automatic(0, 1))
    uri = guarded.get("asleep").uri
    code, headers = REFUSED[case]
    answer = http.get(uri, headers=headers(uri))
    assert answer.status_code == code, answer.text
    assert (code == 401) == ("www-authenticate" in answer.headers)
    with pytest.raises(InvalidStatus) as caught:
        connect(f"{uri.replace('http', 'ws')}/talk", additional_headers=headers(uri))
    assert caught.value.response.status_code == code
    assert guarded.observed("asleep") == {"instances": [], "exits": [], "requestsWaiting": 0}


def known(emulator: Emulator) -> set[str]:
    parent = emulator.name("x").rpartition("/services/")[0]
    return {service.name.rpartition("/")[2] for service in emulator.client.list_services(parent=parent)}


def test_the_serverless_header_lets_in_and_never_reaches_the_container(uri: str) -> None:
    headers = serverless(token(uri)) | {"Authorization": "Bearer the-user's-own"}
    seen = dict(http.get(uri, headers=headers).json()["headers"])
    assert "x-serverless-authorization" not in seen
    assert seen["authorization"] == "Bearer the-user's-own"


def test_the_authorization_header_lets_in_without_its_signature(uri: str) -> None:
    value = token(uri)
    seen = dict(http.get(uri, headers={"Authorization": f"Bearer {value}"}).json()["headers"])
    assert seen["authorization"] == f"Bearer {value.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_a_bad_serverless_header_is_not_saved_by_a_good_authorization(uri: str) -> None:
    headers = serverless("bad") | {"Authorization": f"Bearer {token(uri)}"}
    assert http.get(uri, headers=headers).status_code == 401


def test_a_websocket_with_a_token_is_let_in(uri: str) -> None:
    with connect(f"{uri.replace('http', 'ws')}/talk", additional_headers=serverless(token(uri))) as socket:
        socket.send("hello")
        assert socket.recv(timeout=5) == "echo hello"


def test_the_keys_are_cached(uri: str) -> None:
    http.get(uri, headers=serverless(token(uri)))
    before = Certificates.fetched
    for _ in range(5):
        assert http.get(uri, headers=serverless(token(uri, jti=str(time.time_ns())))).status_code == 200
    assert Certificates.fetched == before


def test_without_keys_everybody_gets_in_but_the_header_is_still_stripped(emulator: Emulator) -> None:
    emulator.create("public")
    address = emulator.scale("public", automatic(0, 1)).uri
    seen = dict(http.get(address, headers=serverless("anything")).json()["headers"])
    assert "x-serverless-authorization" not in seen
