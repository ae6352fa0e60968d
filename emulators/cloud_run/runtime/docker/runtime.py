"""The runtime of containers: starts them, hears of their ends, and outlives an engine that goes away and comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from emulators.cloud_run.runtime.contract import Launch, RuntimeFailure
from emulators.cloud_run.runtime.docker.bounds import PIDS, creation
from emulators.cloud_run.runtime.docker.container import DockerContainer
from emulators.cloud_run.runtime.docker.engine import Client, Engine, EngineSilent, NotThere
from emulators.cloud_run.runtime.docker.events import Event, Events
from emulators.cloud_run.runtime.docker.images import Images
from emulators.cloud_run.runtime.docker.labels import INSTANCE, REVISION, SERVICE, STATE, Owner
from emulators.cloud_run.runtime.docker.leftovers import remove_containers, remove_networks
from emulators.cloud_run.runtime.docker.networks import Networks
from emulators.cloud_run.runtime.logs import prune

_LOG = logging.getLogger("emulators.cloud_run")
_AWAY = "The container engine does not answer; the instance is lost."


class DockerRuntime:
    """Runs images in the containers of a Docker engine."""

    def __init__(
        self, state: Path, images: Mapping[str, tuple[str, ...]], doors: Mapping[int, int], *, why: str
    ) -> None:
        self._owner = Owner(state)
        self._engine = Engine()
        self._images = Images(self._engine, self._owner)
        self._networks = Networks(self._engine, self._owner)
        self._stand_ins = images
        self._doors = doors
        self._why = why
        self._facts: dict[str, Any] = {}
        # By instance; None while a container is being created.
        self._living: dict[str, DockerContainer | None] = {}
        self._events: Events | None = None
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and say which images have to be pulled."""
        await self._engine.open()
        self._facts = await self._engine.call(lambda client: client.info())
        for image in self._stand_ins:
            if not await self.has(image):
                _LOG.info(
                    "The engine has no image %s; the command that stands for it is for processes.", image
                )

    async def clean(self) -> int:
        """Remove containers and networks of this state directory, and of emulators that are no more; then listen."""
        removed = await self._engine.call(lambda c: remove_containers(c, self._is_leftover))
        await self._engine.call(lambda c: remove_networks(c, self._is_leftover))
        self._events = Events(
            self._owner.state, happened=self._happened, connected=self._look, broken=self._look
        )
        return removed

    async def close(self) -> None:
        """Stop listening."""
        if self._events is not None:
            self._events.close()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        self._engine.close()

    async def has(self, image: str) -> bool:
        """Whether the engine has it; while nobody can say, we hope so, and the start tells."""
        try:
            await self._images.find(image)
        except NotThere:
            return False
        except EngineSilent:
            return True
        return True

    async def fetch(self, image: str) -> str:
        """Pull it."""
        return await self._images.fetch(image)

    async def launch(self, launch: Launch) -> DockerContainer:
        """Create and start a container in its service's network."""
        self._living[launch.instance_id] = None
        try:
            container = await self._create(launch)
        except BaseException:
            self._living.pop(launch.instance_id)
            raise
        self._living[launch.instance_id] = container
        try:
            await container.start()
        except BaseException:
            await container.destroy()
            raise
        self._tidy()
        return container

    def describe(self) -> dict[str, Any]:
        """The engine, and what it bounds."""
        return {
            "runtime": "docker",
            "why": self._why,
            "engine": self._facts.get("ServerVersion"),
            "workspaceBound": "tmpfs",
            "memoryBound": "cgroup",
            "cpuBound": "cgroup",
            "networkBound": "bridge",
            "pids": PIDS,
            "doors": [f"127.0.0.1:{port}" for port in self._doors],
        }

    async def _create(self, launch: Launch) -> DockerContainer:
        revision = launch.revision
        image = await self._images.find(revision.image)
        network = await self._networks.join(revision.service_id)
        try:
            facts = creation(launch, image, network=network, cpus=self._facts["NCPU"])
            names = {SERVICE: revision.service_id, REVISION: revision.name, INSTANCE: launch.instance_id}
            labels = self._owner.labels(**names)
            made = await self._engine.call(lambda client: client.containers.create(**facts, labels=labels))
        except BaseException:
            await self._networks.leave(revision.service_id)
            raise
        await asyncio.to_thread(launch.log.parent.mkdir, parents=True, exist_ok=True)
        prune(launch.log.parent)
        return DockerContainer(self._engine, launch, made.id, self._doors, removed=self._removed)

    async def _removed(self, launch: Launch) -> None:
        self._living.pop(launch.instance_id, None)
        await self._networks.leave(launch.revision.service_id)

    def _happened(self, event: Event) -> None:
        attributes = event["Actor"]["Attributes"]
        container = self._living.get(attributes.get(INSTANCE, ""))
        action, _, detail = event["Action"].partition(": ")
        if container is None:
            return
        if action == "die":
            container.died(int(attributes["exitCode"]))
        elif action == "oom":
            container.ran_out_of_memory()
        elif action == "health_status":
            container.became(detail)

    def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._compare())

    def _tidy(self) -> None:
        """Remove the network that outlived its engine's absence, now that the engine has started something again."""
        if self._networks.left_one and (self._looking is None or self._looking.done()):
            self._networks.left_one = False
            self._look()

    async def _compare(self) -> None:
        """Learn what events have not told, and remove what nobody here knows."""
        try:
            found = await self._engine.call(self._containers)
            for instance_id, container in list(self._living.items()):
                if container is not None and container.started:
                    await self._check(container, found.get(instance_id))
            await self._engine.call(lambda client: remove_containers(client, self._is_unknown))
            await self._engine.call(lambda client: remove_networks(client, self._is_unused))
        except EngineSilent:
            for container in self._living.values():
                if container is not None and container.started:
                    container.vanished(_AWAY)
        except RuntimeFailure as error:
            _LOG.warning("The engine did not say what runs: %s", error)

    def _containers(self, client: Client) -> dict[str, str]:
        """Our containers' states by instance."""
        listed = client.api.containers(all=True, filters={"label": f"{STATE}={self._owner.state}"})
        return {facts["Labels"].get(INSTANCE, ""): facts["State"] for facts in listed}

    async def _check(self, container: DockerContainer, state: str | None) -> None:
        if state is None:
            container.vanished("The container has vanished.")
        elif state in ("exited", "dead"):
            await container.look()

    def _is_leftover(self, facts: dict[str, Any]) -> bool:
        return self._owner.may_remove(facts["Labels"])

    def _is_unknown(self, facts: dict[str, Any]) -> bool:
        labels = facts["Labels"]
        ours = labels.get(STATE) == self._owner.state and INSTANCE in labels
        return ours and labels[INSTANCE] not in self._living

    def _is_unused(self, facts: dict[str, Any]) -> bool:
        labels = facts["Labels"]
        ours = labels.get(STATE) == self._owner.state
        return ours and not self._networks.keeps(labels.get(SERVICE, ""), facts["Id"])
