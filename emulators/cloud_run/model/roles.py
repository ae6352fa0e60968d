"""Which permissions on a service does a role grant, and to whom does a policy grant its roles?

The permissions are those that iam/docs/roles-permissions/run lists, and the generated lists of every role's permissions
in github.com/iann0036/iam-dataset. Custom roles are another API's, so nothing is known of them and they grant nothing;
nor does a binding with a condition, as no condition is evaluated here. Who is in a group is not known either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from emulators.rpc.method import Message

INVOKE = "run.routes.invoke"
_INVOKE = frozenset({INVOKE})
_READ = frozenset(
    {
        *("run.services.get", "run.services.getIamPolicy", "run.services.list"),
        *("run.services.listEffectiveTags", "run.services.listTagBindings"),
        *("run.routes.get", "run.routes.list"),
    }
)
_CHANGE = frozenset({"run.services.create", "run.services.delete", "run.services.update"})
_GOVERN = frozenset(
    {"run.services.createTagBinding", "run.services.deleteTagBinding", "run.services.setIamPolicy"}
)
# What all roles of Cloud Run together grant on a service, which is what its owner has.
PERMISSIONS = _READ | _CHANGE | _INVOKE | _GOVERN
_GRANTS = {
    **dict.fromkeys(("owner", "run.admin", "cloudfunctions.admin"), PERMISSIONS),
    **dict.fromkeys(
        ("editor", "run.editor", "run.developer", "run.sourceDeveloper", "cloudfunctions.developer"),
        _READ | _CHANGE | _INVOKE,
    ),
    **dict.fromkeys(("viewer", "run.viewer"), _READ),
    **dict.fromkeys(("run.invoker", "run.servicesInvoker"), _INVOKE),
}
_SERVICE_ACCOUNTS = ".gserviceaccount.com"


@dataclass(frozen=True, slots=True)
class Caller:
    """An account that has shown who it is: its e-mail, and the Workspace domain that it belongs to, if any."""

    email: str
    domain: str = ""

    @property
    def member(self) -> str:
        """The member of a policy that names this account."""
        robot = self.email.endswith(_SERVICE_ACCOUNTS)
        return f"{'serviceAccount' if robot else 'user'}:{self.email}".lower()


def granted(policy: Message, caller: Caller | None) -> frozenset[str]:
    """What the policy lets the caller do; None is somebody who has not shown who they are."""
    held: set[str] = set()
    for binding in policy.bindings:
        if not binding.HasField("condition") and _names(binding.members, caller):
            held |= _GRANTS.get(binding.role.removeprefix("roles/"), frozenset())
    return frozenset(held)


def _names(members: Iterable[str], caller: Caller | None) -> bool:
    meant = {"allusers"}
    if caller is not None:
        meant |= {"allauthenticatedusers", caller.member}
        meant |= {f"domain:{caller.domain}".lower()} if caller.domain else set()
    return not meant.isdisjoint(member.lower() for member in members)
