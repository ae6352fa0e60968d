"""What is this instance at this moment? Joins gate, activity, clock and workspace; decides nothing itself."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from agent import clock
from agent.activity.model import Activity, Report, Source, Touch
from agent.activity.sampler import Sampler
from agent.control.gate import Gate, State
from agent.errors import not_now
from agent.relay.connections import Connections
from agent.settings import Settings
from agent.workspace.workspace import Workspace

BOOT = "dormouse-boot"
"""By this header a call says which instance it is for, and an answer which one it is from."""
REPLACED = "REPLACED"
"""The gate of an instance that another one was meant by."""
SERVICE_RESTART = 1012  # the close code that tells a WebSocket client to come back
WAITING = {
    State.EMPTY: "the workspace is not loaded yet",
    State.LOADING: "the workspace is being loaded",
    State.QUIESCED: "the workstation is being put to sleep",
}


class Instance:
    """The parts of one running agent."""

    def __init__(self, settings: Settings) -> None:
        self.boot_id = secrets.token_hex(8)
        self.settings = settings
        self.gate = Gate()
        self.activity = Activity()
        self.sampler = Sampler(self.activity)
        self.connections = Connections(
            SERVICE_RESTART, "the workstation goes to sleep; connect again to wake it"
        )
        self.workspace = Workspace(settings.workspace)
        self._started = clock.monotonic()
        self._thawed = clock.ThawedClock(self._started)
        self.stopping = False

    @property
    def thawed(self) -> float:
        """Return the thawed seconds of this instance up to now."""
        return self._thawed.advance(clock.monotonic())

    async def tick(self) -> None:
        """Keep the window of samples dense and thawed time running, for as long as the agent lives."""
        while True:
            await self.sampler.sample()
            self._thawed.advance(clock.monotonic())
            await asyncio.sleep(clock.TICK_SECONDS)

    @property
    def state(self) -> State:
        """Return the state of the gate as of now."""
        return self.gate.state(self.thawed)

    @property
    def uptime(self) -> float:
        """Return the seconds since the agent started, frozen ones included."""
        return clock.monotonic() - self._started

    def is_meant(self, headers: Mapping[str, str]) -> bool:
        """Tell whether the control plane or the gateway, where they name an instance, name this one."""
        return headers.get(BOOT, self.boot_id) == self.boot_id

    def admit(self, headers: Mapping[str, str]) -> None:
        """Raise a 503 unless users may come in now, and this is the instance that they were sent to."""
        if self.stopping:
            raise not_now("the instance is shutting down")
        if not self.is_meant(headers):
            raise not_now("the platform has replaced the instance; try again in a moment", gate=REPLACED)
        if self.state is not State.READY:
            raise not_now(f"{WAITING[self.state]}; try again in a moment", gate=self.state)

    def touch(self, source: Source) -> None:
        """Note something that a client did just now."""
        self.activity.touch(source, clock.now())

    def identity(self) -> dict[str, Any]:
        """Return the fields that tell this instance and its epoch from any other."""
        return {"state": self.state, "bootId": self.boot_id, "epoch": self.gate.epoch}


def encode_touch(touch: Touch | None) -> dict[str, str] | None:
    """Return the JSON form of an activity."""
    return None if touch is None else {"time": clock.timestamp(touch.time), "source": touch.source}


def encode_report(report: Report) -> dict[str, Any]:
    """Return the JSON form of what goes on."""
    causes = [
        {"source": cause.source, "pid": cause.pid, "name": cause.name, "cpuPercent": cause.cpu_percent}
        for cause in report.causes
    ]
    return {"busy": report.busy, "causes": causes, "lastActivity": encode_touch(report.last)}
