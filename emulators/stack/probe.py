"""Does an address answer, and what did a log last say?"""

import http.client
from pathlib import Path
from urllib.parse import urlsplit


def answers(address: str, timeout: float = 2) -> bool:
    """Whether a GET of the address answers 200. Goes past any proxy: everything asked is on this machine."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, indented for quoting in an error."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    return "\n".join(f"    {line}" for line in lines or ["(the log is empty)"])
