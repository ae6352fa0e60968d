"""Which of the user's ports is a request for? The gateway says so in Dormouse-Port, or it is the default."""

from starlette.requests import HTTPConnection

from agent.errors import AgentError
from agent.settings import Settings


def target_port(connection: HTTPConnection, settings: Settings) -> int:
    """Return the port; raises a 400 for what is no port or is the agent itself."""
    text = connection.headers.get("dormouse-port")
    if text is None:
        return settings.served_port
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536) or int(text) == settings.port:
        raise AgentError(400, f"Dormouse-Port {text[:20]!r} is not a port of a user's server")
    return settings.served_port if int(text) == settings.user_port else int(text)


def target_path(connection: HTTPConnection) -> bytes:
    """Return the path and query exactly as the client sent them."""
    path: bytes = connection.scope["raw_path"]
    query: bytes = connection.scope["query_string"]
    return path + b"?" + query if query else path


def nothing_listens(port: int) -> AgentError:
    """Return the error for a port without a server."""
    return AgentError(
        502,
        f"nothing listens on port {port} of the workstation; start your web server on that port"
        " (for example `python -m http.server PORT`), or open the port on which it does listen",
        details=[{"reason": "PORT_NOT_LISTENING", "port": port}],
    )
