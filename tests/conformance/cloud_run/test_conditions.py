"""What does a service say of itself: its conditions, its generations, its etag?"""

from __future__ import annotations

from typing import Any

import pytest
from google.api import launch_stage_pb2
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import POLLING, Services, refused

_CONDITION = "google.cloud.run.v2 Condition"
_RECONCILING = "google.cloud.run.v2 Service.reconciling"
_STATE = run_v2.Condition.State
_MISSING = "@sha256:" + "0" * 64


def on_demand(services: Services, **template: Any) -> run_v2.Service:
    """A service whose revisions are started to be checked, and then only for requests."""
    scaling = {"scaling_mode": "AUTOMATIC", "max_instance_count": 1}
    within = {f"template__{name}": value for name, value in template.items()}
    return services.draft(scaling=scaling, **within)


def broken(services: Services) -> dict[str, Any]:
    """A template whose image nobody has."""
    return {"containers": [{"image": services.image.partition("@")[0] + _MISSING}]}


@check(
    "RUN-281",
    source=f"{_CONDITION}.type: Ready; run/docs/reference Service status: ConfigurationsReady, RoutesReady",
)
def test_a_ready_service_has_three_conditions(services: Services, service_id: str) -> None:
    """A service that is ready says so in Ready, its terminal condition, and in RoutesReady and ConfigurationsReady."""
    service = services.create(service_id)
    assert (service.terminal_condition.type_, service.terminal_condition.state) == (
        "Ready",
        _STATE.CONDITION_SUCCEEDED,
    )
    found = {condition.type_: condition.state for condition in service.conditions}
    assert found == {
        "RoutesReady": _STATE.CONDITION_SUCCEEDED,
        "ConfigurationsReady": _STATE.CONDITION_SUCCEEDED,
    }


@check(
    "RUN-282",
    source=f"{_CONDITION}.RevisionReason.HEALTH_CHECK_SKIPPED: manually scaled with 0 instance count",
    assumed=True,
)
def test_manual_zero_skips_the_health_check(services: Services, service_id: str) -> None:
    """A service created at MANUAL 0 is ready without a check, and ConfigurationsReady says HEALTH_CHECK_SKIPPED."""
    conditions = services.create(service_id).conditions
    (found,) = [condition for condition in conditions if condition.type_ == "ConfigurationsReady"]
    assert found.revision_reason == run_v2.Condition.RevisionReason.HEALTH_CHECK_SKIPPED


@check("RUN-283", source=f"{_RECONCILING}; google.cloud.run.v2 Service.observed_generation")
def test_a_change_that_is_in_force_is_observed(services: Services, service_id: str) -> None:
    """Once reconciliation has succeeded, observed and wanted generation, latest ready and created revision match."""
    services.create(service_id)
    service = services.update(service_id, "template.timeout", template={"timeout": "60s"})
    assert not service.reconciling
    assert service.observed_generation == service.generation
    assert service.latest_ready_revision == service.latest_created_revision != ""


@check("RUN-284", source="google.cloud.run.v2 Service.generation: monotonically increases")
def test_the_generation_rises_with_every_change(services: Services, service_id: str) -> None:
    """The generation is 1 at first and greater after each change of the desired state."""
    first = services.create(service_id)
    second = services.update(service_id, "description", description="a")
    third = services.update(service_id, "labels", labels={"a": "1"})
    assert 1 == first.generation < second.generation < third.generation


@check("RUN-285", source="google.cloud.run.v2 Service.etag: a fingerprint for this version of the resource")
def test_every_write_has_its_etag(services: Services, service_id: str) -> None:
    """Each write gives another etag; reading gives the same."""
    written = [services.create(service_id)]
    written += [services.update(service_id, "description", description=text) for text in ("a", "b", "a")]
    assert len({service.etag for service in written}) == len(written)
    assert services.get(service_id).etag == services.get(service_id).etag == written[-1].etag


@check("RUN-286", source="aip.dev/154: ABORTED for an etag that does not match")
def test_a_stale_etag_is_aborted(services: Services, service_id: str) -> None:
    """An update with an etag that is no longer the service's is ABORTED, and one with the newest succeeds."""
    stale = services.create(service_id)
    fresh = services.update(service_id, "description", description="a")
    write = {"description": "b"}
    refusal = refused(lambda: services.update(service_id, "description", etag=stale.etag, **write))
    assert refusal.code == "ABORTED"
    assert services.update(service_id, "description", etag=fresh.etag, **write).description == "b"


@check("RUN-287", source="google.cloud.run.v2 Service.uid: a UUID4 that remains unchanged until deletion")
def test_the_uid_stays(services: Services, service_id: str) -> None:
    """The uid stays through changes, and another service under the name has another."""
    first = services.create(service_id)
    assert services.update(service_id, "description", description="a").uid == first.uid
    services.forget(service_id)
    assert services.create(service_id).uid != first.uid


@check(
    "RUN-288", source=f"{_CONDITION}.CommonReason.CONTAINER_MISSING: the container image path is incorrect"
)
def test_a_missing_image_fails_the_service(services: Services, service_id: str) -> None:
    """A service whose image is missing is kept: Ready and ConfigurationsReady have failed for CONTAINER_MISSING."""
    operation = services.begin_create(service_id, on_demand(services, **broken(services)))
    refused(lambda: operation.result(polling=POLLING))
    service = services.get(service_id)
    assert not service.reconciling
    assert service.terminal_condition.state == _STATE.CONDITION_FAILED
    assert service.terminal_condition.reason == run_v2.Condition.CommonReason.CONTAINER_MISSING
    assert service.terminal_condition.message
    (found,) = [one for one in service.conditions if one.type_ == "ConfigurationsReady"]
    assert found.state == _STATE.CONDITION_FAILED


@check(
    "RUN-289",
    source=f"{_RECONCILING}: if it failed, the last serving state, or empty for newly created Services",
)
def test_a_new_service_that_failed_serves_nothing(services: Services, service_id: str) -> None:
    """A create that failed leaves observed generation, latest ready revision and traffic statuses empty."""
    operation = services.begin_create(service_id, on_demand(services, **broken(services)))
    refused(lambda: operation.result(polling=POLLING))
    service = services.get(service_id)
    assert (service.generation, service.observed_generation) == (1, 0)
    assert service.latest_created_revision != service.latest_ready_revision == ""
    assert list(service.traffic_statuses) == []


@check("RUN-290", source=f"{_RECONCILING}: if it failed, the state of the last serving revision")
def test_a_failed_change_leaves_what_served(services: Services, service_id: str) -> None:
    """A change that failed leaves observed generation and latest ready revision where they were; the next repairs."""
    before = services.create(service_id, on_demand(services))
    refused(lambda: services.update(service_id, "template.containers", template=broken(services)))
    failed = services.get(service_id)
    assert failed.terminal_condition.state == _STATE.CONDITION_FAILED
    assert (failed.observed_generation, failed.generation) == (before.observed_generation, 2)
    assert failed.latest_ready_revision == before.latest_ready_revision != failed.latest_created_revision
    repaired = services.update(service_id, "template.containers", template=services.draft().template)
    assert repaired.terminal_condition.state == _STATE.CONDITION_SUCCEEDED
    assert repaired.observed_generation == repaired.generation == 3


@check(
    "RUN-291", source=f"{_CONDITION}.last_transition_time: from one status to another; {_CONDITION} reasons"
)
def test_a_condition_that_succeeds_again_has_no_reason(services: Services, service_id: str) -> None:
    """Ready moves its transition time when it recovers, and what was wrong is no longer said."""
    operation = services.begin_create(service_id, on_demand(services, **broken(services)))
    refused(lambda: operation.result(polling=POLLING))
    failed = services.get(service_id).terminal_condition
    ready = services.update(
        service_id, "template.containers", template=services.draft().template
    ).terminal_condition
    assert ready.last_transition_time > failed.last_transition_time
    assert (ready.message, ready.reason) == ("", run_v2.Condition.CommonReason.COMMON_REASON_UNDEFINED)


@check("RUN-292", source="google.cloud.run.v2 Service.launch_stage: GA is assumed; IngressTraffic")
def test_launch_stage_and_ingress_have_defaults(services: Services, service_id: str) -> None:
    """A service that says nothing of them is GA and takes all traffic."""
    service = services.create(service_id)
    assert service.launch_stage == launch_stage_pb2.LaunchStage.GA
    assert service.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL


@check("RUN-293", source="google.cloud.run.v2 Service.create_time, update_time")
def test_times_are_the_servers(services: Services, service_id: str) -> None:
    """The create time stays, the update time moves with a change, and neither can be sent."""
    created = services.create(service_id, services.draft(create_time="2001-01-01T00:00:00Z"))
    changed = services.update(service_id, "description", description="a")
    assert created.create_time.year > 2001
    assert changed.create_time == created.create_time
    assert changed.update_time > created.update_time


@check(
    "RUN-294",
    source="google.cloud.run.v2 UpdateServiceRequest.validate_only: validated without updating",
)
@pytest.mark.parametrize("paths", [("description",), ("template.timeout",)])
def test_a_validated_update_is_not_carried_out(
    services: Services, service_id: str, paths: tuple[str, ...]
) -> None:
    """An update with validate_only leaves the service, its etag and its revision as they are."""
    before = services.create(service_id)
    service = {"name": before.name, "description": "x", "template": {"timeout": "9s"}}
    services.client.update_service(
        request={"service": service, "update_mask": {"paths": paths}, "validate_only": True}, retry=None
    )
    assert services.get(service_id) == before
