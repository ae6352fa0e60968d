"""ID tokens of our own are fetched once for each audience, and never used near their end."""

from datetime import timedelta

import jwt
import pytest

from shared.adapters.agent import tokens as module
from shared.adapters.agent.tokens import CachedTokens
from shared.adapters.memory.clock import FakeClock
from shared.adapters.system import SystemClock
from shared.domain.errors import Unavailable
from tests.emulator_processes import SWEEP, IdentityEmulator, identity_emulator, start_emulator

__all__ = ["identity_emulator", "start_emulator"]


class Issuer:
    """Gives tokens of an hour, each another one."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.asked: list[str] = []

    def __call__(self, audience: str) -> str:
        self.asked.append(audience)
        exp = int((self._clock.now() + timedelta(hours=1)).timestamp())
        return jwt.encode({"aud": audience, "exp": exp, "n": len(self.asked)}, None, "none")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


def test_a_token_is_fetched_once_for_each_audience(clock: FakeClock, issuer: Issuer) -> None:
    tokens = CachedTokens(clock, issuer)
    first = [tokens.token("a"), tokens.token("b")]
    assert [tokens.token("a"), tokens.token("b")] == first
    assert issuer.asked == ["a", "b"]


def test_a_token_is_renewed_five_minutes_before_it_ends(clock: FakeClock, issuer: Issuer) -> None:
    tokens = CachedTokens(clock, issuer)
    first = tokens.token("a")
    clock.advance(timedelta(minutes=55) - timedelta(microseconds=1))
    assert tokens.token("a") == first
    clock.advance(timedelta(microseconds=1))
    assert tokens.token("a") != first


def test_a_token_whose_end_cannot_be_read_is_not_kept(clock: FakeClock) -> None:
    issued = iter(["opaque-1", "opaque-2"])
    tokens = CachedTokens(clock, lambda _audience: next(issued))
    assert (tokens.token("a"), tokens.token("a")) == ("opaque-1", "opaque-2")


def test_old_audiences_do_not_pile_up(
    clock: FakeClock, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a new one for every epoch of every workstation."""
    monkeypatch.setattr(module, "MOST_KEPT", 10)
    tokens = CachedTokens(clock, issuer)
    for n in range(100):
        tokens.token(f"a{n}")
    assert len(tokens._kept) <= 10


def test_the_metadata_server_gives_the_accounts_own_tokens(
    identity_emulator: IdentityEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity_emulator.become(SWEEP, monkeypatch)
    token = CachedTokens(SystemClock()).token("https://service.example")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["email"]) == ("https://service.example", SWEEP)


def test_without_a_metadata_server_there_is_advice(
    identity_emulator: IdentityEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity_emulator.metadata["nobody"] = "127.0.0.1:9"
    identity_emulator.become("nobody", monkeypatch)
    monkeypatch.setenv("GCE_METADATA_TIMEOUT", "1")
    with pytest.raises(Unavailable, match="service account"):
        CachedTokens(SystemClock()).token("https://service.example")
