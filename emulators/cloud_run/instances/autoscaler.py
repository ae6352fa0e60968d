"""How many instances does a service have now? One pass, `reconcile`, runs after everything that could change the answer.

It starts, drains and stops instances of the current revision and of the candidate that a deployment checks;
requests wait in its queue. It knows no HTTP and no resource of the Admin API.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from emulators.clock import Timer
from emulators.cloud_run.instances.admission import Queue, Unavailable
from emulators.cloud_run.instances.instance import Instance, State
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.model.scaling import InstanceRange
from emulators.cloud_run.runtime.contract import Runtime

# A crash loop doubles its delay up to this; an instance that served so long resets it.
_LONGEST_DELAY_SECONDS = 30.0
_STABLE_SECONDS = 10.0
_KEPT_EXITS = 20
_OFF = InstanceRange(0, 0, exact=True)


class Reports(Protocol):
    """Who is told what became of a revision's instances."""

    def instance_started(self, service_id: str, revision: str) -> None:
        """An instance of the revision has passed its startup probe."""

    def instance_failed(self, service_id: str, revision: str, message: str, *, late: bool) -> None:
        """An instance of the revision did not start; `late` when the platform had no machine for it in time."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How an instance ended, for observers."""

    id: str
    code: int | None
    reason: str


class Autoscaler:
    """The instances of one service."""

    def __init__(
        self, service_id: str, settings: InstanceSettings, runtime: Runtime, reports: Reports
    ) -> None:
        self.instances: list[Instance] = []
        self.exits: deque[Exit] = deque(maxlen=_KEPT_EXITS)
        self._service_id = service_id
        self._settings = settings
        self._runtime = runtime
        self._reports = reports
        self._range = _OFF
        self._current: RevisionSpec | None = None
        self._candidate: RevisionSpec | None = None
        self._clock = settings.clock
        self._queue = Queue(settings.clock)
        self._failures = 0
        self._restart_at = 0.0
        self._timer: Timer | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many requests wait for room."""
        return len(self._queue)

    def apply(self, revision: RevisionSpec | None, scaling: InstanceRange) -> bool:
        """Take over a revision and a range; True when the revision is checked by an instance before it serves."""
        self._set_range(scaling)
        self._failures, self._restart_at = 0, 0.0
        newest = self._candidate or self._current
        if revision is not None and (newest is None or newest.name != revision.name):
            self._candidate = revision
        if self._candidate is not None and (scaling.off or not self._candidate.checked):
            self._candidate, self._current = None, self._candidate
        self.reconcile()
        return self._candidate is not None

    def adopt(self, revision: RevisionSpec | None, scaling: InstanceRange) -> None:
        """Serve a revision that was checked before the emulator was restarted."""
        self._current = revision
        self._set_range(scaling)
        self.reconcile()

    async def admit(self) -> Instance:
        """An instance that has room, acquired; raises Unavailable or Exhausted."""
        if self._range.off or (self._current is None and self._candidate is None):
            raise Unavailable(
                "The service has no instance: it is scaled to zero, or none of its revisions is ready."
            )
        instance = None if self._queue else self._free_instance()
        if instance is not None:
            instance.acquire()
            return instance
        ticket = self._queue.enter()
        self.reconcile()
        return await self._queue.wait(ticket, self._settings.queue_timeout)

    async def close(self) -> None:
        """Stop everything and wait until it is gone."""
        self._closed = True
        self._set_range(_OFF)
        self._current = self._candidate = None
        self.reconcile()
        await asyncio.gather(*(instance.life for instance in self.instances), return_exceptions=True)

    def reconcile(self) -> None:
        """Make the instances what revision, range, queue and idleness ask for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._range.off:
            self._queue.refuse("The service was scaled to zero instances.")
        self._drain_replaced()
        if self._candidate is not None and not self._living(self._candidate):
            self._start(self._candidate)
        self._grant()
        if self._current is not None:
            self._scale(self._current)

    def instance_started(self, instance: Instance) -> None:
        """A candidate that has started takes over."""
        if instance.revision is self._candidate:
            self._current, self._candidate = self._candidate, None
        self._reports.instance_started(self._service_id, instance.revision.name)
        self.reconcile()

    def instance_released(self) -> None:
        """Room for a waiting request, or one more idle instance."""
        self.reconcile()

    def instance_gone(self, instance: Instance) -> None:
        """Replace it, later when it keeps dying, and tell who waits for it."""
        self.instances.remove(instance)
        self.exits.append(Exit(instance.id, instance.exit_code, instance.failure))
        if not instance.stop_asked:
            self._learn_from(instance)
        if not self._closed:
            self.reconcile()

    def _set_range(self, scaling: InstanceRange) -> None:
        if scaling.minimum != self._range.minimum:
            self._settings.usage.minimum_set(self._service_id, scaling.minimum)
        self._range = scaling

    def _scale(self, revision: RevisionSpec) -> None:
        now = self._clock.time()
        living = self._living(revision)
        wanted = self._wanted(revision, living, now)
        for _ in range(wanted - len(living)):
            self._start(revision)
        self._stop_surplus(living, now)
        if self._restart_at > now and len(living) < self._range.minimum:
            self._wake_at(self._restart_at)

    def _wanted(self, revision: RevisionSpec, living: list[Instance], now: float) -> int:
        held = self._range.minimum if now >= self._restart_at else 0
        if self._range.exact:
            return held
        busy = sum(instance.in_flight for instance in living) + len(self._queue)
        demand = -(-busy // revision.concurrency)
        return min(self._range.maximum, max(held, demand))

    def _stop_surplus(self, living: list[Instance], now: float) -> None:
        spare = sorted(living, key=lambda instance: (instance.in_flight, instance.idle_since))
        count = len(living)
        for instance in spare:
            if count <= self._range.minimum:
                return
            due = instance.idle_since + self._settings.idle_shutdown.total_seconds()
            idle = instance.in_flight == 0 and instance.state is not State.STARTING
            if self._range.exact or (idle and (count > self._range.maximum or due <= now)):
                instance.stop()
                count -= 1
            elif idle:
                self._wake_at(due)

    def _drain_replaced(self) -> None:
        kept = {revision.name for revision in (self._current, self._candidate) if revision is not None}
        for instance in list(self.instances):
            unused = instance.revision.name not in kept and instance.in_flight == 0
            if self._range.off or unused:
                instance.stop()

    def _living(self, revision: RevisionSpec) -> list[Instance]:
        return [i for i in self.instances if i.alive and i.revision.name == revision.name]

    def _free_instance(self) -> Instance | None:
        if self._current is None:
            return None
        return next((i for i in self._living(self._current) if i.available), None)

    def _grant(self) -> None:
        while self._queue and (instance := self._free_instance()) is not None:
            self._queue.grant(instance)

    def _start(self, revision: RevisionSpec) -> None:
        self.instances.append(Instance(revision, self._settings, self._runtime, self))

    def _learn_from(self, instance: Instance) -> None:
        self._back_off(instance)
        if instance.started_at is not None:
            return
        message = _startup_message(instance)
        self._reports.instance_failed(self._service_id, instance.revision.name, message, late=instance.late)
        if instance.revision is self._candidate:
            self._candidate = None
        if self._current is None or not self._living(self._current):
            self._queue.refuse(message)

    def _back_off(self, instance: Instance) -> None:
        now = self._clock.time()
        stable = instance.started_at is not None and now - instance.started_at >= _STABLE_SECONDS
        self._failures = 0 if stable else self._failures + 1
        delay = self._settings.restart_delay.total_seconds() * 2 ** max(0, self._failures - 1)
        self._restart_at = now + min(delay, _LONGEST_DELAY_SECONDS)

    def _wake_at(self, time: float) -> None:
        if self._timer is None or time < self._timer.when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._clock.call_at(time, self.reconcile)


def _startup_message(instance: Instance) -> str:
    if instance.container is None:
        return instance.failure
    return (
        f"The user-provided container failed to start and listen on the port defined by the "
        f"PORT={instance.container.port} environment variable. {instance.failure} Exit code {instance.exit_code}. "
        f"Last lines of its log:\n{instance.log_tail()}"
    )
