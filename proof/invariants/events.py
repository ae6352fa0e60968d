"""The audit log: numbered without a gap, each event with the hash of the one before, recomputed here from the format."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC

from proof.evidence import Document, Evidence
from proof.invariants.violation import Violation
from proof.told import Told

_HASHED = (
    "uid n kind state actor reason message epoch requestId cost previousHash".split()  # noqa: SIM905
)
_REASONED = ("created", "idled", "stop_begun", "failed", "delete_begun", "replaced")
_MACHINE = "sweep"


def are_a_whole_chain(found: Evidence, _told: Told) -> Iterator[Violation]:
    """From 1 on, each with the right hash."""
    name, previous = "the events are a whole chain", ""
    for expected, event in enumerate(found.events, start=1):
        if event["n"] != expected:
            yield Violation(name, f"event {expected} is missing; the next one is {event['n']}")
            return
        if event["previousHash"] != previous or event["hash"] != digest(event):
            yield Violation(name, f"event {expected} does not follow from the one before")
            return
        previous = event["hash"]
    if not found.events:
        yield Violation(name, "there is no event at all")


def say_who_and_why(found: Evidence, _told: Told) -> Iterator[Violation]:
    """An actor always, a reason where something was done to the user's work, a request id where a user asked."""
    name = "each event says who and why"
    for event in found.events:
        if not event["actor"]:
            yield Violation(name, f"event {event['n']} has no actor")
        if event["kind"] in _REASONED and not event["reason"]:
            yield Violation(name, f"event {event['n']} ({event['kind']}) has no reason")
        if event["actor"] != _MACHINE and not event["requestId"]:
            yield Violation(name, f"event {event['n']} of {event['actor']} has no request id")


def only_grow(found: Evidence, told: Told) -> Iterator[Violation]:
    """Nothing that was seen changes, epochs never fall, a life begins once and nothing follows its end."""
    name = "the log only grows"
    hashes = {int(event["n"]): event["hash"] for event in found.events}
    changed = sorted(n for n, seen in told.seen_events.items() if hashes.get(n) != seen)
    if changed:
        yield Violation(name, f"events {changed} are not as they were seen before")
    epochs = [int(event["epoch"]) for event in found.events]
    if epochs != sorted(epochs):
        yield Violation(name, f"the epochs {epochs} fall")
    kinds = [event["kind"] for event in found.events]
    if kinds.count("created") > 1:
        yield Violation(name, f"it was created {kinds.count('created')} times")
    if "deleted" in kinds[:-1]:
        yield Violation(name, f"after it was deleted: {kinds[kinds.index('deleted') + 1 :]}")


def digest(event: Document) -> str:
    """The hash that an event ought to carry: SHA-256 over its fields as canonical JSON, the time in UTC to microseconds."""
    content = {field: event[field] for field in _HASHED}
    content["time"] = event["time"].astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
