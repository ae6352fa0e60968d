"""The shape of what is not JSON: everything below a prefix, passed on as bytes, for whoever the access names."""

from dataclasses import dataclass

from functions.http.routes import Access


@dataclass(frozen=True, slots=True)
class Passage:
    """One row of the table: HTTP by every method, and WebSocket."""

    prefix: str
    access: Access
    summary: str
