"""What must hold once everything has settled, each as a function of what was found and what the client was told."""

from collections.abc import Callable, Iterator, Sequence

from proof.evidence import Evidence
from proof.invariants import events, files, ledger, operations, records, services
from proof.invariants.violation import Violation
from proof.told import Told

Invariant = Callable[[Evidence, Told], Iterator[Violation]]

ALL: Sequence[Invariant] = (
    records.rests_as_told,
    records.agrees_with_its_log,
    records.reserves_only_what_runs,
    services.at_most_one,
    services.agrees_with_the_record,
    services.runs_only_what_may_run,
    events.are_a_whole_chain,
    events.say_who_and_why,
    events.only_grow,
    ledger.adds_up_to_the_totals,
    ledger.prices_are_exact,
    ledger.has_no_gap_and_no_overlap,
    ledger.never_changes,
    operations.are_done,
    operations.show_no_internal_error,
    files.nothing_acknowledged_is_lost,
    files.a_loss_is_told,
    files.the_backup_restores,
    files.were_read_as_written,
)


def violations(found: Evidence, told: Told) -> list[Violation]:
    """Every breach."""
    return [breach for invariant in ALL for breach in invariant(found, told)]
