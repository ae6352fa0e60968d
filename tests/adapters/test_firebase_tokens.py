"""Whose Firebase ID token is believed, in production by its signature, and under the Auth emulator by its times too."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from firebase_admin import _token_gen

from shared.adapters.firebase_auth import EMULATOR, FirebaseIdentity
from shared.adapters.memory.clock import FakeClock
from shared.adapters.system import SystemClock
from shared.domain.errors import Unauthenticated, Unavailable
from shared.ports import Caller

PROJECT = "demo-dormouse"
Sign = Callable[[dict[str, Any]], str]


def claims(now: int | None = None, **changes: Any) -> dict[str, Any]:
    """Those of a good token; a change to None leaves a claim out."""
    now = int(time.time()) if now is None else now
    good = {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "sub": "ada",
        "user_id": "ada",
        "email": "ada@example.com",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def unsigned(payload: dict[str, Any]) -> str:
    """As the Auth emulator makes them."""
    return jwt.PyJWS().encode(json.dumps(payload).encode(), None, "none")


@pytest.fixture
def production(wire: Any, keys: Any, monkeypatch: pytest.MonkeyPatch) -> FirebaseIdentity:
    """As deployed, but that the certificates come from a server of ours."""
    monkeypatch.delenv(EMULATOR, raising=False)
    monkeypatch.setattr(_token_gen, "ID_TOKEN_CERT_URI", wire.url)
    wire.will_answer(200, keys.certificates(), headers={"Cache-Control": "public, max-age=3600"})
    return FirebaseIdentity(PROJECT, SystemClock(), emulated=False)


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> FirebaseIdentity:
    """As under the Auth emulator, which is not even running: tokens are not looked up."""
    monkeypatch.setenv(EMULATOR, "127.0.0.1:9")
    return FirebaseIdentity(PROJECT, SystemClock(), emulated=True)


@pytest.fixture(params=["production", "emulated"])
def world(request: pytest.FixtureRequest, keys: Any) -> Iterator[tuple[FirebaseIdentity, Sign]]:
    identity = request.getfixturevalue(request.param)
    return identity, keys.sign if request.param == "production" else unsigned


def refused(identity: FirebaseIdentity, token: str) -> str:
    with pytest.raises(Unauthenticated) as raised:
        identity.verify(token)
    assert "sign in" in raised.value.message or "get a new one" in raised.value.message
    return raised.value.reason


def test_a_good_token_gives_its_user(world: tuple[FirebaseIdentity, Sign]) -> None:
    identity, sign = world
    assert identity.verify(sign(claims())) == Caller(owner="ada", email="ada@example.com", admin=False)


@pytest.mark.parametrize(("claim", "admin"), [(True, True), (False, False), ("true", False), (1, False)])
def test_only_the_claim_true_makes_an_admin(
    world: tuple[FirebaseIdentity, Sign], claim: object, admin: bool
) -> None:
    identity, sign = world
    assert identity.verify(sign(claims(admin=claim))).admin is admin


def test_an_anonymous_user_has_no_email(world: tuple[FirebaseIdentity, Sign]) -> None:
    identity, sign = world
    assert identity.verify(sign(claims(email=None))).email == ""


def test_an_expired_token_says_so(world: tuple[FirebaseIdentity, Sign]) -> None:
    identity, sign = world
    assert refused(identity, sign(claims(int(time.time()) - 7200))) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iat": int(time.time()) + 3000}, id="issued-in-the-future"),
        pytest.param({"auth_time": int(time.time()) + 3000}, id="signed-in-in-the-future"),
        pytest.param({"auth_time": None}, id="never-signed-in"),
        pytest.param({"exp": None}, id="never-expires"),
        pytest.param({"exp": float("nan")}, id="expires-at-nan"),
        pytest.param({"exp": "4102444800"}, id="expires-at-a-text"),
        pytest.param({"aud": "another-project"}, id="other-project"),
        pytest.param({"iss": "https://securetoken.google.com/another-project"}, id="other-issuer"),
        pytest.param({"sub": ""}, id="empty-uid"),
        pytest.param({"sub": "u" * 129}, id="uid-too-long"),
        pytest.param({"sub": "\ud800"}, id="uid-of-half-a-character"),
        pytest.param({"sub": "ada\0"}, id="uid-with-nul"),
        pytest.param({"sub": 7}, id="uid-that-is-a-number"),
        pytest.param({"sub": None}, id="no-uid"),
    ],
)
def test_a_token_with_a_wrong_claim_is_invalid(
    world: tuple[FirebaseIdentity, Sign], changes: dict[str, Any]
) -> None:
    identity, sign = world
    assert refused(identity, sign(claims(**changes))) == "TOKEN_INVALID"


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "é.é.é", "e30.e30.", "a" * 20_000])
def test_what_is_no_token_is_invalid(world: tuple[FirebaseIdentity, Sign], token: str) -> None:
    assert refused(world[0], token) == "TOKEN_INVALID"


def test_no_token_says_what_to_do(world: tuple[FirebaseIdentity, Sign]) -> None:
    assert refused(world[0], "") == "TOKEN_MISSING"


def test_clocks_may_differ_by_a_few_seconds(world: tuple[FirebaseIdentity, Sign]) -> None:
    identity, sign = world
    now = int(time.time())
    assert identity.verify(sign(claims(now + 5))).owner == "ada"
    assert identity.verify(sign(claims(exp=now - 5))).owner == "ada"


def test_in_production_another_key_is_invalid(production: FirebaseIdentity, other_keys: Any) -> None:
    assert refused(production, other_keys.sign(claims())) == "TOKEN_INVALID"


def test_in_production_an_emulators_token_is_invalid(production: FirebaseIdentity) -> None:
    assert refused(production, unsigned(claims())) == "TOKEN_INVALID"


def test_in_production_a_shared_secret_is_invalid(production: FirebaseIdentity) -> None:
    token = jwt.encode(claims(), "s" * 32, "HS256", {"kid": "k1"})
    assert refused(production, token) == "TOKEN_INVALID"


def test_without_certificates_nobody_comes_in_and_it_is_not_their_fault(
    production: FirebaseIdentity, keys: Any, wire: Any
) -> None:
    wire.will_answer(503, {})
    with pytest.raises(Unavailable):
        production.verify(keys.sign(claims()))


def test_under_the_emulator_time_is_the_clocks_that_we_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, "127.0.0.1:9")
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    identity = FirebaseIdentity(PROJECT, clock, emulated=True)
    token = unsigned(claims(int(clock.now().timestamp())))
    assert identity.verify(token).owner == "ada"
    clock.advance(timedelta(hours=1, seconds=10))
    assert refused(identity, token) == "TOKEN_EXPIRED"


def test_many_first_callers_at_once_are_all_let_in(emulated: FirebaseIdentity) -> None:
    """The library's app is made once, whoever comes first."""
    with ThreadPoolExecutor(8) as pool:
        callers = list(pool.map(emulated.verify, [unsigned(claims())] * 32))
    assert {caller.owner for caller in callers} == {"ada"}


@pytest.mark.parametrize(("host", "emulated"), [("127.0.0.1:9", False), (None, True)])
def test_settings_and_library_must_agree_on_who_is_believed(
    monkeypatch: pytest.MonkeyPatch, host: str | None, emulated: bool
) -> None:
    """A forgotten variable would let unsigned tokens into production."""
    monkeypatch.delenv(EMULATOR, raising=False)
    if host:
        monkeypatch.setenv(EMULATOR, host)
    with pytest.raises(ValueError, match=EMULATOR):
        FirebaseIdentity(PROJECT, SystemClock(), emulated=emulated)
