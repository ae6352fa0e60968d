"""What do others need to know of a running local cloud? The content of its stack file."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from emulators.stack.auth import User
from emulators.stack.component import Component
from emulators.stack.options import ACCOUNTS, PROJECT, REGION, Addresses
from emulators.stack.product import endpoint_variables

_LISTED = (
    "api",
    "gateway",
    "sweep",
    "cleanup",
    "cloud_run",
    "cloud_storage",
    "cloud_scheduler",
    "identity",
    "firestore",
    "auth",
)


def endpoints(addresses: Addresses) -> dict[str, str]:
    """Addresses by name. `metadata` is the one that workstations see; it stands for an account without roles."""
    listed = {name: addresses.url(name) for name in _LISTED}
    return listed | {"metadata": addresses.url("metadata_runtime")}


def describe(
    addresses: Addresses,
    components: Sequence[Component],
    pids: Mapping[str, int],
    tokens: Mapping[User, str],
) -> dict[str, Any]:
    """Where everything is, who may sign in, and which process is which."""
    users = [{"uid": who.uid, "email": who.email, "idToken": token} for who, token in tokens.items()]
    parts = {
        part.name: {"address": part.address, "ready": part.ready, "log": str(part.log)} for part in components
    }
    return {
        "project": PROJECT,
        "region": REGION,
        "endpoints": endpoints(addresses),
        "metadata": {name: addresses.url(f"metadata_{name}") for name in ACCOUNTS},
        "environment": endpoint_variables(addresses),
        "users": users,
        "pids": {"supervisor": os.getpid(), **pids},
        "components": parts,
    }
