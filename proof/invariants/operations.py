"""What a client waits for ends."""

from collections.abc import Iterator

from proof.evidence import Evidence
from proof.invariants.violation import Violation
from proof.told import Told


def are_done(found: Evidence, told: Told) -> Iterator[Violation]:
    """Every operation that a client was told of exists and is done."""
    for id_, verb in told.operations.items():
        operation = found.operations.get(id_)
        if operation is None:
            yield Violation("every acknowledged operation is done", f"the {verb} {id_} does not exist")
        elif operation["doneTime"] is None:
            yield Violation("every acknowledged operation is done", f"the {verb} {id_} is not done")


def show_no_internal_error(_found: Evidence, told: Told) -> Iterator[Violation]:
    """A failure is a typed error, never a 500."""
    for shown in told.internal_errors:
        yield Violation("no internal error is shown", shown)
