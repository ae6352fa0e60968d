"""Minted ID tokens say what the Auth emulator's say, for an hour."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulators.stack.auth import DEMO_USERS, id_token, user
from emulators.stack.tokens import mint

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    decoded = [
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims)
    ]
    return decoded[0], decoded[1], signature


def test_a_token_names_the_project_and_the_user_and_is_unsigned() -> None:
    header, claims, signature = parts(mint("demo-x", "ada", "ada@example.com", NOW))

    assert (header["alg"], signature) == ("none", "")
    assert claims["iss"] == "https://securetoken.google.com/demo-x"
    assert claims["aud"] == "demo-x"
    assert claims["sub"] == claims["user_id"] == "ada"
    assert claims["email"] == "ada@example.com"
    assert claims["firebase"]["identities"] == {"email": ["ada@example.com"]}


def test_a_token_is_valid_for_an_hour_from_now() -> None:
    _, claims, _ = parts(mint("demo-x", "ada", "ada@example.com", NOW))

    assert datetime.fromtimestamp(claims["iat"], UTC) == NOW
    assert claims["auth_time"] == claims["iat"]
    assert datetime.fromtimestamp(claims["exp"], UTC) == NOW + timedelta(hours=1)


def test_each_demo_user_keeps_their_email_and_a_stranger_gets_one() -> None:
    assert [user(known.uid) for known in DEMO_USERS] == list(DEMO_USERS)
    assert user("mallory").email == "mallory@example.com"


def test_firebase_admin_accepts_a_token_that_is_minted_here() -> None:
    """In a process of its own, because the SDK reads the emulator's address once."""
    program = (
        "import sys, firebase_admin as f; from firebase_admin import auth\n"
        "f.initialize_app(options={'projectId': 'demo-dormouse'})\n"
        "print(auth.verify_id_token(sys.argv[1])['uid'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, id_token(None, user("ada"))],
        env={"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9", "GOOGLE_CLOUD_PROJECT": "demo-dormouse"},
        text=True,
        capture_output=True,
    )

    assert done.stdout.strip() == "ada", done.stderr


@pytest.mark.parametrize("uid", ["ada", "new-user-1"])
def test_two_tokens_of_a_user_are_the_same_person(uid: str) -> None:
    assert parts(id_token(None, user(uid)))[1]["sub"] == uid
