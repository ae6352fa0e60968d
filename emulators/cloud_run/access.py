"""Who may do what with a service? Whom its policy lets, whom the operator lets into all, everybody where it checks nobody.

A policy counts from the moment it is set. Google's takes up to minutes to reach everywhere: the fault `stale` of the
method `InvokerCheck` has the front go by the policies of a while ago.
"""

from __future__ import annotations

from collections.abc import Collection

from emulators.cloud_run.model.messages import ServiceMessage
from emulators.cloud_run.model.roles import INVOKE, Caller, granted
from emulators.cloud_run.policies import Policies
from emulators.faults.gate import FaultGate

CHECK = "InvokerCheck"


class Access:
    """The rights on all services; `invokers` are the e-mails of those who may invoke each of them."""

    def __init__(self, policies: Policies, invokers: Collection[str], gate: FaultGate) -> None:
        self._policies = policies
        self._invokers = frozenset(invokers)
        self._gate = gate
        self._unchecked: set[str] = set()

    def follow(self, service_id: str, service: ServiceMessage) -> None:
        """Learn whether a service has its invokers checked."""
        if service.invoker_iam_disabled:
            self._unchecked.add(service_id)
        else:
            self._unchecked.discard(service_id)

    def forget(self, service_id: str) -> None:
        """The service is gone."""
        self._unchecked.discard(service_id)

    def behind(self, service_id: str) -> float:
        """How many seconds ago the policy was read that the front goes by in this check."""
        return self._gate.ago(CHECK, service_id)

    def may_invoke(self, service_id: str, caller: Caller | None, ago: float = 0.0) -> bool:
        """Whether the front lets the caller in; None is somebody without a token."""
        return service_id in self._unchecked or INVOKE in self._permissions(service_id, caller, ago)

    def permissions(self, service_id: str, caller: Caller) -> frozenset[str]:
        """All that the caller may do with the service."""
        return self._permissions(service_id, caller, 0.0)

    def _permissions(self, service_id: str, caller: Caller | None, ago: float) -> frozenset[str]:
        project = {INVOKE} if caller is not None and caller.email in self._invokers else frozenset()
        return granted(self._policies.get(service_id, ago), caller) | project
