"""Which state may follow which, and by what fact: the one transition table.

A fact is what happened, in the past tense; it is also the kind of the event in the audit log.
`None` as target means that the state stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.domain.errors import InvalidTransition


class State(StrEnum):
    PENDING = "PENDING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    IDLE = "IDLE"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    ERROR = "ERROR"


class Reason(StrEnum):
    """Why something happened to a workstation; a closed set that users may rely on."""

    USER = "user"
    IDLE = "idle"
    STOP_TIMEOUT = "stop_timeout"
    SAFETY_LIMIT = "safety_limit"
    LEASE_EXPIRED = "lease_expired"
    DAILY_CAP = "daily_cap"
    MONTHLY_CAP = "monthly_cap"
    BREAKER = "breaker"
    RETENTION = "retention"
    OOM = "oom"
    CRASH = "crash"
    UNHEALTHY = "unhealthy"
    START_FAILED = "start_failed"
    ORPHAN = "orphan"
    OVERDUE = "overdue"
    ADMIN = "admin"


class Kind(StrEnum):
    """What happened."""

    CREATED = "created"
    PROVISIONED = "provisioned"
    WOKEN = "woken"
    STARTED = "started"
    IDLED = "idled"
    RESUMED = "resumed"
    REPLACED = "replaced"
    SAVED = "saved"
    WARNED = "warned"
    STOP_BEGUN = "stop_begun"
    STOP_CANCELLED = "stop_cancelled"
    STOPPED = "stopped"
    RETIRED = "retired"
    FAILED = "failed"
    RELEASED = "released"
    RETRIED = "retried"
    DELETE_BEGUN = "delete_begun"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Move:
    sources: frozenset[State]
    target: State | None


ALIVE = frozenset({State.STARTING, State.RUNNING, State.IDLE})
"""Scaled up, or about to be."""

COUNTED = ALIVE | {State.PENDING}
"""Holds a reservation: the user wants it to run."""


def _move(*sources: State, to: State | None) -> Move:
    return Move(frozenset(sources), to)


_ANY = frozenset(State)

TRANSITIONS: Mapping[Kind, Move] = MappingProxyType(
    {
        # From a blank record: a workstation is PENDING from its first event on.
        Kind.CREATED: _move(State.PENDING, to=State.PENDING),
        Kind.PROVISIONED: _move(State.PENDING, to=State.STARTING),
        Kind.WOKEN: _move(State.STOPPED, State.ERROR, to=State.STARTING),
        Kind.STARTED: _move(State.STARTING, to=State.RUNNING),
        Kind.IDLED: _move(State.RUNNING, to=State.IDLE),
        Kind.RESUMED: _move(State.IDLE, to=State.RUNNING),
        # The platform took the instance away: what runs now is empty and has to be loaded.
        Kind.REPLACED: _move(State.RUNNING, State.IDLE, to=State.STARTING),
        Kind.SAVED: _move(State.RUNNING, State.IDLE, State.STOPPING, State.DELETING, to=None),
        # A stop that nobody asked for comes near.
        Kind.WARNED: _move(State.RUNNING, State.IDLE, to=None),
        Kind.STOP_BEGUN: _move(*COUNTED, to=State.STOPPING),
        Kind.STOP_CANCELLED: _move(State.STOPPING, to=State.RUNNING),
        Kind.STOPPED: _move(State.STOPPING, to=State.STOPPED),
        # After the retention the service goes; record and backup stay.
        Kind.RETIRED: _move(State.STOPPED, to=None),
        Kind.FAILED: _move(*COUNTED, State.STOPPING, to=State.ERROR),
        # An ERROR whose instance was seen gone: it costs nothing from here on.
        Kind.RELEASED: _move(State.ERROR, to=None),
        Kind.RETRIED: _move(State.ERROR, to=State.STARTING),
        Kind.DELETE_BEGUN: Move(_ANY - {State.DELETING, State.DELETED}, State.DELETING),
        Kind.DELETED: _move(State.DELETING, to=State.DELETED),
    }
)


def target(state: State, kind: Kind) -> State:
    """The state that `kind` leads to from `state`. Raises InvalidTransition where the table has no such row."""
    move = TRANSITIONS[kind]
    if state not in move.sources:
        raise InvalidTransition(
            f"A workstation that is {state} cannot be {kind.replace('_', ' ')}.",
            reason="INVALID_TRANSITION",
            metadata={"state": state, "fact": kind},
        )
    return move.target or state
