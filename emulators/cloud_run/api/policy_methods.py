"""The methods of `google.cloud.run.v2.Services` that are about IAM."""

from __future__ import annotations

from google.iam.v1 import iam_policy_pb2 as iam
from google.iam.v1.policy_pb2 import Policy

from emulators.cloud_run.api.interface import Interface
from emulators.cloud_run.api.names import Names
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.model.policy import check_permissions, check_version
from emulators.cloud_run.model.roles import PERMISSIONS
from emulators.cloud_run.rights import Rights
from emulators.faults.gate import FaultGate
from emulators.rpc.credentials import bearer
from emulators.rpc.method import Message, Method

_SERVICES = Interface("google.cloud.run.v2.Services")
_ONE = "/v2/{resource=projects/*/locations/*/services/*}"


class PolicyMethods:
    """The IAM policies of services that exist."""

    def __init__(self, rights: Rights, catalog: Catalog, names: Names, gate: FaultGate) -> None:
        self._policies = rights.policies
        self._access = rights.access
        self._tokens = rights.tokens
        self._gate = gate
        self._catalog = catalog
        self._names = names

    def methods(self) -> list[Method]:
        """The method table."""
        tested = iam.TestIamPermissionsResponse
        return [
            _SERVICES.method(iam.GetIamPolicyRequest, Policy, f"GET {_ONE}:getIamPolicy", self.get),
            _SERVICES.method(iam.SetIamPolicyRequest, Policy, f"POST {_ONE}:setIamPolicy", self.set, "*"),
            _SERVICES.method(
                iam.TestIamPermissionsRequest, tested, f"POST {_ONE}:testIamPermissions", self.test, "*"
            ),
        ]

    async def get(self, request: Message) -> Message:
        """GetIamPolicy; empty when none was ever set."""
        service_id = self._service_id(request)
        check_version(request.options.requested_policy_version, "options.requested_policy_version")
        return self._policies.get(service_id, self._gate.ago("GetIamPolicy", request.resource))

    async def set(self, request: Message) -> Message:
        """SetIamPolicy."""
        return await self._policies.set(
            self._service_id(request), request.policy, tuple(request.update_mask.paths)
        )

    async def test(self, request: Message) -> Message:
        """TestIamPermissions: those of the asked that the caller has; none if no service is there."""
        service_id = self._names.service(request.resource, "resource")
        check_permissions(request.permissions)
        held = await self._held(service_id) if service_id in self._catalog else frozenset()
        return iam.TestIamPermissionsResponse(permissions=[p for p in request.permissions if p in held])

    async def _held(self, service_id: str) -> frozenset[str]:
        """Whoever reaches the Admin API is the project's owner, but who shows an ID token asks for that account."""
        caller = await self._tokens.caller(bearer())
        return PERMISSIONS if caller is None else self._access.permissions(service_id, caller)

    def _service_id(self, request: Message) -> str:
        service_id = self._names.service(request.resource, "resource")
        self._catalog.get(service_id)
        return service_id
