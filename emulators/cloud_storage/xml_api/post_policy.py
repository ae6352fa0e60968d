"""Does this form say what its signed policy document demands?  Read from the form alone; nothing is on trust."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from emulators.cloud_storage.access.signed_urls import ALGORITHM, SignedRequest, parse_credential, parse_date
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.uploads.intake import SizeLimits

_UNSIGNED = frozenset({"x-goog-signature", "policy", "file"})
_LONGEST = timedelta(days=7)
_FREE = "x-ignore-"
_LENGTH = "content-length-range"


@dataclass(frozen=True, slots=True)
class _Condition:
    """What one field must be: the value itself, or what begins with it."""

    field: str
    value: str
    is_prefix: bool

    def holds(self, fields: Mapping[str, str]) -> bool:
        """Whether the form meets it."""
        found = fields.get(self.field)
        return found is not None and (found.startswith(self.value) if self.is_prefix else found == self.value)


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """A policy document."""

    expires: datetime
    conditions: tuple[_Condition, ...]
    limits: SizeLimits | None

    def check(self, fields: Mapping[str, str]) -> None:
        """Raise unless the fields meet every condition, and every field, the bucket too, is demanded by one."""
        for condition in self.conditions:
            if not condition.holds(fields):
                _refuse(f"the field {condition.field!r} is not what the policy says")
        named = {condition.field for condition in self.conditions} | _UNSIGNED
        for name in fields:
            if name not in named and not name.startswith(_FREE):
                _refuse(f"the policy says nothing of the field {name!r}")


def parse_policy(encoded: str) -> PostPolicy:
    """Read a policy document as the form carries it, in base64; raises when it is malformed."""
    try:
        document = json.loads(b64decode(encoded, validate=True))
        expires = datetime.fromisoformat(document["expiration"])
        conditions = [_entry(entry) for entry in document["conditions"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(Reason.BAD_POLICY, f"The policy document is malformed: {error!r}.") from error
    return PostPolicy(
        expires=expires if expires.tzinfo else expires.replace(tzinfo=UTC),
        conditions=tuple(entry for entry in conditions if isinstance(entry, _Condition)),
        limits=_tightest([entry for entry in conditions if isinstance(entry, SizeLimits)]),
    )


def signed_form(fields: Mapping[str, str], policy: PostPolicy) -> SignedRequest:
    """What the form claims: who signed its policy."""
    email, _ = parse_credential(fields.get("x-goog-credential", ""))
    if fields.get("x-goog-algorithm") != ALGORITHM:
        raise StorageError(Reason.MALFORMED_SIGNATURE, f"The form needs x-goog-algorithm {ALGORITHM}.")
    try:
        signature = bytes.fromhex(fields.get("x-goog-signature", ""))
    except ValueError:
        signature = b""
    starts = parse_date(fields.get("x-goog-date", ""))
    if policy.expires - starts > _LONGEST:
        _refuse("its expiration is more than seven days after x-goog-date")
    return SignedRequest(email, fields["policy"].encode(), signature, starts, policy.expires)


def _entry(entry: Any) -> _Condition | SizeLimits:
    if isinstance(entry, dict):
        ((name, value),) = entry.items()
        return _Condition(name.lower(), str(value), is_prefix=False)
    kind, first, second = entry
    if kind == _LENGTH:
        return SizeLimits(int(first), int(second))
    if kind not in ("eq", "starts-with") or not first.startswith("$"):
        raise ValueError(f"the condition {entry!r} is not understood")
    return _Condition(first[1:].lower(), str(second), is_prefix=kind == "starts-with")


def _tightest(limits: list[SizeLimits]) -> SizeLimits | None:
    if not limits:
        return None
    return SizeLimits(max(each.smallest for each in limits), min(each.largest for each in limits))


def _refuse(message: str) -> NoReturn:
    raise StorageError(Reason.BAD_POLICY, f"Invalid according to Policy: {message}.")
