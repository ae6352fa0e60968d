"""What do a bucket's lifecycle rules say of a version?  Delete it, put it into a cheaper class, or nothing.

And of an upload in parts that nobody completes?  Pure: told the version, how many newer ones there are, and the time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.records import STORAGE_CLASSES, ObjectRecord, check_storage_class, moment

DELETE, SET_CLASS, ABORT_UPLOADS = "Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"
_ACTIONS = (DELETE, SET_CLASS, ABORT_UPLOADS)
_OF_UPLOADS = frozenset({"age", "matchesPrefix", "matchesSuffix"})
_MOST_RULES = 100
_MOST_DAYS = 1_000_000
"""More than that are as many: the calendar has an end."""
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Seen:
    """A version as the conditions see it."""

    record: ObjectRecord
    newer: int
    """How many versions of its name came later."""

    @property
    def custom_time(self) -> datetime | None:
        """The time that its writer set on it."""
        text = self.record.attributes.get("customTime")
        return None if text is None else moment(text)


@dataclass(frozen=True, slots=True)
class Rule:
    """An action, and the conditions that must all hold for it."""

    action: str
    storage_class: str | None
    conditions: Mapping[str, Any]

    def due(self, seen: Seen) -> datetime | None:
        """From when on all conditions hold; None if, as things stand, they never will."""
        due = _EVER
        for name, value in self.conditions.items():
            holds_from = _HOLDS_FROM[name](value, seen)
            if holds_from is None:
                return None
            due = max(due, holds_from)
        return due


def _ever(holds: bool) -> datetime | None:
    """For a condition that time does not change."""
    return _EVER if holds else None


def _before(time: datetime | None, date: str) -> datetime | None:
    return _ever(time is not None and time < datetime.fromisoformat(date).replace(tzinfo=UTC))


def _days_after(time: datetime | None, days: int) -> datetime | None:
    return None if time is None else time + timedelta(days=min(days, _MOST_DAYS))


_HOLDS_FROM: dict[str, Callable[[Any, Seen], datetime | None]] = {
    "age": lambda days, seen: _days_after(seen.record.created, days),
    "createdBefore": lambda date, seen: _before(seen.record.created, date),
    "customTimeBefore": lambda date, seen: _before(seen.custom_time, date),
    "daysSinceCustomTime": lambda days, seen: _days_after(seen.custom_time, days),
    "daysSinceNoncurrentTime": lambda days, seen: _days_after(seen.record.noncurrent_since, days),
    "isLive": lambda live, seen: _ever(seen.record.is_live is live),
    "matchesPrefix": lambda prefixes, seen: _ever(seen.record.name.startswith(tuple(prefixes))),
    "matchesStorageClass": lambda classes, seen: _ever(seen.record.storage_class in classes),
    "matchesSuffix": lambda suffixes, seen: _ever(seen.record.name.endswith(tuple(suffixes))),
    "noncurrentTimeBefore": lambda date, seen: _before(seen.record.noncurrent_since, date),
    "numNewerVersions": lambda count, seen: _ever(seen.newer >= count),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a version now, and when to look at it again if nothing about it changes."""

    rule: Rule | None
    next_due: datetime | None


def aborts(rules: list[Rule], name: str, started: datetime, now: datetime) -> bool:
    """Whether an upload in parts of this name has been under way for too long."""
    return any(
        now >= started + timedelta(days=min(rule.conditions.get("age", 0), _MOST_DAYS))
        and name.startswith(tuple(rule.conditions.get("matchesPrefix", [""])))
        and name.endswith(tuple(rule.conditions.get("matchesSuffix", [""])))
        for rule in rules
        if rule.action == ABORT_UPLOADS
    )


def judge(rules: list[Rule], seen: Seen, now: datetime) -> Verdict:
    """To delete comes first, then the class that is cheapest at rest."""
    due = [(rule, rule.due(seen)) for rule in rules if rule.action != ABORT_UPLOADS]
    holding = [rule for rule, time in due if time is not None and time <= now]
    later = [time for _, time in due if time is not None and time > now]
    return Verdict(_first(holding, seen.record.storage_class), min(later, default=None))


def _first(holding: list[Rule], storage_class: str) -> Rule | None:
    if (deleting := next((rule for rule in holding if rule.action == DELETE), None)) is not None:
        return deleting
    cheaper = [rule for rule in holding if _rank(rule.storage_class) > _rank(storage_class)]
    return max(cheaper, key=lambda rule: _rank(rule.storage_class), default=None)


def _rank(storage_class: str | None) -> int:
    """The place from the dearest class at rest; those of old count as the dearest."""
    return STORAGE_CLASSES.index(storage_class) if storage_class in STORAGE_CLASSES else 0


def parse_rules(lifecycle: Mapping[str, Any]) -> list[Rule]:
    """The rules of a bucket's ``lifecycle``; raises for what is wrong or not known."""
    entries = lifecycle.get("rule") or []
    if not isinstance(entries, list) or len(entries) > _MOST_RULES:
        raise StorageError(Reason.INVALID, f"lifecycle.rule must be a list of at most {_MOST_RULES} rules.")
    return [_parse_rule(entry) for entry in entries]


def _parse_rule(entry: object) -> Rule:
    if not isinstance(entry, dict):
        raise StorageError(Reason.INVALID, "Each lifecycle rule must be an object.")
    action, conditions = entry.get("action"), entry.get("condition")
    if not isinstance(action, dict) or not isinstance(conditions, dict) or not conditions:
        raise StorageError(Reason.INVALID, "A lifecycle rule needs an action, and at least one condition.")
    kind = action.get("type")
    if kind not in _ACTIONS:
        raise StorageError(Reason.INVALID, f"Invalid lifecycle action: {kind!r}.")
    if kind == SET_CLASS:
        check_storage_class(action.get("storageClass"))
    for name, value in conditions.items():
        _check_condition(kind, name, value)
    return Rule(kind, action.get("storageClass"), conditions)


def _check_condition(action: str, name: str, value: object) -> None:
    if name not in _HOLDS_FROM:
        raise StorageError(Reason.UNSUPPORTED, f"This emulator has no lifecycle condition {name}.")
    if action == ABORT_UPLOADS and name not in _OF_UPLOADS:
        raise StorageError(Reason.INVALID, f"{ABORT_UPLOADS} does not take the condition {name}.")
    if not _is_value(name, value):
        raise StorageError(Reason.INVALID, f"Invalid lifecycle condition {name}: {value!r}.")


def _is_value(name: str, value: object) -> bool:
    if name == "isLive":
        return isinstance(value, bool)
    if name.startswith("matches"):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name.endswith("Before"):
        return isinstance(value, str) and _is_date(value)
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_date(text: str) -> bool:
    try:
        return len(text) == len("2013-01-15") and bool(datetime.strptime(text, "%Y-%m-%d"))  # noqa: DTZ007
    except ValueError:
        return False
