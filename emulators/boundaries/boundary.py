"""What may the holder of a downscoped token do?  The union of its boundary's rules, and nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from emulators.boundaries.condition import Asked, BadConditionError, Condition, parse_condition

MOST_RULES = 10
_RESOURCE = re.compile(r"//storage\.googleapis\.com/projects/_/buckets/(?P<bucket>[a-z0-9._-]+)")
_LIST_PREFIX = "storage.googleapis.com/objectListPrefix"
_READ = frozenset({"storage.objects.get", "storage.objects.list"})
_CHANGE = frozenset({"storage.objects.create", "storage.objects.delete", "storage.objects.update"})
_ROLES: Mapping[str, frozenset[str]] = {
    "roles/storage.objectViewer": _READ,
    "roles/storage.objectCreator": frozenset({"storage.objects.create"}),
    "roles/storage.objectUser": _READ | _CHANGE,
    "roles/storage.objectAdmin": _READ | _CHANGE,
    "roles/storage.admin": _READ | _CHANGE | {"storage.buckets.get", "storage.buckets.update"},
    "roles/storage.legacyObjectReader": frozenset({"storage.objects.get"}),
    "roles/storage.legacyObjectOwner": frozenset({"storage.objects.get", "storage.objects.update"}),
    "roles/storage.legacyBucketReader": frozenset({"storage.buckets.get", "storage.objects.list"}),
    "roles/storage.legacyBucketWriter": frozenset(
        {"storage.buckets.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"}
    ),
}
"""What each role lets its holder do, as far as the emulator has it."""


class BadBoundaryError(ValueError):
    """A Credential Access Boundary that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """On which bucket what may be done, and when."""

    bucket: str
    permissions: frozenset[str]
    condition: Condition

    def allows(self, permission: str, bucket: str, asked: Asked) -> bool:
        """Whether it lets this be done."""
        return self.bucket == bucket and permission in self.permissions and self.condition(asked)


@dataclass(frozen=True, slots=True)
class Boundary:
    """The rules of one token."""

    rules: tuple[Rule, ...]

    def allows(self, permission: str, bucket: str, name: str | None = None, list_prefix: str = "") -> bool:
        """Whether an object (or, without a name, the bucket) may be touched so; `list_prefix` is that of a list."""
        resource = f"projects/_/buckets/{bucket}"
        if name is None:
            attributes = {_LIST_PREFIX: list_prefix} if list_prefix else {}
            asked = Asked(resource, "storage.googleapis.com/Bucket", attributes=attributes)
        else:
            asked = Asked(f"{resource}/objects/{name}")
        return any(rule.allows(permission, bucket, asked) for rule in self.rules)

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read `{"accessBoundary": {"accessBoundaryRules": [...]}}`; raises BadBoundaryError."""
        found = document.get("accessBoundary") if isinstance(document, Mapping) else None
        rules = found.get("accessBoundaryRules") if isinstance(found, Mapping) else None
        if not isinstance(rules, list) or not 1 <= len(rules) <= MOST_RULES:
            raise BadBoundaryError(f"there must be from 1 to {MOST_RULES} accessBoundaryRules")
        return cls(tuple(_rule(rule) for rule in rules))


def _rule(rule: object) -> Rule:
    if not isinstance(rule, Mapping):
        raise BadBoundaryError("a rule must be a JSON object")
    resource = _RESOURCE.fullmatch(str(rule.get("availableResource")))
    if resource is None:
        message = "availableResource must be //storage.googleapis.com/projects/_/buckets/BUCKET"
        raise BadBoundaryError(message)
    return Rule(
        resource["bucket"],
        _permissions(rule.get("availablePermissions")),
        _condition(rule.get("availabilityCondition")),
    )


def _permissions(names: object) -> frozenset[str]:
    if not isinstance(names, list) or not names:
        raise BadBoundaryError("availablePermissions must be a list of roles")
    unknown = [name for name in names if not isinstance(name, str) or _role(name) not in _ROLES]
    if unknown:
        known = ", ".join(f"inRole:{role}" for role in _ROLES)
        raise BadBoundaryError(f"availablePermissions has {unknown[0]!r}; known are {known}")
    return frozenset().union(*(_ROLES[_role(name)] for name in names))


def _role(name: str) -> str:
    return name.removeprefix("inRole:") if name.startswith("inRole:") else ""


def _condition(document: Any) -> Condition:
    if document is None:
        return lambda _: True
    expression = document.get("expression") if isinstance(document, Mapping) else None
    if not isinstance(expression, str):
        raise BadBoundaryError("availabilityCondition needs an expression")
    try:
        return parse_condition(expression)
    except BadConditionError as error:
        raise BadBoundaryError(f"availabilityCondition: {error}") from error
