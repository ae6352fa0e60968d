"""The record: at rest where the client was told it would be, nothing open, nothing reserved for what does not run."""

from collections.abc import Iterator

from proof.evidence import Evidence
from proof.invariants.violation import Violation
from proof.told import Told

RESTING = ("STOPPED", "DELETED")
COUNTED = ("PENDING", "STARTING", "RUNNING", "IDLE")


def rests_as_told(found: Evidence, told: Told) -> Iterator[Violation]:
    """In the state that the last acknowledged operation led to, or gone where it was purged."""
    name, record = "the record rests as told", found.record
    if told.rests_in == "PURGED":
        if record is not None:
            yield Violation(name, f"purged, and the record is there, {record['state']}")
        return
    if record is None:
        yield Violation(name, f"told {told.rests_in}, and there is no record")
        return
    if record["state"] != told.rests_in:
        yield Violation(name, f"told {told.rests_in}, and it is {record['state']} ({record['message']})")
    if record["operations"]:
        yield Violation(name, f"{len(record['operations'])} operations are still open in it")
    if record["wakePending"]:
        yield Violation(name, "a wake is still pending in it")
    if record["state"] in RESTING and record["openInterval"] is not None:
        yield Violation(name, f"it is {record['state']}, and an interval is still open")


def agrees_with_its_log(found: Evidence, _told: Told) -> Iterator[Violation]:
    """State, number and hash are those of its last event."""
    name, record = "the record agrees with its log", found.record
    if record is None:
        return
    last = found.events[-1] if found.events else {"n": 0, "hash": "", "state": ""}
    for field, logged in (("eventSeq", "n"), ("eventHash", "hash"), ("state", "state")):
        if record[field] != last[logged]:
            yield Violation(name, f"{field} is {record[field]!r}, its last event says {last[logged]!r}")


def reserves_only_what_runs(found: Evidence, _told: Told) -> Iterator[Violation]:
    """Money is held for what the user wants to run, and for nothing else."""
    name = "reservations hold only what runs"
    held = dict((found.user or {}).get("reservations", {}))
    record = found.record
    wanted = record is not None and (record["state"] in COUNTED or record["openInterval"] is not None)
    state = record["state"] if record else "gone"
    if held and not wanted:
        yield Violation(name, f"{len(held)} reservations, and the workstation is {state}")
    if wanted and not held:
        yield Violation(name, f"no reservation, and the workstation is {state}")
