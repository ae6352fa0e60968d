"""The API as an ASGI application over the in-memory adapters, called through real HTTP semantics."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

from functions.api.application import ROUTES
from functions.http.application import application
from shared.adapters.firebase_auth import FirebaseIdentity
from shared.config import Settings
from shared.domain.errors import Unauthenticated
from shared.wiring import App
from tests.usecases.conftest import World

PROJECT = "demo-dormouse"
HEX = "0" * 64

ENVIRON = {
    "GOOGLE_CLOUD_PROJECT": PROJECT,
    "RUNTIME_SERVICE_ACCOUNT": "dormouse-runtime@demo-dormouse.iam.gserviceaccount.com",
    "SCHEDULER_SERVICE_ACCOUNT": "dormouse-scheduler@demo-dormouse.iam.gserviceaccount.com",
    "CONTROLLER_SERVICE_ACCOUNTS": "dormouse-api@demo-dormouse.iam.gserviceaccount.com",
    "SIGNING_SERVICE_ACCOUNT": "dormouse-api@demo-dormouse.iam.gserviceaccount.com",
    "BACKUP_BUCKET": "backups",
    "PAGE_TOKEN_KEY": "a key for tests",
    "TEMPLATE_IMAGES": f"python=python@sha256:{HEX}",
    "GATEWAY_URL": "https://gateway.example",
    "SELF_AUDIENCE": "https://sweep.example",
}


class KnownAccounts:
    """Service accounts' tokens, each a word; what real ones go through is tested at its adapter."""

    def verify(self, token: str, audience: str) -> str:
        if not token.startswith("oidc:") or audience != ENVIRON["SELF_AUDIENCE"]:
            raise Unauthenticated("Not a token.", "TOKEN_INVALID")
        return token.removeprefix("oidc:")


class KnownTokens:
    """Tokens that say what they are made out to."""

    def token(self, audience: str) -> str:
        return f"token for {audience}"


@dataclass
class Api:
    """A client, and the world behind it."""

    client: TestClient
    world: World

    def token(self, uid: str = "ada", **claims: Any) -> str:
        """An emulator-style token: unsigned, as the Auth emulator's are."""
        now = int(self.world.clock.now().timestamp())
        payload = {
            "iss": f"https://securetoken.google.com/{PROJECT}",
            "aud": PROJECT,
            "sub": uid,
            "user_id": uid,
            "iat": now,
            "auth_time": now,
            "exp": now + 3600,
            "firebase": {"sign_in_provider": "custom", "identities": {}},
            **claims,
        }
        parts = [{"alg": "none", "typ": "JWT"}, payload]
        return (
            ".".join(
                base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
            )
            + "."
        )

    def call(self, method: str, path: str, body: Any = None, *, uid: str = "ada", **headers: str) -> Any:
        """The answer; `uid` empty calls without a token."""
        auth = {"authorization": f"Bearer {self.token(uid)}"} if uid else {}
        return self.client.request(method, path, json=body, headers={**auth, **headers})

    def provision(self, name: str = "main", **fields: Any) -> str:
        answer = self.call("POST", "/v1/workstations", {"project": "demo", "name": name, **fields})
        assert answer.status_code in (200, 202), answer.text
        return str(answer.json()["metadata"]["target"].removeprefix("workstations/"))


def app_over(world: World) -> App:
    return App(
        settings=Settings.from_environ(ENVIRON),
        deps=world.deps,
        identity=FirebaseIdentity(PROJECT, world.clock, emulated=True),
        service_identity=KnownAccounts(),
        tokens=KnownTokens(),
    )


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9")
    world = World()
    app = app_over(world)
    with TestClient(application(ROUTES, lambda: app), raise_server_exceptions=True) as client:
        yield Api(client, world)
