"""With which credentials was this call made?  The Authorization header of either transport, for handlers that ask."""

from contextvars import ContextVar

_authorization: ContextVar[str] = ContextVar("authorization", default="")


def carry(authorization: str | bytes | None) -> None:
    """The call that is being answered came with this header."""
    text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
    _authorization.set(text or "")


def bearer() -> str:
    """The token that the call came with; empty when it has none."""
    scheme, _, token = _authorization.get().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
