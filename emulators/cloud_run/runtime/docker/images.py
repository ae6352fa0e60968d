"""Which image is meant, and as whom does it run? A digest is a repository's, or the id of an image that was built here."""

from __future__ import annotations

import asyncio
import io
import tarfile
from dataclasses import dataclass
from typing import Any

from docker.errors import ImageNotFound, NotFound

from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.cloud_run.runtime.docker.engine import Client, Engine, EngineSilent, NotThere
from emulators.cloud_run.runtime.docker.labels import Owner

_PULL_SECONDS = 120.0
_NOBODY = 10001
_ROOT = ("", "0", "root")
_HOME = "/home/user"
# What a registry says when it has been asked and has no such thing.
_UNKNOWN = ("manifest unknown", "not found", "does not exist", "denied", "unauthorized")


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the engine, and the user that its containers have: the image's own, unless that is root."""

    id: str
    user: str
    uid: int
    gid: int
    home: str


class Images:
    """The images of the engine."""

    def __init__(self, engine: Engine, owner: Owner) -> None:
        self._engine = engine
        self._owner = owner
        self._known: dict[str, Image] = {}

    async def find(self, name: str) -> Image:
        """The image that a template names; NotThere when the engine has none."""
        facts = await self._engine.call(lambda client: _inspect(client, name))
        image = self._known.get(facts["Id"])
        if image is None:
            image = await self._engine.call(lambda client: _image(client, facts, self._owner))
            self._known[image.id] = image
        return image

    async def fetch(self, name: str) -> str:
        """Pull an image; why it cannot be had, or nothing. TimeoutError when that takes too long."""
        try:
            async with asyncio.timeout(_PULL_SECONDS):
                await self._engine.call(lambda client: _pull(client, name))
                await self.find(name)
        except EngineSilent as error:
            return f"Image '{name}' cannot be fetched. {error}"
        except RuntimeFailure as error:
            words = str(error)
            if isinstance(error, NotThere) or any(word in words.lower() for word in _UNKNOWN):
                return f"Image '{name}' not found: neither the engine nor its registry has it. {words}"
            return f"Image '{name}' not found in the engine, and its registry could not be reached. {words}"
        return ""


def _inspect(client: Client, name: str) -> dict[str, Any]:
    try:
        return client.api.inspect_image(name)  # type: ignore[no-any-return]
    except (ImageNotFound, NotFound):
        digest = name.rpartition("@")[2]
        if not digest.startswith("sha256:"):
            raise
        return client.api.inspect_image(digest)  # type: ignore[no-any-return]


def _pull(client: Client, name: str) -> None:
    for line in client.api.pull(name, stream=True, decode=True):
        if "error" in line:
            raise RuntimeFailure(str(line["error"]))


def _image(client: Client, facts: dict[str, Any], owner: Owner) -> Image:
    config = facts.get("Config") or {}
    variables = dict(variable.partition("=")[::2] for variable in config.get("Env") or ())
    home = variables.get("HOME") or _HOME
    user = config.get("User") or ""
    name, _, group = user.partition(":")
    if name in _ROOT:
        return Image(facts["Id"], f"{_NOBODY}:{_NOBODY}", _NOBODY, _NOBODY, home)
    if not name.isdecimal():
        uid, gid = _looked_up(client, facts["Id"], name, owner)
        return Image(facts["Id"], f"{uid}:{gid}", uid, gid, home)
    gid = int(group) if group.isdecimal() else int(name)
    return Image(facts["Id"], f"{name}:{gid}", int(name), gid, home)


def _looked_up(client: Client, image_id: str, name: str, owner: Owner) -> tuple[int, int]:
    """The numbers of a user that the image's own /etc/passwd names."""
    container = client.api.create_container(image_id, command=["true"], labels=owner.labels())["Id"]
    try:
        pieces, _ = client.api.get_archive(container, "/etc/passwd")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            file = archive.extractfile("passwd")
            lines = file.read().decode().splitlines() if file else []
    except NotFound:
        lines = []
    finally:
        client.api.remove_container(container, force=True)
    for words in (line.split(":") for line in lines):
        if words[0] == name and int(words[2]) != 0:
            return int(words[2]), int(words[3])
    raise RuntimeFailure(f"The image's user '{name}' is root, or is not in its /etc/passwd.")
