"""IAM policies of services: read, replaced under etags, refused when they are malformed."""

from __future__ import annotations

import pytest
from google.iam.v1 import policy_pb2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import Services, refused

_SET = "google/iam/v1/iam_policy.proto SetIamPolicyRequest"
_POLICY = "google/iam/v1/policy.proto Policy"
_BINDING = "google/iam/v1/policy.proto Binding"
_TEST = "google/iam/v1/iam_policy.proto TestIamPermissions"
_INVOKER = {
    "role": "roles/run.invoker",
    "members": ["serviceAccount:gateway@example.iam.gserviceaccount.com"],
}
_VIEWER = {"role": "roles/run.viewer", "members": ["user:somebody@example.com"]}
_CONDITION = {"title": "soon over", "expression": "request.time < timestamp('2099-01-01T00:00:00Z')"}


def _get(services: Services, service_id: str) -> policy_pb2.Policy:
    return services.client.get_iam_policy({"resource": services.name(service_id)}, retry=None)


def _set(services: Services, service_id: str, *bindings: dict, **fields: object) -> policy_pb2.Policy:
    policy = {"bindings": list(bindings), **fields}
    request = {"resource": services.name(service_id), "policy": policy}
    return services.client.set_iam_policy(request, retry=None)


@check("RUN-161", source="google/iam/v1/iam_policy.proto GetIamPolicy: an empty policy if none is set")
def test_a_policy_that_was_never_set_is_empty(services: Services, service_id: str) -> None:
    """A service without a policy has an empty one, with an etag."""
    services.create(service_id)
    policy = _get(services, service_id)
    assert list(policy.bindings) == []
    assert policy.etag


@check("RUN-162", source=_SET)
def test_a_policy_is_kept_as_it_was_set(services: Services, service_id: str) -> None:
    """A policy that was set is what is read, with an etag of its own."""
    services.create(service_id)
    before = _get(services, service_id)
    written = _set(services, service_id, _INVOKER)
    assert written.bindings == [policy_pb2.Binding(**_INVOKER)]
    assert written.etag != before.etag
    assert _get(services, service_id) == written


@check("RUN-163", source=f"{_POLICY}.etag; iam/docs/policies#etag: 409 ABORTED, concurrent policy changes")
def test_a_stale_etag_aborts_a_policy(services: Services, service_id: str) -> None:
    """A policy with an etag that is no longer the current one is ABORTED."""
    services.create(service_id)
    read = _get(services, service_id)
    _set(services, service_id, _INVOKER, etag=read.etag)
    assert refused(lambda: _set(services, service_id, _VIEWER, etag=read.etag)).code == "ABORTED"
    assert [binding.role for binding in _get(services, service_id).bindings] == ["roles/run.invoker"]


@check("RUN-164", source=f"{_POLICY}.etag: if it is omitted, the policy is overwritten")
def test_a_policy_without_an_etag_overwrites(services: Services, service_id: str) -> None:
    """A policy without an etag replaces whatever is there."""
    services.create(service_id)
    _set(services, service_id, _INVOKER)
    _set(services, service_id, _VIEWER)
    assert [binding.role for binding in _get(services, service_id).bindings] == ["roles/run.viewer"]


@check("RUN-165", source="google/iam/v1/iam_policy.proto: Can return NOT_FOUND")
def test_a_missing_service_has_no_policy(services: Services, service_id: str) -> None:
    """The policy of a service that does not exist is NOT_FOUND, to read and to set."""
    assert refused(lambda: _get(services, service_id)).code == "NOT_FOUND"
    assert refused(lambda: _set(services, service_id, _INVOKER)).code == "NOT_FOUND"


@check("RUN-166", source=f"{_BINDING}.members")
@pytest.mark.parametrize("member", ["somebody@example.com", "robot:x@example.com", "everybody", ""])
def test_an_unknown_member_is_invalid(services: Services, service_id: str, member: str) -> None:
    """A member without a type that there is is INVALID_ARGUMENT."""
    services.create(service_id)
    binding = {"role": "roles/run.invoker", "members": [member]}
    assert refused(lambda: _set(services, service_id, binding)).code == "INVALID_ARGUMENT"


@check("RUN-167", source=f"{_BINDING}.members: allUsers, allAuthenticatedUsers, user:, group:, domain:")
def test_every_documented_member_is_taken(services: Services, service_id: str) -> None:
    """The documented types of members are accepted."""
    services.create(service_id)
    members = ["allUsers", "allAuthenticatedUsers"]
    written = _set(services, service_id, {"role": "roles/run.invoker", "members": members})
    assert sorted(written.bindings[0].members) == sorted(members)


@check("RUN-168", source=f"{_POLICY}.version: valid values are 0, 1 and 3")
def test_a_policy_of_another_version_is_invalid(services: Services, service_id: str) -> None:
    """A policy of version 2 is INVALID_ARGUMENT."""
    services.create(service_id)
    assert refused(lambda: _set(services, service_id, _INVOKER, version=2)).code == "INVALID_ARGUMENT"


@check("RUN-169", source=f"{_POLICY}.version: conditional role bindings must specify version 3")
def test_a_condition_needs_version_three(services: Services, service_id: str) -> None:
    """A policy with a condition is INVALID_ARGUMENT at version 1 and accepted at version 3."""
    services.create(service_id)
    conditional = {**_INVOKER, "condition": _CONDITION}
    refusal = refused(lambda: _set(services, service_id, conditional, version=1))
    assert refusal.code == "INVALID_ARGUMENT"
    assert _set(services, service_id, conditional, version=3).bindings[0].condition.title == "soon over"


@check("RUN-170", source=f"{_POLICY}.bindings: up to 1,500 principals")
@pytest.mark.emulator_only
def test_a_policy_has_no_more_than_fifteen_hundred_members(services: Services, service_id: str) -> None:
    """A policy with 1,501 members is INVALID_ARGUMENT."""
    services.create(service_id)
    members = [f"user:u{number}@example.com" for number in range(1501)]
    binding = {"role": "roles/run.invoker", "members": members}
    assert refused(lambda: _set(services, service_id, binding)).code == "INVALID_ARGUMENT"


@check("RUN-171", source=f"{_TEST}: a subset of the permissions that the caller is allowed")
def test_the_owner_has_the_permissions_that_are_asked_for(services: Services, service_id: str) -> None:
    """Whoever owns the project is told that they have what they asked about."""
    services.create(service_id)
    permissions = ["run.services.get", "run.services.update"]
    request = {"resource": services.name(service_id), "permissions": permissions}
    answer = services.client.test_iam_permissions(request, retry=None)
    assert sorted(answer.permissions) == permissions


@check("RUN-172", source=f"{_TEST}Request.permissions: wildcards are not allowed")
@pytest.mark.parametrize("permission", ["*", "run.*", "storage.objects.get"])
def test_permissions_of_other_things_are_invalid(
    services: Services, service_id: str, permission: str
) -> None:
    """Wildcards, and permissions that services do not have, are INVALID_ARGUMENT."""
    services.create(service_id)
    request = {"resource": services.name(service_id), "permissions": [permission]}
    refusal = refused(lambda: services.client.test_iam_permissions(request, retry=None))
    assert refusal.code == "INVALID_ARGUMENT"


@check("RUN-173", source=f"{_TEST}: an empty set if the resource does not exist, not a NOT_FOUND error")
def test_nobody_has_permissions_on_a_missing_service(services: Services, service_id: str) -> None:
    """On a service that does not exist there are no permissions, and no error."""
    request = {"resource": services.name(service_id), "permissions": ["run.services.get"]}
    assert list(services.client.test_iam_permissions(request, retry=None).permissions) == []


@check("RUN-174", source="google/iam/v1/iam_policy.proto: policies are deleted implicitly with the resources")
def test_a_policy_goes_with_its_service(services: Services, service_id: str) -> None:
    """A new service under the name of a deleted one does not have its policy."""
    services.create(service_id)
    _set(services, service_id, _INVOKER)
    services.forget(service_id)
    services.create(service_id)
    assert list(_get(services, service_id).bindings) == []
