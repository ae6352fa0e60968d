"""The metadata address is one account: what it tells, whom it refuses, and that it gives no other."""

from typing import Any

import httpx2
import pytest

API, SWEEP, RUNTIME = (
    f"dormouse-{name}@demo-dormouse.iam.gserviceaccount.com" for name in ("api", "sweep", "runtime")
)
ACCOUNT = "instance/service-accounts"


@pytest.mark.parametrize("name", ["default", RUNTIME])
def test_it_answers_under_default_and_under_the_email(identity: Any, name: str) -> None:
    assert identity.metadata(RUNTIME, f"{ACCOUNT}/{name}/email").text == RUNTIME
    recursive = identity.metadata(RUNTIME, f"{ACCOUNT}/{name}/", recursive="true").json()
    assert recursive["email"] == RUNTIME
    assert recursive["aliases"] == ["default"]
    assert identity.metadata(RUNTIME, f"{ACCOUNT}/{name}/token").json()["token_type"] == "Bearer"
    assert identity.metadata(RUNTIME, f"{ACCOUNT}/{name}/identity", audience="a").status_code == 200


def test_it_knows_project_and_region(identity: Any) -> None:
    number = identity.metadata(API, "project/numeric-project-id").text
    assert identity.metadata(API, "project/project-id").text == "demo-dormouse"
    assert number.isdecimal()
    assert identity.metadata(API, "instance/region").text == f"projects/{number}/regions/europe-west1"


@pytest.mark.parametrize("path", ["email", "token", "identity?audience=a"])
def test_it_gives_no_other_account(identity: Any, path: str) -> None:
    """Code in a workstation that reaches this address cannot ask for the control plane's tokens."""
    answer = identity.metadata(RUNTIME, f"{ACCOUNT}/{API}/{path}")
    assert answer.status_code == 404
    assert answer.headers["Metadata-Flavor"] == "Google"


def test_each_address_is_its_own_account(identity: Any) -> None:
    emails = [identity.metadata(email, f"{ACCOUNT}/default/email").text for email in (API, SWEEP, RUNTIME)]
    assert emails == [API, SWEEP, RUNTIME]


def test_an_identity_without_an_audience_is_refused(identity: Any) -> None:
    assert identity.metadata(API, f"{ACCOUNT}/default/identity").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Metadata-Flavor": "other"},
        {"Metadata-Flavor": "Google", "X-Forwarded-For": "10.0.0.1"},
        {"Metadata-Flavor": "Google", "Host": "rebound.example"},
    ],
    ids=["no flavor", "wrong flavor", "forwarded", "rebound name"],
)
def test_a_request_that_was_talked_into_it_is_refused(identity: Any, headers: dict[str, str]) -> None:
    """A redirected fetch, a forwarding proxy and a rebound web page get no token."""
    address = f"http://127.0.0.1:{identity.metadata_ports[API]}/computeMetadata/v1"
    answer = httpx2.get(f"{address}/{ACCOUNT}/default/token", headers=headers, trust_env=False)
    assert answer.status_code == 403
    assert "access_token" not in answer.text
