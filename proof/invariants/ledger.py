"""Money: every closed interval priced exactly, in a row without gap or overlap, and the user's totals their exact sum."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from proof.evidence import Document, Evidence
from proof.invariants.violation import Violation
from proof.told import Told

_MICROSECONDS_IN_AN_HOUR = 3_600_000_000
_ACCRUED_BY_A_MILLIONTH = 3_600
"""What a request accrues at a micro-dollar a million of them."""
_REQUESTS = "REQUESTS"
"""The usage of a row without time: requests that were counted when what they were made in had been closed."""
_BEGINNINGS = ("created", "woken", "retried")
"""The events that begin a session: what has accrued counts from there."""


def adds_up_to_the_totals(found: Evidence, _told: Told) -> Iterator[Violation]:
    """The sums of the ledger by day and month are the user's totals, to the micro-dollar."""
    name = "the ledger adds up to the totals"
    user = found.user or {}
    for field, form in (("days", "%Y-%m-%d"), ("months", "%Y-%m")):
        summed: Counter[str] = Counter()
        for row in found.ledger.values():
            summed[row["start"].astimezone(UTC).strftime(form)] += row["amount"]
        booked = dict(user.get(field, {}))
        if {key: value for key, value in booked.items() if value} != {k: v for k, v in summed.items() if v}:
            yield Violation(name, f"{field} {booked}, the ledger has {dict(summed)}")


def prices_are_exact(found: Evidence, _told: Told) -> Iterator[Violation]:
    """An amount is the difference of the floors of what the session had accrued at its end and at its start.

    Time and requests accrue alike; a row of requests alone stands for itself, and is rounded up.
    """
    for session in _sessions(found):
        accrued = 0
        for row in session:
            before = accrued // _MICROSECONDS_IN_AN_HOUR
            accrued += row["rate"] * ((row["end"] - row["start"]) // timedelta(microseconds=1))
            accrued += _fees(row)
            exact = accrued // _MICROSECONDS_IN_AN_HOUR - before
            if row["amount"] != exact:
                yield Violation("prices are exact", f"row {_id(row)} is {row['amount']}, exact is {exact}")
    for row in found.ledger.values():
        if row["usage"] == _REQUESTS and row["amount"] != (up := -(-_fees(row) // _MICROSECONDS_IN_AN_HOUR)):
            yield Violation("prices are exact", f"row {_id(row)} is {row['amount']}, rounded up it is {up}")


def has_no_gap_and_no_overlap(found: Evidence, _told: Told) -> Iterator[Violation]:
    """Within a session each interval begins where the one before ended, and no two sessions meet."""
    name, last = "intervals neither overlap nor leave gaps", None
    for session in _sessions(found):
        if last and session[0]["start"] < last["end"]:
            yield Violation(name, f"{_id(session[0])} begins before {_id(last)} has ended")
        for earlier, later in pairwise(session):
            if earlier["end"] != later["start"]:
                yield Violation(
                    name, f"{later['start'] - earlier['end']} between {_id(earlier)} and {_id(later)}"
                )
        last = session[-1]


def never_changes(found: Evidence, told: Told) -> Iterator[Violation]:
    """A row that was seen is there as it was, under the id that its content gives it."""
    name = "a ledger row never changes"
    for key, seen in told.seen_ledger.items():
        if found.ledger.get(key) != seen:
            yield Violation(name, f"{key} is not as it was seen before")
    for key, row in found.ledger.items():
        if key != _id(row):
            yield Violation(name, f"{key} holds the interval {_id(row)}")


def _sessions(found: Evidence) -> list[Sequence[Document]]:
    """The rows of each session in their order, but for those of requests alone; it lasts from its first event on."""
    begins: list[datetime] = [event["time"] for event in found.events if event["kind"] in _BEGINNINGS]
    timed = [row for row in found.ledger.values() if row["usage"] != _REQUESTS]
    rows = sorted(timed, key=lambda row: (row["start"], row["epoch"], row["n"]))
    groups: dict[int, list[Document]] = {}
    for row in rows:
        groups.setdefault(sum(begin <= row["start"] for begin in begins), []).append(row)
    return [groups[key] for key in sorted(groups)]


def _fees(row: Document) -> int:
    return int(row["requests"] * row["fee"] * _ACCRUED_BY_A_MILLIONTH)


def _id(row: Document) -> str:
    if row["tally"]:
        return f"{row['uid']}-requests-{row['tally']}"
    return f"{row['uid']}-{row['epoch']}-{row['n']}"
