"""Who may invoke a service: what its IAM policy says, at the door of the service itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from tests.conformance.check import check
from tests.emulators.cloud_run.driver import POLLING, Emulator, automatic, http, running
from tests.emulators.cloud_run.id_tokens import certificates, serverless, token

pytestmark = pytest.mark.emulator_only

_ROLES = "iam/docs/roles-permissions/run: run.routes.invoke; github.com/iann0036/iam-dataset gcp/roles"
_MEMBERS = "google/iam/v1/policy.proto Binding.members"
_PUBLIC = "run/docs/authenticating/public"
ROBOT = "caller@other.iam.gserviceaccount.com"
ADA = "ada@example.com"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that can verify ID tokens, and lets nobody in but by policy."""
    with certificates() as keys, running(tmp_path_factory.mktemp("private"), "--keys", keys) as emulator:
        emulator.create("door")
        emulator.scale("door", automatic(0, 1))
        yield emulator


def allow(emulator: Emulator, role: str, *members: str, **binding: object) -> None:
    """The policy of the service: this binding and no other."""
    bindings = [{"role": role, "members": list(members), **binding}] if members else []
    policy = {"version": 3, "bindings": bindings}
    emulator.client.set_iam_policy({"resource": emulator.name("door"), "policy": policy}, retry=None)


def knock(emulator: Emulator, email: str = "", **claims: object) -> int:
    """What the service answers to that account, or to somebody without a token."""
    uri = emulator.get("door").uri
    headers = serverless(token(uri, email=email, **claims)) if email else {}
    return http.get(uri, headers=headers).status_code


@check("RUN-175", source=f"{_MEMBERS}; run/docs/authenticating/service-to-service: roles/run.invoker")
@pytest.mark.parametrize(
    ("member", "claims"),
    [
        (f"serviceAccount:{ROBOT}", {"email": ROBOT}),
        (f"user:{ADA}", {"email": ADA}),
        ("domain:example.com", {"email": ADA, "hd": "example.com"}),
    ],
    ids=["service account", "user", "domain"],
)
def test_a_member_with_the_invoker_role_gets_in(private: Emulator, member: str, claims: dict) -> None:
    """Who has roles/run.invoker in a service's policy is let in from then on, others are 403."""
    allow(private, "roles/run.invoker")
    assert knock(private, **claims) == 403
    allow(private, "roles/run.invoker", member)
    assert knock(private, **claims) == 200
    assert knock(private, "eve@example.net") == 403
    assert knock(private) == 403


@check("RUN-176", source=f"{_PUBLIC}: the invoker role for allUsers; {_MEMBERS}")
def test_all_users_need_no_token(private: Emulator) -> None:
    """A service whose policy lets allUsers invoke it is public; without that binding it is not any more."""
    allow(private, "roles/run.invoker", "allUsers")
    assert knock(private) == 200
    allow(private, "roles/run.invoker")
    assert knock(private) == 403


@check(
    "RUN-177", source=f"{_MEMBERS}: allAuthenticatedUsers, anyone who is authenticated with a Google account"
)
def test_all_authenticated_users_need_a_token(private: Emulator) -> None:
    """allAuthenticatedUsers are whoever has an ID token for the service, and nobody without one."""
    allow(private, "roles/run.invoker", "allAuthenticatedUsers")
    assert knock(private) == 403
    assert knock(private, "anybody@example.net") == 200


@check("RUN-178", source=_ROLES)
@pytest.mark.parametrize(
    ("role", "code"),
    [
        *((f"roles/{name}", 200) for name in ("run.servicesInvoker", "run.admin", "run.developer", "editor")),
        ("roles/run.viewer", 403),
        ("projects/demo-dormouse/roles/mine", 403),
    ],
)
def test_the_roles_that_contain_the_permission_let_in(private: Emulator, role: str, code: int) -> None:
    """Every role that contains run.routes.invoke lets its members in, and a viewer's does not."""
    allow(private, role, f"user:{ADA}")
    assert knock(private, ADA) == code


@check("RUN-179", source=f"{_PUBLIC}#invoker_check; google.cloud.run.v2 Service.invoker_iam_disabled")
def test_a_service_may_have_no_invoker_check(private: Emulator) -> None:
    """A service with invoker_iam_disabled lets everybody in, whatever its policy; no revision is made for that."""
    allow(private, "roles/run.invoker")
    before = private.get("door").latest_created_revision
    for disabled, code in ((True, 200), (False, 403)):
        service = run_v2.Service(name=private.name("door"), invoker_iam_disabled=disabled)
        request = {"service": service, "update_mask": {"paths": ["invoker_iam_disabled"]}}
        private.client.update_service(request=request).result(polling=POLLING)
        assert knock(private) == code
    assert private.get("door").latest_created_revision == before


@check("RUN-180", source="google/iam/v1/iam_policy.proto TestIamPermissions; " + _ROLES)
def test_tested_permissions_are_those_that_are_enforced(private: Emulator) -> None:
    """TestIamPermissions tells an account that it may invoke exactly when the service lets it in."""
    asked = ["run.routes.invoke", "run.services.get", "run.services.delete"]
    for role, held in (
        ("roles/run.invoker", asked[:1]),
        ("roles/run.viewer", asked[1:2]),
        ("roles/run.developer", asked),
    ):
        allow(private, role, f"user:{ADA}")
        assert held_by(private, Credentials(token("other", email=ADA)), asked) == held
        assert held_by(private, Credentials(token("other", email=ROBOT)), asked) == []
        assert (knock(private, ADA) == 200) == (asked[0] in held)
    assert held_by(private, AnonymousCredentials(), asked) == asked


def held_by(emulator: Emulator, credentials: object, permissions: list[str]) -> list[str]:
    client = run_v2.ServicesClient(
        transport="rest", credentials=credentials, client_options={"api_endpoint": emulator.url}
    )
    request = {"resource": emulator.name("door"), "permissions": permissions}
    return list(client.test_iam_permissions(request, retry=None).permissions)


@pytest.mark.parametrize(
    ("members", "binding"),
    [
        (["group:staff@example.com"], {}),
        ([f"deleted:user:{ADA}?uid=1"], {}),
        ([f"user:{ADA}"], {"condition": {"title": "always", "expression": "true"}}),
    ],
    ids=["group", "deleted", "conditional"],
)
def test_what_cannot_be_resolved_here_grants_nothing(
    private: Emulator, members: list[str], binding: dict
) -> None:
    """The refusal says so."""
    allow(private, "roles/run.invoker", *members, **binding)
    uri = private.get("door").uri
    refusal = http.get(uri, headers=serverless(token(uri, email=ADA)))
    assert refusal.status_code == 403
    assert "Groups, conditions and custom roles grant nothing here" in refusal.text
