"""One local cloud for many rounds: short timers, relays between the product and the emulators, and a witness."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from emulators.stack import LocalCloud, Options
from emulators.stack.google_cloud import BACKUP_BUCKET
from emulators.stack.options import PROJECT, REGION
from emulators.stack.ports import DEFAULTS, is_free
from proof.relays.detours import Detours
from proof.running import Running, running
from proof.tripwire import Tripwire
from proof.victims import Victims
from proof.witness import Witness

MINUTE_SECONDS = 2.0
"""How long a minute of the scheduler lasts here."""
SETTINGS = {
    "AUTO_IDLE_MINUTES": "0.15",
    "AUTO_STOP_MINUTES": "0.3",
    # So short that they are renewed within a story.
    "RESERVE_MINUTES": "1",
    "RESERVE_MINIMUM_MINUTES": "0.4",
}


# Below what the kernel gives to outgoing connections: one of those would take a killed part's port before it is back.
_FIRST_PORT, _LAST_PORT, _BLOCK = 20_000, 32_000, 50


def free_ports(lane: int, lanes: int) -> dict[str, int]:
    """A port for each part, from a block that is this lane's alone. Raises RuntimeError when every block is in use."""
    for first in range(_FIRST_PORT + lane * _BLOCK, _LAST_PORT, lanes * _BLOCK):
        ports = {name: first + offset for offset, name in enumerate(DEFAULTS)}
        if all(is_free(port) for port in ports.values()):
            return ports
    raise RuntimeError(f"No block of free ports between {_FIRST_PORT} and {_LAST_PORT}.")


class Place:
    """Started as a context; one round at a time."""

    witness: Witness
    cloud: LocalCloud

    def __init__(
        self, state: Path, runtime: str, ports: Mapping[str, int], say: Callable[[str], None]
    ) -> None:
        self._state = state
        self._ports = ports
        self._runtime = runtime
        self._say = say
        self._running: Running = running(runtime)
        victims = Victims(lambda: self.cloud.pids, self._running)
        self.tripwire = Tripwire(victims.strike)
        self._detours = Detours(self.tripwire, lambda name: self.cloud.addresses.ports[name])

    def __enter__(self) -> Self:
        options = Options(
            state=self._state,
            settings=SETTINGS,
            minute_seconds=MINUTE_SECONDS,
            workstation=False,
            ephemeral=True,
            ports=self._ports,
            runtime=self._runtime,
            detours=self._detours.start(),
        )
        self.cloud = LocalCloud(options, self._say)
        try:
            self.cloud.start()
        except BaseException:
            self._detours.stop()
            raise
        # As a developer's shell would: by these variables Google's clients find the emulators.
        os.environ.update(self.cloud.description()["environment"])
        self.witness = Witness(PROJECT, REGION, BACKUP_BUCKET, self.cloud.endpoints, self._running)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tripwire.disarm()
        self.cloud.stop()
        self._detours.stop()
