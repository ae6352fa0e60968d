"""Which headers pass? None that speak for us, none of a single hop, and none by which a page could reach beyond itself."""

import re
from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer"
    b" transfer-encoding upgrade expect".split()
)
CREDENTIALS = frozenset({b"authorization", b"x-serverless-authorization"})
FORWARDED = (b"forwarded", b"x-forwarded-")
INTERNAL = b"dormouse-"
EXECUTION = b"dormouse-exec"
"""The id by which a client comes back to a command: the only internal header that is the client's."""
FAR_REACHING = frozenset(
    b"service-worker-allowed clear-site-data strict-transport-security alt-svc nel report-to".split()
)
"""What a page may say only of an origin of its own; here all share the gateway's."""
SANDBOX = (b"content-security-policy", b"sandbox allow-scripts allow-forms allow-popups allow-modals")
OUR_COOKIE = re.compile(rb"(?:__host-|__secure-)?dormouse", re.IGNORECASE)


def to_workstation(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What the workstation may see of a request; host and framing are set anew by whoever sends it."""
    kept = _end_to_end(headers)
    passed: Headers = []
    for name, value in kept:
        if (
            name in CREDENTIALS
            or name.startswith((*FORWARDED, INTERNAL))
            or name in (b"host", b"content-length")
        ):
            continue
        if name == b"cookie":
            value = _others_cookies(value)
            if not value:
                continue
        passed.append((name, value))
    return passed


def to_client(headers: Iterable[tuple[bytes, bytes]], prefix: str, *, own: bool) -> Headers:
    """What the client may see of an answer; `own` ones are the agent's, the others come from the user's program."""
    passed: Headers = []
    for name, value in _end_to_end(headers):
        if name in FAR_REACHING or (name.startswith(INTERNAL) and not (own and name == EXECUTION)):
            continue
        if name == b"set-cookie":
            if OUR_COOKIE.match(value.strip()):
                continue
            value = _confined(value, prefix.encode())
        passed.append((name, value))
    return passed if own else [*passed, SANDBOX]


def value_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The first value of a header, or nothing."""
    return next((value for key, value in headers if key.lower() == name), b"")


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    lowered = [(name.lower(), value) for name, value in headers]
    nominated = {
        token.strip().lower()
        for name, value in lowered
        if name == b"connection"
        for token in value.split(b",")
    }
    return [(name, value) for name, value in lowered if name not in HOP_BY_HOP and name not in nominated]


def _others_cookies(value: bytes) -> bytes:
    pairs = (pair.strip() for pair in value.split(b";"))
    return b"; ".join(pair for pair in pairs if pair and not OUR_COOKIE.match(pair))


def _confined(cookie: bytes, prefix: bytes) -> bytes:
    """The cookie for this workstation's part of our host alone, and for no other host."""
    first, *attributes = (part.strip() for part in cookie.split(b";"))
    kept = [first]
    for attribute in attributes:
        name, _, value = attribute.partition(b"=")
        match name.strip().lower():
            case b"domain":
                continue
            case b"path" if not value.strip().startswith(prefix + b"/"):
                kept.append(
                    b"Path=" + prefix + (b"" if value.strip().startswith(b"/") else b"/") + value.strip()
                )
            case _:
                kept.append(attribute)
    return b"; ".join(kept)
