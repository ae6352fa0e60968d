"""What Cloud Run receives from us, and what each of its refusals means."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.cloud_run.blueprint import Blueprint
from shared.adapters.cloud_run.client import services_client
from shared.adapters.cloud_run.services import CloudRunServices
from shared.domain.errors import (
    DormouseError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    StaleWrite,
    Unavailable,
)
from shared.domain.names import Uid
from shared.domain.observed import Scaling, ServiceView
from shared.domain.quantities import MemoryMib, MilliCpu
from shared.domain.sizes import SIZES, Size
from shared.domain.workstation import Workstation
from tests.builders import a_spec, a_workstation

CELL = "cell-1/europe-west1"
NAME = "ws-aaaaaaaaaaaaaaaaaaaa-1"
PATH = f"/v2/projects/cell-1/locations/europe-west1/services/{NAME}"
MINIMAL = {"name": PATH[4:]}
WORKSTATION = a_workstation(
    cell=CELL,
    service_name=NAME,
    epoch=4,
    not_after=datetime(2026, 11, 5, 12, 20, tzinfo=UTC),
)
SERVICE = ServiceView(
    name=NAME,
    etag='"v7"',
    uid=Uid("aaaaaaaaaaaaaaaaaaaa"),
    epoch=4,
    not_after=None,
    scaling=Scaling.ON,
    settled=True,
    changed_at=datetime(2026, 11, 5, tzinfo=UTC),
    uri="https://service.example",
)
BLUEPRINT = Blueprint(
    environment="test",
    runtime_service_account="runtime@cell-1.iam.gserviceaccount.com",
    controllers=("api@control.example", "sweep@control.example"),
)

Act = Callable[[CloudRunServices], object]


@pytest.fixture
def services(wire: Any) -> CloudRunServices:
    return services_with(wire, BLUEPRINT)


def services_with(wire: Any, blueprint: Blueprint) -> CloudRunServices:
    return CloudRunServices(lambda: services_client(f"127.0.0.1:{wire.port}"), blueprint)


def created(wire: Any, workstation: Workstation = WORKSTATION, blueprint: Blueprint = BLUEPRINT) -> Any:
    services_with(wire, blueprint).create(workstation)
    return wire.requests[-1].body


def create(services: CloudRunServices) -> None:
    services.create(WORKSTATION)


def scale_up(services: CloudRunServices) -> None:
    services.scale_up(WORKSTATION, SERVICE.etag)


def scale_down(services: CloudRunServices) -> None:
    services.scale_down(CELL, SERVICE)


def delete(services: CloudRunServices) -> None:
    services.delete(CELL, SERVICE)


def get(services: CloudRunServices) -> object:
    return services.get(CELL, NAME)


def list_all(services: CloudRunServices) -> object:
    return list(services.all(CELL))


def refusal(code: int, status: str, message: str = "no") -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message, "details": []}}


# --- what is sent ---


def test_a_wake_names_both_counts_the_marks_and_the_etag_in_one_patch(
    services: CloudRunServices, wire: Any
) -> None:
    scale_up(services)
    (sent,) = wire.requests
    assert (sent.method, sent.path) == ("PATCH", PATH)
    assert set(sent.query["updateMask"].split(",")) == {
        "annotations",
        "scaling.scalingMode",
        "scaling.minInstanceCount",
        "scaling.maxInstanceCount",
    }
    assert sent.body["scaling"] == {"scalingMode": 1, "minInstanceCount": 1, "maxInstanceCount": 1}
    assert sent.body["annotations"] == {
        "dormouse/epoch": "4",
        "dormouse/not-after": "2026-11-05T12:20:00Z",
    }
    assert sent.body["etag"] == '"v7"'


def test_a_stop_is_manual_zero(services: CloudRunServices, wire: Any) -> None:
    scale_down(services)
    (sent,) = wire.requests
    assert set(sent.query["updateMask"].split(",")) == {
        "scaling.scalingMode",
        "scaling.manualInstanceCount",
        "scaling.minInstanceCount",
    }
    assert sent.body["scaling"] == {"scalingMode": 2, "manualInstanceCount": 0}
    assert sent.body["etag"] == '"v7"'


@pytest.mark.parametrize("act", [scale_up, scale_down, delete])
def test_a_lifecycle_call_never_contains_the_template(
    services: CloudRunServices, wire: Any, act: Act
) -> None:
    """A new revision would lose the disk."""
    act(services)
    (sent,) = wire.requests
    assert "template" not in (sent.body or {})
    assert "template" not in sent.query.get("updateMask", "")
    assert sent.query.get("updateMask") or sent.method == "DELETE", "without a mask everything is replaced"


def test_a_delete_is_for_the_version_that_was_read(services: CloudRunServices, wire: Any) -> None:
    delete(services)
    (sent,) = wire.requests
    assert (sent.method, sent.path, sent.query["etag"]) == ("DELETE", PATH, '"v7"')


def test_no_write_waits_for_its_operation(services: CloudRunServices, wire: Any) -> None:
    for act in (create, scale_up, scale_down, delete):
        act(services)
    assert [sent.method for sent in wire.requests] == ["POST", "PATCH", "PATCH", "DELETE"]


def test_a_service_is_created_off_private_and_labelled(wire: Any) -> None:
    body = created(wire)
    assert wire.requests[-1].query["serviceId"] == NAME
    assert body["scaling"] == {"scalingMode": 2, "manualInstanceCount": 0}
    assert not body.get("invokerIamDisabled")
    labels = {
        "managed-by": "dormouse",
        "dormouse-environment": "test",
        "dormouse-uid": "aaaaaaaaaaaaaaaaaaaa",
        "dormouse-project": WORKSTATION.project_key,
    }
    assert (body["labels"], body["template"]["labels"]) == (labels, labels)
    assert body["annotations"]["dormouse/epoch"] == "4"


def test_a_template_bounds_what_an_instance_may_have(wire: Any) -> None:
    template = created(wire)["template"]
    assert template["serviceAccount"] == BLUEPRINT.runtime_service_account
    assert template["scaling"] == {"maxInstanceCount": 1}
    assert template["timeout"] == "3600s"
    assert template["maxInstanceRequestConcurrency"] == 80
    assert template["executionEnvironment"] == 2
    assert template["volumes"] == [{"name": "workspace", "emptyDir": {"medium": 1, "sizeLimit": "256Mi"}}]
    (container,) = template["containers"]
    assert container["image"] == WORKSTATION.spec.image
    assert container["volumeMounts"] == [{"name": "workspace", "mountPath": "/workspace"}]
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["resources"] == {
        "limits": {"cpu": "1", "memory": "512Mi"},
        "cpuIdle": True,
        "startupCpuBoost": True,
    }


@pytest.mark.parametrize(
    ("size", "limits", "disk"),
    [
        (SIZES["ml"], {"cpu": "4", "memory": "8192Mi"}, "4096Mi"),
        (Size(MilliCpu(1500), MemoryMib(1024)), {"cpu": "1500m", "memory": "1024Mi"}, "512Mi"),
    ],
)
def test_size_decides_limits_and_half_of_the_memory_is_disk(
    wire: Any, size: Size, limits: dict[str, str], disk: str
) -> None:
    workstation = replace(WORKSTATION, spec=a_spec(size=size))
    template = created(wire, workstation)["template"]
    assert template["containers"][0]["resources"]["limits"] == limits
    assert template["volumes"][0]["emptyDir"]["sizeLimit"] == disk


def test_the_environment_tells_the_agent_its_controllers_and_ports(wire: Any) -> None:
    workstation = replace(WORKSTATION, spec=a_spec(port=5173, env={"APP_MODE": "dev"}))
    assert environment(created(wire, workstation)) == {
        "APP_MODE": "dev",
        "DORMOUSE_WORKSPACE": "/workspace",
        "DORMOUSE_USER_PORT": "5173",
        "DORMOUSE_CONTROLLERS": "api@control.example,sweep@control.example",
    }


def test_a_user_cannot_name_controllers_of_their_own(wire: Any) -> None:
    """Ours wins over the user's variable of the same name."""
    workstation = replace(WORKSTATION, spec=a_spec(env={"DORMOUSE_CONTROLLERS": "me@evil.example"}))
    assert "evil" not in environment(created(wire, workstation))["DORMOUSE_CONTROLLERS"]


def test_other_keys_than_googles_are_named_to_the_agent(wire: Any) -> None:
    local = replace(BLUEPRINT, certs_url="http://127.0.0.1:9100/oauth2/v3/certs")
    assert environment(created(wire, blueprint=local))["GOOGLE_CERTS_URL"] == local.certs_url


def environment(body: Any) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in body["template"]["containers"][0]["env"]}


# --- what is answered ---


def test_a_name_that_is_taken_is_no_error(services: CloudRunServices, wire: Any) -> None:
    wire.will_answer(409, refusal(409, "ALREADY_EXISTS"))
    create(services)


@pytest.mark.parametrize("act", [create, scale_up, scale_down, delete])
def test_an_old_etag_is_a_stale_write(services: CloudRunServices, wire: Any, act: Act) -> None:
    """Both 409s are one class in the client; the body tells them apart."""
    wire.will_answer(409, refusal(409, "ABORTED"))
    with pytest.raises(StaleWrite):
        act(services)


def test_only_404_is_absent(services: CloudRunServices, wire: Any) -> None:
    wire.will_answer(404, refusal(404, "NOT_FOUND"))
    assert get(services) is None
    delete(services)
    with pytest.raises(NotFound):
        scale_up(services)


@pytest.mark.parametrize("act", [get, list_all, create, scale_up, scale_down, delete])
@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        # The client itself tries to get a better token first, and finds none.
        (401, "UNAUTHENTICATED", "NO_CREDENTIALS"),
        (403, "PERMISSION_DENIED", "PERMISSION_DENIED"),
        (429, "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL", "INTERNAL"),
    ],
)
def test_a_refusal_is_never_absence(
    services: CloudRunServices, wire: Any, act: Act, code: int, status: str, reason: str
) -> None:
    wire.will_answer(code, refusal(code, status))
    with pytest.raises(Unavailable) as raised:
        act(services)
    assert raised.value.reason == reason


def test_a_quota_says_when_to_come_back(services: CloudRunServices, wire: Any) -> None:
    wire.will_answer(429, refusal(429, "RESOURCE_EXHAUSTED"), headers={"Retry-After": "17"})
    with pytest.raises(Unavailable) as raised:
        scale_up(services)
    assert raised.value.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize("act", [create, scale_up, scale_down, delete])
@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_write_that_failed_over_there_may_have_happened_and_is_not_repeated(
    services: CloudRunServices, wire: Any, act: Act, code: int
) -> None:
    wire.will_answer(code, refusal(code, "UNAVAILABLE"))
    with pytest.raises(OutcomeUnknown):
        act(services)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("act", [get, list_all])
def test_a_read_is_tried_again(services: CloudRunServices, wire: Any, act: Act) -> None:
    failing = [refusal(503, "UNAVAILABLE")] * 2
    wire.answers[:] = [type(wire.answers[0])(503, body) for body in failing]
    wire.answers.append(type(wire.answers[0])(200, MINIMAL))
    act(services)
    assert len(wire.requests) == 3


@pytest.mark.parametrize(
    ("act", "error"), [(get, Unavailable), (list_all, Unavailable), (scale_up, OutcomeUnknown)]
)
def test_nobody_there_is_unavailable(wire: Any, act: Act, error: type[DormouseError]) -> None:
    services = CloudRunServices(lambda: services_client("127.0.0.1:9"), BLUEPRINT)
    with pytest.raises(error) as raised:
        act(services)
    assert raised.value.reason == "NO_ANSWER"


@pytest.mark.parametrize(
    ("status", "error"),
    [("FAILED_PRECONDITION", FailedPrecondition), ("INVALID_ARGUMENT", InvalidArgument)],
)
def test_a_refused_request_says_why(
    services: CloudRunServices, wire: Any, status: str, error: type[DormouseError]
) -> None:
    wire.will_answer(
        400, refusal(400, status, "Quota exceeded for total allowable CPU per project per region.")
    )
    with pytest.raises(error, match="total allowable CPU"):
        create(services)
