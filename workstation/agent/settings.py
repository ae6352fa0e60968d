"""What does this agent's environment tell it? Reads a mapping once; refuses what it cannot understand."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GOOGLE_CERTS = "https://www.googleapis.com/oauth2/v3/certs"
OWN_VARIABLES = frozenset({"GOOGLE_CERTS_URL", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the agent is configured by."""

    service: str
    workspace: Path
    controllers: frozenset[str]
    port: int
    bind: str
    user_port: int
    """What the gateway calls the port of the user's server."""
    served_port: int
    """Where that server really listens: elsewhere where several workstations share one network."""
    certs_url: str
    user_environment: Mapping[str, str]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings; a ValueError names the variable that is missing or malformed."""
    if not environment.get("K_SERVICE"):
        raise ValueError(
            "K_SERVICE is not set; without it no caller could be told from another workstation's"
        )
    user_port = _port(environment, "DORMOUSE_USER_PORT", 3000)
    shares_network = environment.get("DORMOUSE_SHARED_NETWORK") == "true"
    served_port = _free_port() if shares_network else user_port
    controllers = environment.get("DORMOUSE_CONTROLLERS", "").split(",")
    return Settings(
        service=environment["K_SERVICE"],
        workspace=Path(environment.get("DORMOUSE_WORKSPACE") or "/workspace"),
        controllers=frozenset(email.strip() for email in controllers if email.strip()),
        port=_port(environment, "PORT", 8080),
        # Cloud Run reaches the container from outside of it, so loopback would never be healthy there.
        bind=environment.get("DORMOUSE_BIND") or "0.0.0.0",  # noqa: S104
        user_port=user_port,
        served_port=served_port,
        certs_url=environment.get("GOOGLE_CERTS_URL") or GOOGLE_CERTS,
        user_environment=user_environment(environment, served_port),
    )


def user_environment(environment: Mapping[str, str], port: int) -> dict[str, str]:
    """Return what the user's programs inherit: all but our own settings, and their port as PORT."""
    inherited = {
        name: value
        for name, value in environment.items()
        if not name.startswith("DORMOUSE_") and name not in OWN_VARIABLES
    }
    # The agent holds $PORT; a development server that took it too would only fail to bind.
    return inherited | {"PORT": str(port)}


def _free_port() -> int:
    """Return a port that nobody on this network listens on; another workstation's server may hold the usual one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"{name} is {text!r}; it must be a port number from 1 to 65535")
    return int(text)
