"""Which IAM policies does Cloud Run accept for a service?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from emulators.cloud_run.model.errors import invalid
from emulators.cloud_run.model.roles import PERMISSIONS
from emulators.rpc.method import Message

MAX_MEMBERS = 1500
VERSIONS = (0, 1, 3)
_WITH_CONDITIONS = 3
_ROLE = re.compile(r"roles/[\w.]+|(projects|organizations)/[\w.:-]+/roles/[\w.]+")
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(deleted:)?(user|serviceAccount|group):[^\s@]+@[^\s@]+"
    r"|domain:[^\s@]+"
    r"|(projectOwner|projectEditor|projectViewer):\S+"
    r"|(deleted:)?(principal|principalSet)://\S+"
)


def check_policy(policy: Message) -> None:
    """Refuse what Google refuses: other versions, conditions below version 3, empty bindings, unknown members."""
    check_version(policy.version, "policy.version")
    members = [member for binding in policy.bindings for member in binding.members]
    if len(members) > MAX_MEMBERS:
        raise invalid(
            "policy.bindings", f"The policy has {len(members)} members, more than the {MAX_MEMBERS} allowed."
        )
    for binding in policy.bindings:
        _check_binding(binding, policy.version)


def check_version(version: int, field: str) -> None:
    """A policy's format is 0, 1 or 3."""
    if version not in VERSIONS:
        raise invalid(field, f"{version} is not a policy version; use one of {VERSIONS}.")


def check_permissions(permissions: Sequence[str]) -> None:
    """Permissions that are asked about must be a service's, and without wildcards."""
    for permission in permissions:
        if permission not in PERMISSIONS:
            raise invalid("permissions", f"Permission {permission} is not valid for this resource.")


def _check_binding(binding: Message, version: int) -> None:
    if not _ROLE.fullmatch(binding.role):
        raise invalid("policy.bindings.role", f"'{binding.role}' is not a role, such as roles/run.invoker.")
    if not binding.members:
        raise invalid("policy.bindings.members", f"The binding of {binding.role} has no member.")
    for member in binding.members:
        if not _MEMBER.fullmatch(member):
            raise invalid(
                "policy.bindings.members",
                f"The member {member} is of an unknown type. Please set a valid type prefix for the member.",
            )
    if binding.HasField("condition") and version != _WITH_CONDITIONS:
        raise invalid(
            "policy.version",
            f"Specified policy version ({version}) cannot contain condition; it must be {_WITH_CONDITIONS}.",
        )
