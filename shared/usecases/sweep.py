"""One pass over what is due: workstations and budgets, bounded, each on its own, with a report that operators can read.

It takes no input and retries nothing inside: the next pass is the retry. Two passes at once do no harm.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared.domain.budget import cap_instant
from shared.domain.errors import DormouseError, NotFound
from shared.domain.facts import Origin
from shared.domain.names import Owner, WorkstationId
from shared.usecases.converge import converge, postpone
from shared.usecases.deps import Deps
from shared.usecases.recording import read

Due = TypeVar("Due", bound=str)

BATCH = 200
ORIGIN = Origin(actor="sweep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What could not be finished, and why; it is due again."""

    id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What one pass saw and did."""

    started: datetime
    elapsed: timedelta
    workstations: int
    users: int
    moved: Mapping[str, int]
    """How many ended in another state than they began in, by the state they ended in."""
    troubles: Sequence[Trouble]
    left_over: bool
    """More was due than one pass takes; the next one goes on."""


def sweep(deps: Deps, patience: timedelta) -> SweepReport:
    """Converge what is due, the longest due first, for at most `patience`."""
    started = deps.clock.now()
    pass_ = _Pass(deps, started + patience)
    pass_.each(deps.records.due_users(started, BATCH), pass_.look_at_budget)
    due = deps.records.due_workstations(started, BATCH)
    pass_.each(due, pass_.visit)
    return SweepReport(
        started=started,
        elapsed=deps.clock.now() - started,
        workstations=len(pass_.visited),
        users=len(pass_.users),
        moved=Counter(pass_.moves),
        troubles=pass_.troubles,
        left_over=bool(pass_.late) or len(due) == BATCH,
    )


class _Pass:
    """One pass under way. What it notes is appended alone, so its workers need no lock."""

    def __init__(self, deps: Deps, deadline: datetime) -> None:
        self._deps, self._deadline = deps, deadline
        self.visited: list[WorkstationId] = []
        self.users: list[Owner] = []
        self.moves: list[str] = []
        self.troubles: list[Trouble] = []
        self.late: list[str] = []

    def each(self, due: Sequence[Due], visit: Callable[[Due], None]) -> None:
        """Several at a time: an agent that lets us wait holds up nobody else's stop."""
        if self._deps.workers == 1:
            for id_ in due:
                self._in_time(visit, id_)
            return
        with ThreadPoolExecutor(self._deps.workers) as pool:
            list(pool.map(partial(self._in_time, visit), due))

    def visit(self, id_: WorkstationId) -> None:
        self.visited.append(id_)
        began = self._deps.clock.now()
        if not self._isolated(id_, partial(self._converge, id_)):
            later = self._deps.clock.now() + self._deps.policy.sweep_interval
            self._isolated(id_, lambda: postpone(self._deps, id_, began, later))

    def look_at_budget(self, owner: Owner) -> None:
        self.users.append(owner)
        self._isolated(owner, partial(self._look_at_budget, owner))

    def _in_time(self, visit: Callable[[Due], None], id_: Due) -> None:
        if self._deps.clock.now() < self._deadline:
            visit(id_)
        else:
            self.late.append(id_)

    def _converge(self, id_: WorkstationId) -> None:
        before = read(self._deps, id_).workstation.value.state
        after = converge(self._deps, id_, ORIGIN).state
        if before is not after:
            self.moves.append(after)

    def _look_at_budget(self, owner: Owner) -> None:
        """Near a cap: all that the user runs is decided on anew; then it is due when the cap comes nearer."""
        deps = self._deps
        for id_ in deps.records.user(owner).value.reservations:
            self.visit(id_)
        user, now = deps.records.user(owner), deps.clock.now()
        reached = cap_instant(user.value, user.value.caps(deps.policy.caps), now)
        due_at = reached and max(reached - deps.policy.lead, now + deps.policy.sweep_interval)
        deps.records.save_user(replace(user, value=replace(user.value, due_at=due_at)))

    def _isolated(self, id_: str, work: Callable[[], None]) -> bool:
        """One record's trouble is reported and never stands in the way of the next; whether there was none."""
        try:
            work()
        except NotFound:
            return True
        except DormouseError as error:
            self.troubles.append(Trouble(id=id_, reason=error.reason or error.code, message=error.message))
        except Exception as error:
            self.troubles.append(Trouble(id=id_, reason="INTERNAL", message=type(error).__name__))
        else:
            return True
        return False
