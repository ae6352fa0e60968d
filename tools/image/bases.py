"""Which images do ours start from? A named one that is here or can be pulled, else one made on this machine.

The one place that names the supported releases. A deployer gives others by digest: `--base python=IMAGE@sha256:...`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import docker
from docker.errors import APIError, ImageNotFound

from tools.image import made_here
from tools.venv import SetupFailed

RELEASES: Mapping[str, str] = {"python": "python:3.13", "node": "node:24-slim"}
"""Python's full image, because a workstation wants git and a compiler; of Node's only node and npm are taken."""


@dataclass(frozen=True, slots=True)
class Base:
    """An image that the engine has: its name, its id (`sha256:...`), and why this one."""

    name: str
    id: str
    why: str


def find(engine: docker.DockerClient, role: str, given: Mapping[str, str]) -> Base:
    """The base for "python" or "node"; raises SetupFailed with what to do.

    One that was made here is kept until it is removed, so that no registry is asked for it each time.
    """
    name = given.get(role, RELEASES[role])
    if found := _present(engine, name):
        return Base(name, found, "found here")
    mine = made_here.name(role)
    if role not in given and (found := _present(engine, mine)):
        return Base(mine, found, "made here before")
    try:
        return Base(name, str(engine.images.pull(name).id), "pulled")
    except APIError as refusal:
        if role in given:
            raise SetupFailed(
                f"There is no {name} here, and it cannot be pulled: {_reason(refusal)}"
            ) from None
        return Base(mine, made_here.make(engine, role, _reason(refusal)), "made here, no registry answers")


def _present(engine: docker.DockerClient, name: str) -> str:
    try:
        return str(engine.images.get(name).id)
    except ImageNotFound:
        return ""


def _reason(refusal: APIError) -> str:
    return str(refusal.explanation or refusal)
