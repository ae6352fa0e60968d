"""Whose Firebase ID token is it?

The library verifies signature, issuer and project. Under the Auth emulator it verifies neither signature nor times,
so the times are checked here in both worlds. The text of a library's exception never reaches a caller.
"""

import itertools
import os
import re
import threading
from collections.abc import Mapping
from typing import Any

from shared.domain.errors import Unauthenticated, Unavailable
from shared.domain.names import Owner
from shared.ports import Caller, Clock

CLOCK_SKEW_SECONDS = 10
HTTP_SECONDS = 5
EMULATOR = "FIREBASE_AUTH_EMULATOR_HOST"
_LONGEST_TOKEN = 16_384
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON can spell and no name can hold: NUL, and halves of characters."""

_NAMES = itertools.count()


class FirebaseIdentity:
    """The users of one Firebase project. Safe for threads."""

    def __init__(self, project: str, clock: Clock, *, emulated: bool) -> None:
        """Raises ValueError where the library would believe unsigned tokens and we did not ask for it."""
        if emulated is not bool(os.environ.get(EMULATOR)):
            raise ValueError(
                f"{EMULATOR} is {'not ' if emulated else ''}set, which contradicts the settings: firebase-admin "
                "believes unsigned tokens exactly when it is set."
            )
        self._project = project
        self._clock = clock
        self._making = threading.Lock()
        self._made: Any = None

    def verify(self, token: str) -> Caller:
        """Whose token it is. Raises Unauthenticated, Unavailable."""
        if not token:
            raise Unauthenticated(
                "No ID token was sent; sign in and send `Authorization: Bearer <Firebase ID token>`.",
                reason="TOKEN_MISSING",
            )
        if len(token) > _LONGEST_TOKEN or not token.isascii() or token.count(".") != 2:
            raise _invalid()
        claims = self._verified(token)
        self._check_times(claims)
        return _caller(claims)

    def _verified(self, token: str) -> Mapping[str, Any]:
        from firebase_admin import auth  # noqa: PLC0415 - 0.2 s, paid on first use

        app = self._app()
        try:
            claims: Mapping[str, Any] = auth.verify_id_token(
                token, app=app, clock_skew_seconds=CLOCK_SKEW_SECONDS
            )
        except auth.ExpiredIdTokenError as error:
            raise _expired() from error
        except auth.CertificateFetchError as error:
            raise Unavailable(
                "Google's keys cannot be fetched just now, so nobody can be let in; try again.",
                reason="KEYS_UNAVAILABLE",
            ) from error
        except (auth.InvalidIdTokenError, ValueError, TypeError, AttributeError) as error:
            raise _invalid() from error
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        expires, issued, signed_in = (_time(claims, name) for name in ("exp", "iat", "auth_time"))
        if expires + CLOCK_SKEW_SECONDS <= now:
            raise _expired()
        if max(issued, signed_in) - CLOCK_SKEW_SECONDS > now:
            raise _invalid()

    def _app(self) -> Any:
        """Made once, whoever comes first: the library refuses a second one of the same name."""
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:
        import firebase_admin  # noqa: PLC0415
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

        # Keys are public and the project is told: nothing here acts as anybody.
        options = {"projectId": self._project, "httpTimeout": HTTP_SECONDS}
        return firebase_admin.initialize_app(AnonymousCredentials(), options, name=f"identity-{next(_NAMES)}")


def _time(claims: Mapping[str, Any], name: str) -> int:
    """Whole seconds, as Firebase writes them: JSON's NaN would compare as never over."""
    value = claims.get(name)
    if type(value) is not int:
        raise _invalid()
    return value


def _caller(claims: Mapping[str, Any]) -> Caller:
    uid = claims.get("sub")
    if not isinstance(uid, str) or not 1 <= len(uid) <= 128 or _NO_TEXT.search(uid):
        raise _invalid()
    email = claims.get("email")
    return Caller(
        owner=Owner(uid),
        email=email if isinstance(email, str) else "",
        admin=claims.get("admin") is True,
    )


def _expired() -> Unauthenticated:
    return Unauthenticated(
        "The ID token has expired; get a new one with `getIdToken(true)` and repeat the call.",
        reason="TOKEN_EXPIRED",
    )


def _invalid() -> Unauthenticated:
    return Unauthenticated(
        "The ID token is not a valid one of this project; sign out, sign in again and send the new token.",
        reason="TOKEN_INVALID",
    )
