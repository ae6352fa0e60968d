"""Only the control plane, and only in the present epoch, may load, quiesce or resume a workstation."""

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.agent.driver import SERVICE


def call(agent, token, path="/-/resume"):
    headers = {} if token is None else {"Dormouse-Authorization": token}
    return agent.http.post(path, json={}, headers=headers)


def test_a_call_without_a_token_is_refused_for_every_route(empty):
    for path in ("load", "quiesce", "resume", "save", "hold"):
        answer = call(empty, None, f"/-/{path}")

        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("status", "claims"),
    [
        (401, {"iss": "accounts.google.com"}),
        (401, {"iss": "https://evil.example"}),
        (401, {"aud": f"dormouse://{SERVICE}/epochs/1/"}),
        (401, {"aud": f"dormouse://{SERVICE}x/epochs/1"}),
        (401, {"aud": f"dormouse://{SERVICE}/epochs/-1"}),
        (401, {"aud": f"dormouse://{SERVICE}/epochs/01"}),
        (401, {"aud": f"dormouse://{SERVICE}/epochs/1\n"}),
        (401, {"aud": [f"dormouse://{SERVICE}/epochs/1"]}),
        (401, {"aud": None}),
        (401, {"exp": int(time.time()) - 60}),
        (401, {"exp": None}),
        (401, {"iat": int(time.time()) + 600}),
        (403, {"email": "dormouse-runtime@demo-dormouse.iam.gserviceaccount.com"}),
        (403, {"email_verified": False}),
        (403, {"email_verified": "true"}),
        (401, {"email": None}),
    ],
)
def test_a_token_that_is_wrong_in_one_point_is_refused(shared, signer, status, claims):
    assert call(shared, f"Bearer {signer.token(**claims)}").status_code == status


def test_a_token_signed_by_nobody_or_by_somebody_else_is_refused(shared, signer):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    unsigned = signer.token().split(".")
    unsigned[0] = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "k1"}).encode()).decode().strip("=")
    )
    forged = [signer.token(key=stranger), ".".join([*unsigned[:2], ""]), "a.b.c", "x"]

    assert {call(shared, f"Bearer {token}").status_code for token in forged} == {401}


def test_the_epoch_never_goes_down(agent, signer):
    assert agent.control("resume", epoch=5).json()["epoch"] == 5

    refused = agent.control("resume", epoch=4)

    assert (refused.status_code, "epoch 5" in refused.json()["error"]["message"]) == (403, True)
    assert agent.control("resume", epoch=5).status_code == 200
    assert agent.http.get("/-/health").json()["epoch"] == 5


def test_a_refused_caller_does_not_raise_the_epoch(shared, signer):
    call(shared, f"Bearer {signer.token(9, email='somebody.else@example.com')}")

    assert shared.http.get("/-/health").json()["epoch"] == 1


def test_strangers_with_unknown_keys_do_not_make_the_agent_fetch_the_keys_each_time(shared, signer):
    before = signer.fetches
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"other"}').decode().strip("=")
    for _ in range(20):
        call(shared, f"Bearer {header}.e30.AA")

    assert signer.fetches - before <= 1
