"""A ServiceHost in memory: etags, settling and instances as Cloud Run has them, by a clock that is told the time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.breakdown import Breakdown
from shared.domain.errors import NotFound, StaleWrite
from shared.domain.names import Uid
from shared.domain.observed import Scaling, ServiceView
from shared.domain.workstation import Workstation
from shared.ports import Clock


@dataclass
class _Service:
    view: ServiceView
    """As it was accepted; `settled` and `changed_at` follow from the time."""
    accepted_at: datetime
    run: int = 0
    """Counts the times that it was scaled up from nothing; each has instances of its own."""


class MemoryServices:
    """The services of every cell."""

    def __init__(self, clock: Clock, settle_after: timedelta = timedelta(0)) -> None:
        self._clock = clock
        self._services: dict[tuple[str, str], _Service] = {}
        self._etags = 0
        self.settle_after = settle_after
        """How long a change takes to come into force."""

    # --- the port ---

    def get(self, cell: str, name: str) -> ServiceView | None:
        """The service as it is now, or None."""
        service = self._services.get((cell, name))
        return None if service is None else self._seen(service)

    def create(self, workstation: Workstation) -> None:
        """Make the service at MANUAL 0, unless one has the name."""
        assert workstation.service_name, "recorded before the service is created"
        key = (workstation.cell, workstation.service_name)
        if key not in self._services:
            self._services[key] = _Service(self._made(workstation), self._clock.now())

    def scale_up(self, workstation: Workstation, etag: str) -> None:
        """Scale to 1..1 and mark it with the record's epoch and notAfter."""
        assert workstation.service_name, "recorded before the service is created"
        service = self._current(workstation.cell, workstation.service_name, etag)
        if service.view.scaling is not Scaling.ON:
            service.run += 1
        marked = replace(
            service.view, epoch=workstation.epoch, not_after=workstation.not_after, orphan_since=None
        )
        self._accept(service, replace(marked, scaling=Scaling.ON))

    def scale_down(self, cell: str, service: ServiceView) -> None:
        """Scale to MANUAL 0."""
        current = self._current(cell, service.name, service.etag)
        self._accept(current, replace(current.view, scaling=Scaling.OFF, breakdown=None))

    def delete(self, cell: str, service: ServiceView) -> None:
        """Delete it; absent is done."""
        if (cell, service.name) in self._services:
            self._current(cell, service.name, service.etag)
            del self._services[cell, service.name]

    def mark_orphan(self, cell: str, service: ServiceView, since: datetime | None) -> None:
        """Mark it with a time, or take the mark away."""
        current = self._current(cell, service.name, service.etag)
        self._accept(current, replace(current.view, orphan_since=since))

    def all(self, cell: str) -> Iterator[ServiceView]:
        """Every service of ours in the cell."""
        for (where, _), service in list(self._services.items()):
            if where == cell and service.view.uid:
                yield self._seen(service)

    # --- for tests and the other adapters ---

    def run_at(self, uri: str) -> tuple[str, int] | None:
        """Name and run of the service at `uri` whose instance can answer; None where nothing answers."""
        for service in self._services.values():
            seen = self._seen(service)
            if seen.uri == uri and seen.scaling is Scaling.ON and seen.settled and seen.breakdown is None:
                return seen.name, service.run
        return None

    def break_down(self, cell: str, name: str, breakdown: Breakdown | None) -> None:
        """Have the platform report that the service does not run."""
        service = self._services[cell, name]
        self._accept(service, replace(service.view, breakdown=breakdown))

    def put(self, cell: str, view: ServiceView) -> None:
        """Place a service as somebody else would have made it; with an empty uid it is not ours."""
        self._services[cell, view.name] = _Service(view, view.changed_at, int(view.scaling is Scaling.ON))

    def _made(self, workstation: Workstation) -> ServiceView:
        assert workstation.service_name
        return ServiceView(
            name=workstation.service_name,
            etag=self._next_etag(),
            uid=Uid(workstation.uid),
            epoch=workstation.epoch,
            not_after=workstation.not_after,
            scaling=Scaling.OFF,
            settled=False,
            changed_at=self._clock.now(),
            uri=f"https://{workstation.service_name}.memory.test",
        )

    def _current(self, cell: str, name: str, etag: str) -> _Service:
        service = self._services.get((cell, name))
        if service is None:
            raise NotFound(f"There is no service {name} in {cell}.", reason="NOT_FOUND")
        if service.view.etag != etag:
            raise StaleWrite(f"The service {name} has changed; read it again.", reason="ABORTED")
        return service

    def _accept(self, service: _Service, view: ServiceView) -> None:
        service.view = replace(view, etag=self._next_etag())
        service.accepted_at = self._clock.now()

    def _seen(self, service: _Service) -> ServiceView:
        settles_at = service.accepted_at + self.settle_after
        settled = self._clock.now() >= settles_at
        changed_at = settles_at if settled else service.accepted_at
        return replace(service.view, settled=settled, changed_at=changed_at)

    def _next_etag(self) -> str:
        self._etags += 1
        return f'"etag-{self._etags}"'
