"""Which headers pass between the client and the user's server? All but those of one hop and those of ours."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade expect".split()
)
OURS = b"dormouse-"
CLOUD_RUN_TOKEN = b"x-serverless-authorization"


def request_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what the user's server may see; our credentials never reach the user's code."""
    named = list(headers)
    dropped = HOP_BY_HOP | _nominated(named)
    return [
        (name, value)
        for name, value in named
        if name not in dropped and not name.startswith(OURS) and name != CLOUD_RUN_TOKEN
    ]


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what the client may see of the answer; what only we say cannot be said by the user's code."""
    lowered = [(name.lower(), value) for name, value in headers]
    dropped = HOP_BY_HOP | _nominated(lowered)
    return [(name, value) for name, value in lowered if name not in dropped and not name.startswith(OURS)]


def _nominated(headers: Headers) -> frozenset[bytes]:
    """Return the headers that Connection declares to be of this hop only."""
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))
