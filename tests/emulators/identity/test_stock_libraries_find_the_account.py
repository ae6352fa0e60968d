"""google-auth, unchanged, takes a process for one that runs on Google Cloud."""

from typing import Any

import google.auth.transport.requests
import httpx2
from google.oauth2 import id_token

API = "dormouse-api@demo-dormouse.iam.gserviceaccount.com"

DEFAULT_CREDENTIALS = """
import google.auth, google.auth.transport.requests
credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(google.auth.transport.requests.Request())
print(type(credentials).__module__, type(credentials).__name__, project, credentials.service_account_email)
print(credentials.token)
"""

FETCH_ID_TOKEN = """
import google.auth.transport.requests, google.oauth2.id_token
print(google.oauth2.id_token.fetch_id_token(google.auth.transport.requests.Request(), "https://target.example"))
"""


def test_default_credentials_are_those_of_the_account(identity: Any) -> None:
    """google.auth.default() gives compute engine credentials, whose token stands for the account."""
    described, token = identity.python_as(API, DEFAULT_CREDENTIALS).splitlines()
    assert described == f"google.auth.compute_engine.credentials Credentials demo-dormouse {API}"
    assert verified_email(identity, token) == API


def test_fetch_id_token_gives_a_token_for_the_audience(identity: Any) -> None:
    """The token that fetch_id_token returns is the one google-auth verifies elsewhere."""
    token = identity.python_as(API, FETCH_ID_TOKEN)
    claims = id_token.verify_token(
        token,
        google.auth.transport.requests.Request(),
        audience="https://target.example",
        certs_url=f"{identity.url}/oauth2/v1/certs",
    )
    assert claims["email"] == API


def verified_email(identity: Any, token: str) -> str:
    answer = httpx2.get(f"{identity.url}/tokeninfo", params={"access_token": token}, trust_env=False)
    return str(answer.json()["email"])
