"""What of ours is in the engine that should not be? Found by label, removed with what it holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from docker.errors import APIError, NotFound

from emulators.cloud_run.runtime.docker.engine import Client
from emulators.cloud_run.runtime.docker.labels import MANAGED

Choice = Callable[[dict[str, Any]], bool]


def remove_containers(client: Client, choose: Choice) -> int:
    """Remove the containers of ours that are chosen, also those that were never started; returns how many."""
    removed = 0
    for facts in client.api.containers(all=True, filters={"label": MANAGED}):
        if choose(facts):
            removed += _is_gone(partial(client.api.remove_container, facts["Id"], v=True, force=True))
    return removed


def remove_networks(client: Client, choose: Choice) -> None:
    """Remove the networks of ours that are chosen and that hold no container."""
    for facts in client.api.networks(filters={"label": MANAGED}):
        if choose(facts):
            _is_gone(partial(client.api.remove_network, facts["Id"]))


def _is_gone(remove: Callable[[], None]) -> bool:
    try:
        remove()
    except NotFound:
        return True
    except APIError:
        # Somebody else is removing it, or is still in it: the next look finds it.
        return False
    return True
