"""Which loopback port does each part of the local cloud get, and who sits on one that it cannot get?

A default that is taken is replaced and said so; a port that the user asked for by name is never replaced.
"""

import random
import socket
from collections.abc import Callable, Iterable, Mapping

import psutil

LOOPBACK = "127.0.0.1"

_FREE = range(16_000, 20_000)
"""Below the kernel's ephemeral ports, so that no outgoing connection takes one between the choice and its use."""

DEFAULTS: Mapping[str, int] = {
    "firestore": 8080,
    "api": 8081,
    "sweep": 8082,
    "cleanup": 8083,
    "gateway": 8084,
    "cloud_run": 8090,
    "identity": 8091,
    "metadata_api": 8092,
    "metadata_sweep": 8093,
    "metadata_cleanup": 8094,
    "metadata_gateway": 8095,
    "metadata_scheduler": 8096,
    "metadata_runtime": 8097,
    "cloud_scheduler": 8098,
    "auth": 9099,
    "auth_hub": 4400,
    "auth_logging": 4500,
    "cloud_storage": 9199,
    "cloud_storage_signed": 9198,
}


class PortTaken(Exception):
    """A port that was asked for by name belongs to somebody else."""


def choose(
    names: Iterable[str],
    forced: Mapping[str, int],
    say: Callable[[str], None],
    any_free: bool = False,
    defaults: Mapping[str, int] = DEFAULTS,
) -> dict[str, int]:
    """A port for each name: the forced one, else its default, else (or with any_free always) a free one.

    Raises PortTaken, naming who holds it, when a forced port cannot be had.
    """
    held: list[socket.socket] = []
    try:
        chosen: dict[str, int] = {}
        # Forced ports first, so that no default takes one of them.
        for name in sorted(names, key=lambda name: name not in forced):
            listener = _listener_for(name, forced.get(name), None if any_free else defaults[name], say)
            held.append(listener)
            chosen[name] = int(listener.getsockname()[1])
        return chosen
    finally:
        for listener in held:
            listener.close()


def is_free(port: int) -> bool:
    """Whether somebody could listen on this loopback port now."""
    listener = _bind(port)
    if listener is not None:
        listener.close()
    return listener is not None


def holder(port: int) -> str:
    """Who listens on the port, as far as this user may see."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and port in connection.laddr[1:]
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, process {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return "a process that this user may not see"


def _listener_for(
    name: str, forced: int | None, default: int | None, say: Callable[[str], None]
) -> socket.socket:
    if forced is not None:
        listener = _bind(forced)
        if listener is None:
            raise PortTaken(
                f"Port {forced} for {name} is taken by {holder(forced)}. End that process, or leave out "
                f"--port {name}={forced} and a free port is chosen."
            )
        return listener
    listener = None if default is None else _bind(default)
    if listener is None:
        listener = _bind_any()
        if listener is None:
            raise PortTaken(f"The system has no free loopback port for {name}.")
        if default is not None:
            say(f"Port {default} is taken by {holder(default)}; {name} gets {listener.getsockname()[1]}.")
    return listener


def _bind_any() -> socket.socket | None:
    # Of the system's own randomness: a program that seeds its generator would always begin with the same.
    ports = random.SystemRandom().sample(_FREE, len(_FREE))
    return next((listener for port in ports if (listener := _bind(port)) is not None), None)


def _bind(port: int) -> socket.socket | None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener
