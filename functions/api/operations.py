"""Operations: begun by a verb, looked at, waited for."""

from collections.abc import Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from functions.api import encoding, wire
from functions.http.routes import Access, Answer, Incoming, Route
from functions.http.waiting import Waiters
from shared.domain.errors import DormouseError, NotFound
from shared.domain.facts import Origin
from shared.domain.operations import Operation, Verb
from shared.usecases.deps import Deps
from shared.usecases.rehearsal import Rehearsal

LONGEST_WAIT = 25.0

WAITERS = Waiters()
"""One for the process: functions are single event loops."""


async def respond(incoming: Incoming, act: Callable[[Deps], Operation], patience: float) -> Answer:
    """Begin an operation, follow it for a while, and answer with it: 200 when done, 202 when it goes on."""
    operation = await run_in_threadpool(act, incoming.app.deps)
    return await _follow(incoming, operation, patience)


async def rehearse(incoming: Incoming, verb: Verb, act: Callable[[Deps], Rehearsal]) -> Answer:
    """What it would cost, with every check and without any effect."""
    found = await run_in_threadpool(act, incoming.app.deps)
    deps = incoming.app.deps
    estimate = encoding.cost(found.workstation, found.user, deps.policy, found.now)
    operation = Operation(
        id="validate-only",
        owner=found.workstation.owner,
        workstation=found.workstation.id,
        uid=found.workstation.uid,
        verb=verb,
        create_time=found.now,
        done_time=found.now,
    )
    return Answer(encoding.operation(operation, estimate=estimate))


def get(incoming: Incoming) -> Answer:
    return Answer(_encoded(incoming, _mine(incoming)))


async def wait(incoming: Incoming) -> Answer:
    operation = await run_in_threadpool(_mine, incoming)
    return await _follow(incoming, operation, encoding.seconds(incoming.query.timeout))


def _mine(incoming: Incoming) -> Operation:
    found = incoming.app.deps.records.operation(incoming.path["operation"])
    if found is None or found.owner != incoming.user.owner:
        raise NotFound("There is no such operation.", "OPERATION_NOT_FOUND")
    return found


async def _follow(incoming: Incoming, operation: Operation, patience: float) -> Answer:
    deps, origin = incoming.app.deps, Origin(actor=incoming.user.owner, request_id=incoming.request_id)
    if not operation.done:
        # Where a step is impossible now, the intent is recorded all the same, and the sweep goes on with it.
        with suppress(DormouseError):
            await WAITERS.settle(
                deps,
                operation.workstation,
                origin,
                lambda seen: all(open_.id != operation.id for open_ in seen.operations),
                min(patience, LONGEST_WAIT),
            )
        operation = await run_in_threadpool(_again, deps, operation)
    encoded = await run_in_threadpool(_encoded, incoming, operation)
    return Answer(encoded, 200 if operation.done else 202)


def _again(deps: Deps, operation: Operation) -> Operation:
    return deps.records.operation(operation.id) or operation


def _encoded(incoming: Incoming, operation: Operation) -> wire.Operation:
    deps = incoming.app.deps
    stored = deps.records.workstation(operation.workstation)
    if stored is None or stored.value.uid != operation.uid:
        return encoding.operation(operation)
    user, now = deps.records.user(operation.owner).value, deps.clock.now()
    shown = encoding.workstation(stored.value, user, deps.policy, now, incoming.app.settings.gateway_url)
    return encoding.operation(operation, response=shown)


ROUTES = (
    Route(
        "POST",
        "/v1/operations/{operation}:wait",
        wait,
        Access.USER,
        "Wait for an operation, up to 25 s.",
        wire.Operation,
        wire.WaitQuery,
    ),
    Route(
        "GET", "/v1/operations/{operation}", get, Access.USER, "An operation with its stages.", wire.Operation
    ),
)
