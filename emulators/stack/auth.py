"""Who may sign in locally, and how do they get an ID token: from the real Auth emulator, or minted in its style?"""

import json
import os
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulators.stack.component import StackError
from emulators.stack.options import PROJECT
from emulators.stack.ports import LOOPBACK
from emulators.stack.tokens import mint
from tools.venv import STATE

# Every emulator account has it; it opens nothing outside this machine.
_PASSWORD = "dormouse-local"  # noqa: S105
_API = "identitytoolkit.googleapis.com/v1"


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in."""

    uid: str
    email: str


DEMO_USERS = (User("ada", "ada@example.com"), User("grace", "grace@example.com"))


def user(uid: str) -> User:
    """The demo user of this id, or a new one."""
    return next((known for known in DEMO_USERS if known.uid == uid), User(uid, f"{uid}@example.com"))


def find_firebase() -> Path | None:
    """The firebase-tools command, on PATH or installed beside this checkout; None when there is none."""
    beside = STATE / "firebase-tools" / "node_modules" / ".bin" / "firebase"
    if beside.exists():
        return beside
    found = shutil.which("firebase")
    return Path(found) if found else None


def write_configuration(directory: Path, ports: dict[str, int]) -> Path:
    """firebase-tools' configuration for the Auth emulator alone, on loopback, without its page."""
    directory.mkdir(parents=True, exist_ok=True)
    emulators: dict[str, object] = {
        name: {"host": LOOPBACK, "port": ports[port]}
        for name, port in (("auth", "auth"), ("hub", "auth_hub"), ("logging", "auth_logging"))
    }
    emulators |= {"ui": {"enabled": False}, "singleProjectMode": False}
    path = directory / "firebase.json"
    path.write_text(json.dumps({"emulators": emulators}, indent=2))
    return path


def node_environment() -> dict[str, str]:
    """What firebase-tools needs of the environment: its node, a home, and no questions asked."""
    kept = ("PATH", "HOME", "LANG", "NODE_EXTRA_CA_CERTS")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"CI": "true"}


def id_token(emulator: str | None, who: User) -> str:
    """A fresh ID token: from the Auth emulator at this address, else minted. Raises StackError when it refuses."""
    if emulator is None:
        return mint(PROJECT, who.uid, who.email, datetime.now(UTC))
    account = {"localId": who.uid, "email": who.email, "password": _PASSWORD}
    known = ("DUPLICATE_LOCAL_ID", "EMAIL_EXISTS")
    _call(emulator, f"projects/{PROJECT}/accounts", account, accepted_errors=known)
    credentials = {"email": who.email, "password": _PASSWORD, "returnSecureToken": True}
    answer = _call(emulator, "accounts:signInWithPassword?key=local", credentials)
    return str(answer["idToken"])


def _call(
    emulator: str, path: str, body: dict[str, Any], accepted_errors: tuple[str, ...] = ()
) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer owner"}
    if "?" in path:
        del headers["Authorization"]
    url = f"{emulator}/{_API}/{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=20) as answer:
            content: dict[str, Any] = json.load(answer)
            return content
    except urllib.error.HTTPError as refusal:
        said = refusal.read().decode(errors="replace")
        if any(error in said for error in accepted_errors):
            return {}
        raise StackError(f"The Auth emulator refused {path}: {refusal.code} {said}") from refusal
    except OSError as failure:
        raise StackError(f"The Auth emulator at {emulator} does not answer: {failure}") from failure
