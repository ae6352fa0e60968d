"""Histories for tests of the meter: what instances went through, said in seconds, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulators.cloud_run.instances.usage import Allocation
from emulators.cloud_run.meter.bill import Bill, bill
from emulators.cloud_run.meter.consumption import consumption
from emulators.cloud_run.meter.facts import Fact, Kind
from emulators.cloud_run.meter.history import History, recall
from emulators.cloud_run.meter.prices import PriceList

SECOND = 1_000_000
HOUR = 3600 * SECOND
EVER = (0, 10**18)
MIB = 2**20
GIB = 2**30
SERVICE = "ws-a"
TIER_1 = PriceList("europe-west1")


def allocation(
    instance: str = "i1",
    cpu: int = 1000,
    memory: int = 512 * MIB,
    *,
    cpu_idle: bool = True,
    service: str = SERVICE,
) -> Allocation:
    return Allocation(service, f"{service}-00001", instance, cpu, memory, cpu_idle)


@dataclass(frozen=True)
class Course:
    """One instance; all times in microseconds, None for what does not happen."""

    allocation: Allocation
    started: int = 0
    ready: int | None = 0
    requests: Sequence[tuple[int, int | None]] = ()
    stopping: int | None = None
    gone: int | None = None

    def facts(self) -> list[Fact]:
        id_ = self.allocation.instance
        facts = [Fact(self.started, Kind.STARTED, id_, self.allocation)]
        single = ((Kind.READY, self.ready), (Kind.STOPPING, self.stopping), (Kind.GONE, self.gone))
        facts += [Fact(time, kind, id_) for kind, time in single if time is not None]
        for began, ended in self.requests:
            facts.append(Fact(began, Kind.BEGAN, id_))
            facts += [] if ended is None else [Fact(ended, Kind.ENDED, id_)]
        return facts


_ORDER = (Kind.MINIMUM, Kind.STARTED, Kind.READY, Kind.BEGAN, Kind.ENDED, Kind.STOPPING, Kind.GONE)


def facts(*courses: Course, minimums: Sequence[tuple[int, int]] = ()) -> list[Fact]:
    """The facts of all, in the order of time."""
    found = [Fact(time, Kind.MINIMUM, SERVICE, minimum=count) for time, count in minimums]
    found += [fact for course in courses for fact in course.facts()]
    return sorted(found, key=lambda fact: (fact.time, _ORDER.index(fact.kind)))


def history(*courses: Course, minimums: Sequence[tuple[int, int]] = ()) -> History:
    """What the facts of all come to."""
    return recall(facts(*courses, minimums=minimums))


def billed(
    told: History,
    window: tuple[int, int] = EVER,
    *,
    now: int | None = None,
    prices: PriceList = TIER_1,
    services: Sequence[str] = (SERVICE,),
) -> Bill:
    used = consumption(told, services, told.latest if now is None else now)
    return bill(used, window, prices)


def usd(picos: int) -> float:
    """Dollars, for comparisons with tables that are rounded to four places."""
    return round(picos / 10**12, 4)
