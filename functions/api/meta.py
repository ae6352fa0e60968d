"""What anybody may ask of the API itself: is it there, what is it, how is it used."""

from functions.api import wire
from functions.http.routes import Access, Answer, Incoming, Route

VERSION = "0.1.0"


def health(_incoming: Incoming) -> Answer:
    return Answer(wire.Health(status="healthy", version=VERSION))


ROUTES = tuple(
    Route("GET", path, health, Access.PUBLIC, "Whether it answers.", wire.Health)
    for path in ("/health", "/healthz", "/version")
)
