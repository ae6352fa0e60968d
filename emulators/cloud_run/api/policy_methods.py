"""The methods of `google.cloud.run.v2.Services` that are about IAM."""

from __future__ import annotations

from google.iam.v1 import iam_policy_pb2 as iam
from google.iam.v1.policy_pb2 import Policy

from emulators.cloud_run.api.interface import Interface
from emulators.cloud_run.api.names import Names
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.model.policy import check_permissions, check_version
from emulators.cloud_run.policies import Policies
from emulators.rpc.method import Message, Method

_SERVICES = Interface("google.cloud.run.v2.Services")
_ONE = "/v2/{resource=projects/*/locations/*/services/*}"


class PolicyMethods:
    """The IAM policies of services that exist."""

    def __init__(self, policies: Policies, catalog: Catalog, names: Names) -> None:
        self._policies = policies
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
        return self._policies.get(service_id)

    async def set(self, request: Message) -> Message:
        """SetIamPolicy."""
        return await self._policies.set(
            self._service_id(request), request.policy, tuple(request.update_mask.paths)
        )

    async def test(self, request: Message) -> Message:
        """TestIamPermissions: everything that was asked for, as the caller is the owner; nothing if no service is there."""
        service_id = self._names.service(request.resource, "resource")
        check_permissions(request.permissions)
        granted = request.permissions if service_id in self._catalog else ()
        return iam.TestIamPermissionsResponse(permissions=granted)

    def _service_id(self, request: Message) -> str:
        service_id = self._names.service(request.resource, "resource")
        self._catalog.get(service_id)
        return service_id
