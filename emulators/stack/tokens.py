"""What does an ID token of the Auth emulator look like? Mints the same, for where that emulator does not run.

Unsigned (alg none), as the emulator's are: nothing but emulators accepts them.
"""

import base64
import json
from datetime import datetime, timedelta

LIFETIME = timedelta(hours=1)


def mint(project: str, uid: str, email: str, now: datetime) -> str:
    """An ID token of this user, valid for an hour from now."""
    seconds = int(now.timestamp())
    claims = {
        "name": "",
        "picture": "",
        "email": email,
        "email_verified": False,
        "auth_time": seconds,
        "user_id": uid,
        "firebase": {"identities": {"email": [email]}, "sign_in_provider": "password"},
        "iat": seconds,
        "exp": seconds + int(LIFETIME.total_seconds()),
        "aud": project,
        "iss": f"https://securetoken.google.com/{project}",
        "sub": uid,
    }
    return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}."


def _encoded(part: dict[str, object]) -> str:
    text = json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
