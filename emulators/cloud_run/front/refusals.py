"""How does the front itself answer? Short plain text: what happened and what to do."""

from __future__ import annotations

from http import HTTPStatus


class Refusal(Exception):
    """A request that never reaches a container."""

    def __init__(self, code: int, message: str, challenge: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.challenge = challenge


def answer(refusal: Refusal) -> bytes:
    """The whole response, head and body, in one piece; the connection ends with it."""
    body = f"{refusal.message}\n".encode()
    reason = HTTPStatus(refusal.code).phrase
    lines = [
        f"HTTP/1.1 {refusal.code} {reason}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if refusal.challenge:
        lines.append(f"WWW-Authenticate: {refusal.challenge}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
