"""What the Admin API makes of a service, without a server: creates, changes, revisions, scaling, conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import run_v2

from emulators.cloud_run.model.conditions import Reason, Verdict, mark_settled
from emulators.cloud_run.model.probe import GrpcHealth, HttpGet, TcpSocket
from emulators.cloud_run.model.quantities import GIB, cpu_millis, memory_bytes
from emulators.cloud_run.model.revision import revision_of
from emulators.cloud_run.model.scaling import AUTOMATIC, MANUAL, InstanceRange, instance_range
from emulators.cloud_run.model.service import Rules, Stamp, changed_service, new_service
from emulators.cloud_run.model.template import fill_defaults
from emulators.errors import ApiError, Code
from shared.adapters.cloud_run.blueprint import DOWN_MASK, OFF, ON, UP_MASK, Blueprint
from shared.domain.sizes import SIZES
from tests.builders import a_spec, a_workstation

T = datetime(2026, 11, 5, 12, tzinfo=UTC)
NAME = "projects/p/locations/l/services/ws"
IMAGE = "registry.test/image"
REASONS = run_v2.Condition.RevisionReason


def message(fields: Mapping[str, Any]) -> Any:
    return run_v2.Service.pb(run_v2.Service(fields))


def draft(container: Mapping[str, Any] | None = None, **fields: Any) -> Any:
    template = {"containers": [{"image": IMAGE, **(container or {})}], **fields.pop("template", {})}
    return message({"template": template, **fields})


def created(request: Any | None = None, **rules: bool) -> Any:
    return new_service(
        draft() if request is None else request,
        name=NAME,
        uid="u",
        uri="http://127.0.0.1:1",
        stamp=Stamp(T, "abc"),
        rules=Rules(**rules),
    )


def changed(
    current: Any, fields: Mapping[str, Any], *paths: str, revisions: Any = None, suffix: str = "xyz"
) -> Any:
    stamp = Stamp(T + timedelta(minutes=1), suffix)
    return changed_service(current, message(fields), paths, stamp=stamp, rules=Rules(), revisions=revisions)


def refusal(call: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


def fields_of(error: ApiError) -> list[str]:
    (detail,) = error.details
    return [violation["field"].partition(".service.")[2] for violation in detail["fieldViolations"]]


def settled(service: Any, verdict: Verdict | None = None) -> Any:
    mark_settled(service, verdict or Verdict(ready=True), T)
    return service


def configuration(service: Any) -> Any:
    return next(condition for condition in service.conditions if condition.type_ == "ConfigurationsReady")


@pytest.mark.parametrize(
    ("text", "size"),
    [("512Mi", 512 * 2**20), ("1.5Gi", 3 * GIB // 2), ("1G", 10**9), ("1024", 1024), ("2k", 2000)],
)
def test_memory_is_read_in_every_unit(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(("text", "millis"), [("1", 1000), ("0.083", 83), ("500m", 500), ("0.58", 580)])
def test_cpu_is_read_exactly(text: str, millis: int) -> None:
    assert cpu_millis(text) == millis


@pytest.mark.parametrize("size", SIZES.values(), ids=str)
def test_the_products_own_service_is_accepted_in_every_size(size: Any) -> None:
    """And its wake and its stop make no revision."""
    blueprint = Blueprint(
        environment="test", runtime_service_account="r@p.iam.gserviceaccount.com", controllers=("a@b.c",)
    )
    request = blueprint.service(a_workstation(service_name="ws", spec=a_spec(size=size)))
    service = created(message(request), require_service_account=True)
    up = changed(service, {"scaling": ON, "annotations": {"dormouse/epoch": "2"}}, *UP_MASK)
    down = changed(up, {"scaling": OFF}, *DOWN_MASK)
    assert instance_range(up) == InstanceRange(1, 1)
    assert instance_range(down).off
    assert service.latest_created_revision == up.latest_created_revision == down.latest_created_revision


def test_what_only_the_server_says_of_a_container_is_ignored() -> None:
    service = created(draft({"build_info": {"function_target": "mine"}}))
    assert not service.template.containers[0].HasField("build_info")


def test_filling_in_the_defaults_twice_changes_nothing() -> None:
    service = created(draft({"liveness_probe": {"http_get": {}}, "ports": [{"container_port": 9}]}))
    again = type(service.template)()
    again.CopyFrom(service.template)
    fill_defaults(again)
    assert again == service.template


@pytest.mark.parametrize(
    ("old", "request_", "paths", "expected"),
    [
        (
            {"scaling_mode": 1, "min_instance_count": 2},
            {"scaling_mode": 2},
            ["scaling.scaling_mode"],
            (MANUAL, 2, 0, 2),
        ),
        ({"scaling_mode": 1, "min_instance_count": 2}, {"scaling_mode": 2}, ["scaling"], (MANUAL, 0, 0, 0)),
        (
            {"scaling_mode": 2, "manual_instance_count": 3},
            {"scaling_mode": 1},
            ["scaling.scaling_mode"],
            (AUTOMATIC, 3, 3, 3),
        ),
        ({"scaling_mode": 2, "manual_instance_count": 3}, {}, [], (AUTOMATIC, 3, 3, 0)),
        (
            {"scaling_mode": 2, "manual_instance_count": 0},
            {"scaling_mode": 1, "min_instance_count": 1, "max_instance_count": 1},
            ["scaling"],
            (AUTOMATIC, 1, 1, 0),
        ),
        (
            {"scaling_mode": 2, "manual_instance_count": 3},
            {"manual_instance_count": 0},
            ["scaling.manual_instance_count"],
            (MANUAL, 0, 0, 0),
        ),
        (
            {"scaling_mode": 1, "min_instance_count": 1, "max_instance_count": 4},
            {"scaling_mode": 2, "manual_instance_count": 0},
            ["scaling.scaling_mode", "scaling.manual_instance_count"],
            (MANUAL, 1, 4, 0),
        ),
    ],
)
def test_the_modes_hand_on_their_counts(
    old: dict[str, int], request_: dict[str, int], paths: list[str], expected: tuple[int, ...]
) -> None:
    body = {"scaling": request_} if paths else {"template": {"containers": [{"image": IMAGE}]}}
    scaling = changed(created(draft(scaling=old)), body, *paths).scaling
    found = (
        *(scaling.scaling_mode, scaling.min_instance_count, scaling.max_instance_count),
        scaling.manual_instance_count,
    )
    assert found == expected


@pytest.mark.parametrize(
    ("service", "template", "expected"),
    [
        ({}, {}, InstanceRange(0, 100)),
        ({"max_instance_count": 5}, {"max_instance_count": 3}, InstanceRange(0, 3)),
        ({"min_instance_count": 1}, {"min_instance_count": 2}, InstanceRange(2, 100)),
        ({"min_instance_count": 4}, {"max_instance_count": 1}, InstanceRange(1, 1)),
        (
            {"scaling_mode": 2, "manual_instance_count": 7},
            {"max_instance_count": 1},
            InstanceRange(7, 7, exact=True),
        ),
        ({"scaling_mode": 2}, {}, InstanceRange(0, 0, exact=True)),
    ],
)
def test_the_range_is_the_narrower_of_service_and_template(
    service: dict[str, int], template: dict[str, int], expected: InstanceRange
) -> None:
    made = created(draft(scaling=service, template={"scaling": template}))
    assert instance_range(made) == expected


def test_a_named_revision_of_another_template_is_taken_however_old_it_is() -> None:
    old = created(draft(template={"revision": "ws-old"}))
    now = changed(
        old, {"template": {"timeout": "9s", "revision": "ws-now"}}, "template.timeout", "template.revision"
    )
    assert now.latest_created_revision == f"{NAME}/revisions/ws-now"
    back = {"template": {"timeout": "8s", "revision": "ws-old"}}
    paths = ("template.timeout", "template.revision")
    error = refusal(lambda: changed(now, back, *paths, revisions={"ws-old": old.template}))
    assert error.code is Code.ALREADY_EXISTS
    assert "'ws-old' with different configuration" in error.message
    back["template"]["timeout"] = "300s"
    again = changed(now, back, *paths, revisions={"ws-old": old.template})
    assert again.latest_created_revision == old.latest_created_revision


@pytest.mark.parametrize("bad", ["one", "wsx-one", "ws-", "ws-One", "ws-" + "a" * 61])
def test_an_illegal_name_of_a_revision_is_told(bad: str) -> None:
    error = refusal(lambda: created(draft(template={"revision": bad})))
    assert set(fields_of(error)) == {"template.revision"}
    assert created(draft(template={"revision": "ws-" + "a" * 60})).generation == 1


def test_a_name_that_stays_behind_is_taken_too() -> None:
    """The mask names one field of the template, and the revision's name is kept with the rest."""
    named = created(draft(template={"revision": "ws-one"}))
    error = refusal(lambda: changed(named, {"template": {"timeout": "9s"}}, "template.timeout"))
    assert error.code is Code.ALREADY_EXISTS


def test_a_revision_may_be_called_what_it_is_called() -> None:
    """Whoever names the revision that is there, and changes nothing, gets no other."""
    service = created()
    name = {"template": {"revision": "ws-00001-abc"}}
    again = changed(service, name, "template.revision")
    assert again.latest_created_revision == service.latest_created_revision
    assert refusal(lambda: changed(again, {"template": {"timeout": "9s"}}, "template.timeout"))


def test_a_generated_name_tells_generation_and_chance() -> None:
    service = created()
    assert service.latest_created_revision == f"{NAME}/revisions/ws-00001-abc"
    newer = changed(service, {"template": {"timeout": "9s"}}, "template.timeout")
    assert newer.latest_created_revision == f"{NAME}/revisions/ws-00002-xyz"


def test_traffic_that_stays_with_an_older_revision_is_told() -> None:
    """The new revision would get no request at Cloud Run, and all of them here."""
    pinned = {"type_": 2, "revision": "ws-one", "percent": 100}
    service = created(draft(template={"revision": "ws-one"}, traffic=[pinned]))
    update = {"template": {"timeout": "9s", "revision": "ws-two"}}
    error = refusal(lambda: changed(service, update, "template.timeout", "template.revision"))
    assert (error.code, fields_of(error)) == (Code.UNIMPLEMENTED, ["traffic[0].revision"])


def test_every_write_has_an_etag_of_its_own_within_one_instant() -> None:
    service = created()
    etags = [service.etag]
    for _ in range(5):
        service = changed(service, {}, "description")
        etags.append(service.etag)
    assert len(set(etags)) == len(etags)


def test_what_is_illegal_is_told_before_what_is_not_emulated() -> None:
    request = draft({"readiness_probe": {"http_get": {}}}, labels={"BAD": "x"}, iap_enabled=True)
    error = refusal(lambda: created(request))
    assert (error.code, fields_of(error)) == (Code.INVALID_ARGUMENT, ["labels"])
    request.ClearField("labels")
    error = refusal(lambda: created(request))
    assert error.code is Code.UNIMPLEMENTED
    assert sorted(fields_of(error)) == ["iap_enabled", "template.containers[0].readiness_probe"]


def test_an_empty_message_and_a_default_say_nothing() -> None:
    template = {"vpc_access": {}, "gpu_zonal_redundancy_disabled": False, "service_mesh": {}}
    assert created(draft(template=template)).generation == 1


def test_a_new_revision_with_a_minimum_is_warming_until_it_is_ready() -> None:
    scaling = {"scaling_mode": 1, "min_instance_count": 1, "max_instance_count": 1}
    service = created(draft(scaling=scaling))
    assert configuration(service).revision_reason == REASONS.MIN_INSTANCES_WARMING
    assert service.terminal_condition.revision_reason == 0
    settled(service)
    assert configuration(service).revision_reason == 0
    rescaled = changed(service, {"scaling": {"max_instance_count": 2}}, "scaling.max_instance_count")
    assert configuration(rescaled).revision_reason == 0


@pytest.mark.parametrize(
    ("reason", "field"),
    [
        (Reason.CONTAINER_MISSING, "reason"),
        (Reason.PROGRESS_DEADLINE_EXCEEDED, "reason"),
        (Reason.HEALTH_CHECK_CONTAINER_ERROR, "revision_reason"),
    ],
)
def test_a_failure_has_its_reason_in_all_three_conditions(reason: Reason, field: str) -> None:
    service = settled(created(), Verdict(ready=False, reason=reason, message="Why."))
    for condition in (service.terminal_condition, *service.conditions):
        assert condition.WhichOneof("reasons") == field
        assert condition.message == "Why."
        assert condition.severity == 0


def test_a_skipped_check_is_said_of_the_configuration_only() -> None:
    service = settled(created(), Verdict(ready=True, reason=Reason.HEALTH_CHECK_SKIPPED))
    assert configuration(service).revision_reason == REASONS.HEALTH_CHECK_SKIPPED
    assert service.terminal_condition.WhichOneof("reasons") is None


def test_a_failure_leaves_what_served_before() -> None:
    serving = settled(created())
    failed = changed(serving, {"template": {"timeout": "9s"}}, "template.timeout")
    settled(failed, Verdict(ready=False, reason=Reason.CONTAINER_MISSING, message="Gone."))
    assert (failed.generation, failed.observed_generation) == (2, 1)
    assert failed.latest_ready_revision == serving.latest_created_revision
    assert list(failed.traffic_statuses) == list(serving.traffic_statuses) != []


def test_a_condition_that_stays_keeps_its_transition_time() -> None:
    service = settled(created())
    before = service.terminal_condition.last_transition_time.ToDatetime(UTC)
    mark_settled(service, Verdict(ready=True), T + timedelta(hours=1))
    assert service.terminal_condition.last_transition_time.ToDatetime(UTC) == before
    mark_settled(service, Verdict(ready=False, message="Now."), T + timedelta(hours=2))
    assert service.terminal_condition.last_transition_time.ToDatetime(UTC) == T + timedelta(hours=2)


def test_an_instance_is_told_how_it_is_probed() -> None:
    probes = {
        "ports": [{"container_port": 7000}],
        "startup_probe": {
            "http_get": {"path": "/up", "port": 7001, "http_headers": [{"name": "X-A", "value": "1"}] * 2},
            "initial_delay_seconds": 3,
            "period_seconds": 5,
            "timeout_seconds": 2,
            "failure_threshold": 4,
        },
        "liveness_probe": {"grpc": {"service": "alive"}},
    }
    revision = revision_of(created(draft(probes)), "ws")
    assert revision.startup.handler == HttpGet("/up", (("X-A", "1"), ("X-A", "1")))
    assert (revision.startup.port, revision.startup.allowance) == (7001, timedelta(seconds=20))
    assert (revision.startup.initial_delay, revision.startup.timeout) == (
        timedelta(seconds=3),
        timedelta(seconds=2),
    )
    assert revision.liveness is not None
    assert (revision.liveness.handler, revision.liveness.port) == (GrpcHealth("alive"), 7000)
    assert revision.liveness.period == timedelta(seconds=10)


def test_an_instance_without_probes_is_watched_at_its_port() -> None:
    revision = revision_of(created(draft({"ports": [{"container_port": 7000}]})), "ws")
    assert (revision.startup.handler, revision.startup.port) == (TcpSocket(), 7000)
    assert revision.startup.allowance == timedelta(seconds=240)
    assert revision.liveness is None
