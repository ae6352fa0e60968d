"""How the billing checks read the meter: a time is held, moved on by hours, and asked for what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google.cloud import run_v2
from websockets.sync.client import ClientConnection, connect

from tests.emulators.cloud_run.driver import Emulator, a_container, a_service, eventually, http

HOUR = 3600


@dataclass
class Till:
    """An emulator whose clock is one's own."""

    emulator: Emulator

    def clock(self, verb: str, **body: Any) -> str:
        """Hold, resume or advance the clock; the time it shows."""
        return str(
            http.post(f"{self.emulator.url}/emulator/v1/clock:{verb}", json=body)
            .raise_for_status()
            .json()["now"]
        )

    @contextmanager
    def standing(self) -> Iterator[Spell]:
        """The clock stands still but for what the spell moves it; what came before has been rounded up by then."""
        self.clock("hold")
        start = self.clock("advance", seconds=1).replace("+00:00", "Z")
        try:
            yield Spell(self, start)
        finally:
            self.clock("resume")

    def serve(
        self, service_id: str, scaling: run_v2.ServiceScaling, *, cpu_idle: bool = True, **container: Any
    ) -> run_v2.Service:
        """A service of 1 vCPU and 512Mi, scaled; requests may take an hour."""
        limits = container.pop("limits", {"cpu": "1", "memory": "512Mi"})
        resources = run_v2.ResourceRequirements(limits=limits, cpu_idle=cpu_idle)
        containers = [a_container(resources=resources, **container)]
        self.emulator.create(service_id, a_service(containers=containers, timeout="3600s"))
        return self.emulator.scale(service_id, scaling)

    def rests(self, service_id: str, count: int = 1) -> None:
        """Wait until so many instances are there and none of them is asked anything."""

        def resting() -> bool:
            found = self.emulator.instances(service_id)
            ready = [one for one in found if one["state"] in ("SERVING", "FROZEN")]
            return len(found) == len(ready) == count and not any(one["requestsInFlight"] for one in found)

        eventually(resting, 60)

    def in_flight(self, service_id: str) -> int:
        """How many requests are open."""
        return sum(one["requestsInFlight"] for one in self.emulator.instances(service_id))

    @contextmanager
    def open_socket(self, service: run_v2.Service) -> Iterator[ClientConnection]:
        """A WebSocket that has reached an instance, and has left it afterwards."""
        id_ = service.name.rpartition("/")[2]
        before = self.in_flight(id_)
        with connect(f"{service.uri.replace('http', 'ws', 1)}/talk", open_timeout=30) as socket:
            socket.send("hello")
            socket.recv(timeout=30)
            yield socket
        eventually(lambda: self.in_flight(id_) == before)


@dataclass
class Spell:
    """A time during which the clock is moved by hand."""

    till: Till
    start: str

    def passes(self, seconds: float) -> str:
        """Let so much time go by; the time it then is."""
        return self.till.clock("advance", seconds=seconds)

    def bill(self, service_id: str) -> Bill:
        """What the service costs from the beginning of the spell until now."""
        now = http.get(f"{self.till.emulator.url}/emulator/v1/clock").json()["now"].replace("+00:00", "Z")
        return bill(self.till.emulator, service_id, **{"from": self.start, "to": now})


@dataclass
class Bill:
    """A bill as the emulator gives it."""

    document: dict[str, Any]

    def quantity(self, *items: str) -> int:
        """The sum of the quantities of some items, in their units."""
        return sum(int(line["quantity"]) for line in self.document["lines"] if line["item"] in items)

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """vCPU-seconds by item."""
        found: dict[str, int] = {}
        for line in self.document["lines"]:
            if line["unit"] == "vCPU-ns":
                found[line["item"]] = found.get(line["item"], 0) + int(line["quantity"])
        return {item: quantity / 10**9 for item, quantity in found.items()}

    @property
    def usd(self) -> float:
        """The total, to four places, as price tables have it."""
        return round(int(self.document["total"]) / 10**12, 4)


def bill(emulator: Emulator, service_id: str, **window: str) -> Bill:
    """The bill of a service, of all times or of a window."""
    answer = http.get(f"{emulator.url}/emulator/v1/services/{service_id}/bill", params=window)
    assert answer.status_code == 200, answer.text
    return Bill(answer.json())
