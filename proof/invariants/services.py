"""Cloud Run: one service at most, as the record says, and nothing that runs without leave."""

from collections.abc import Iterator
from datetime import timedelta

from proof.evidence import Evidence
from proof.invariants.violation import Violation
from proof.told import Told

_SAVE_TIME = timedelta(seconds=60)
"""A reservation pays for so much beyond its end."""


def at_most_one(found: Evidence, told: Told) -> Iterator[Violation]:
    """One service for a record, none without; never two scaled up at the same time."""
    name = "at most one service"
    names = [service.name for service in found.services]
    if len(names) > 1:
        yield Violation(name, f"{', '.join(names)}")
    if told.most_scaled_up > 1:
        yield Violation(name, f"{told.most_scaled_up} were scaled up at the same time")
    gone = found.record is None or found.record["state"] == "DELETED"
    if names and gone:
        yield Violation("no service without a record", f"{', '.join(names)} is an orphan")
    recorded = (found.record or {}).get("serviceName")
    if names and not gone and recorded not in names:
        yield Violation(name, f"the record names {recorded}, there is {', '.join(names)}")


def agrees_with_the_record(found: Evidence, _told: Told) -> Iterator[Violation]:
    """Scaling, epoch and notAfter of each service are what its record says."""
    name, record = "record and service agree", found.record
    if record is None:
        return
    alive = record["state"] in ("STARTING", "RUNNING", "IDLE")
    if alive and not found.services:
        yield Violation(name, f"the record is {record['state']}, and there is no service")
    for service in found.services:
        wanted = "AUTOMATIC 1..1" if alive else "MANUAL 0"
        if service.scaling != wanted:
            yield Violation(name, f"the record is {record['state']}, the service {service.scaling}")
        if alive and service.epoch != str(record["epoch"]):
            yield Violation(name, f"epoch {record['epoch']} in the record, {service.epoch} at the service")
        held = dict((found.user or {}).get("reservations", {})).values()
        paid = max((one["until"] for one in held), default=None)
        if alive and paid and (service.not_after is None or service.not_after > paid + _SAVE_TIME):
            yield Violation(name, f"it may run until {service.not_after}, paid is until {paid}")


def runs_only_what_may_run(found: Evidence, _told: Told) -> Iterator[Violation]:
    """No instance of what is stopped or gone; exactly one of what runs."""
    name = "nothing runs for nobody"
    state = found.record["state"] if found.record else "gone"
    shown = [instance for service in found.services for instance in service.instances]
    if state in ("STARTING", "RUNNING", "IDLE"):
        if len(shown) > 1:
            yield Violation(name, f"{len(shown)} instances of one workstation")
        return
    if shown:
        yield Violation(name, f"it is {state}, and the emulator runs {', '.join(shown)}")
    if found.running:
        yield Violation(name, f"it is {state}, and here runs {', '.join(found.running)}")
