"""What does service-level scaling do, and what do its two modes hand on to each other?"""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import MODE, Services, refused

_MANUAL = "run/docs/configuring/services/manual-scaling"
_SWITCH = f"{_MANUAL}, Switch between scaling modes (one stored copy)"
_SCALING = "google.cloud.run.v2 ServiceScaling"
_NO_REVISION = "run/docs/configuring/min-instances: goes into effect without deploying a new revision"
_MODE, _MIN, _MAX = "scaling.scaling_mode", "scaling.min_instance_count", "scaling.max_instance_count"
_COUNT = "scaling.manual_instance_count"


def automatic(minimum: int | None = None, maximum: int | None = None) -> dict[str, Any]:
    counts = {"min_instance_count": minimum, "max_instance_count": maximum}
    given = {name: count for name, count in counts.items() if count is not None}
    return {"scaling_mode": "AUTOMATIC", **given}


def manual(count: int | None = None) -> dict[str, Any]:
    given = {} if count is None else {"manual_instance_count": count}
    return {"scaling_mode": "MANUAL", **given}


@check("RUN-263", source=f"{_SCALING}.scaling_mode: if not provided, it defaults to AUTOMATIC")
def test_scaling_is_automatic_by_default(services: Services, service_id: str) -> None:
    """A service that says nothing of its scaling is AUTOMATIC."""
    assert services.create(service_id, services.draft(scaling={})).scaling.scaling_mode == MODE.AUTOMATIC


@check("RUN-264", source=f"{_SCALING}.manual_instance_count: optional, with presence")
def test_a_manual_zero_is_not_an_absent_count(services: Services, service_id: str) -> None:
    """MANUAL 0 is read back with a count of 0 that is present."""
    services.create(service_id, services.draft(scaling=manual(0)))
    scaling = services.get(service_id).scaling
    assert scaling.scaling_mode == MODE.MANUAL
    assert "manual_instance_count" in scaling
    assert scaling.manual_instance_count == 0


@check("RUN-265", source=f"{_MANUAL}: without redeploying; {_NO_REVISION}")
def test_scaling_makes_no_revision(services: Services, service_id: str) -> None:
    """Neither a change of the counts nor one of the mode makes a revision; the generation goes on."""
    created = services.create(service_id)
    warm = services.update(service_id, _MODE, _MIN, _MAX, scaling=automatic(0, 1))
    off = services.update(service_id, _MODE, _COUNT, scaling=manual(0))
    assert created.latest_created_revision == warm.latest_created_revision == off.latest_created_revision
    assert created.generation < warm.generation < off.generation


@check("RUN-266", source="google.cloud.run.v2 Service.template: used to create revisions")
def test_a_changed_template_makes_a_revision_with_a_fresh_name(services: Services, service_id: str) -> None:
    """A change of the template makes a revision under a name that no earlier one had."""
    created = services.create(service_id)
    changed = services.update(service_id, "template.timeout", template={"timeout": "60s"})
    again = services.update(service_id, "template.timeout", template={"timeout": "300s"})
    names = {service.latest_created_revision for service in (created, changed, again)}
    assert len(names) == 3


@check(
    "RUN-267",
    source="google.cloud.run.v2 Service.template; that equal templates are compared is believed",
    assumed=True,
)
def test_an_equal_template_makes_no_revision(services: Services, service_id: str) -> None:
    """A template that is sent again as it was, its defaults filled in or not, makes no revision."""
    created = services.create(service_id)
    again = services.update(service_id, "template", template=services.draft().template)
    filled = services.update(service_id, "template", template=created.template)
    assert again.latest_created_revision == filled.latest_created_revision == created.latest_created_revision


@check("RUN-268", source=f"{_SWITCH}: AUTOMATIC to MANUAL without a count inherits the minimum")
def test_manual_without_a_count_inherits_the_minimum(services: Services, service_id: str) -> None:
    """A switch to MANUAL that names no count takes the service's minimum, 0 included."""
    services.create(service_id, services.draft(scaling=automatic(0, 2)))
    changed = services.update(service_id, _MODE, scaling=manual())
    assert changed.scaling.scaling_mode == MODE.MANUAL
    assert "manual_instance_count" in changed.scaling
    assert changed.scaling.manual_instance_count == 0


@check("RUN-269", source=f"{_SWITCH}: MANUAL to AUTOMATIC gives both min and max, or neither")
@pytest.mark.parametrize(
    ("given", "missing"),
    [("min_instance_count", "max_instance_count"), ("max_instance_count", "min_instance_count")],
)
def test_automatic_with_one_count_is_refused(
    services: Services, service_id: str, given: str, missing: str
) -> None:
    """A switch from MANUAL to AUTOMATIC that gives one count is INVALID_ARGUMENT and names the other."""
    services.create(service_id, services.draft(scaling=manual(0)))
    half = {"scaling_mode": "AUTOMATIC", given: 1}
    for paths in ((_MODE, f"scaling.{given}"), ("scaling",)):
        refusal = refused(lambda paths=paths: services.update(service_id, *paths, scaling=half))
        assert refusal.code == "INVALID_ARGUMENT"
        assert refusal.names(f"service.scaling.{missing}")


@check("RUN-270", source=f"{_SWITCH}: MANUAL to AUTOMATIC with neither inherits the manual count")
def test_automatic_without_counts_inherits_the_manual_one(services: Services, service_id: str) -> None:
    """A switch from MANUAL 0 to AUTOMATIC that names no count has a minimum of 0: it wakes nothing."""
    services.create(service_id, services.draft(scaling=manual(0)))
    scaling = services.update(service_id, _MODE, scaling=automatic()).scaling
    assert scaling.scaling_mode == MODE.AUTOMATIC
    assert (scaling.min_instance_count, scaling.max_instance_count) == (0, 0)


@check("RUN-271", source=f"{_SWITCH}; {_SCALING}")
def test_a_switch_with_both_counts_has_them(services: Services, service_id: str) -> None:
    """A switch from MANUAL 0 to AUTOMATIC with both counts has exactly these."""
    services.create(service_id, services.draft(scaling=manual(0)))
    scaling = services.update(service_id, _MODE, _MIN, _MAX, scaling=automatic(0, 3)).scaling
    assert (scaling.min_instance_count, scaling.max_instance_count) == (0, 3)


@check(
    "RUN-272",
    source="public reads of services: automatic ones show manualInstanceCount 0 beside minInstanceCount 0",
)
def test_an_automatic_service_may_still_show_a_manual_count(services: Services, service_id: str) -> None:
    """After a switch from MANUAL 0 both counts of 0 are shown: only the mode tells whether it is off."""
    services.create(service_id, services.draft(scaling=manual(0)))
    scaling = services.update(service_id, _MODE, _MIN, _MAX, scaling=automatic(0, 1)).scaling
    assert scaling.scaling_mode == MODE.AUTOMATIC
    assert "manual_instance_count" in scaling
    assert scaling.manual_instance_count == scaling.min_instance_count == 0


@check("RUN-273", source="run/docs/configuring/max-instances: any integer value from 1; RevisionScaling")
@pytest.mark.parametrize(
    ("scaling", "field"),
    [
        (automatic(3, 2), "max_instance_count"),
        (automatic(0, -1), "max_instance_count"),
        (automatic(-1, 1), "min_instance_count"),
        (manual(-1), "manual_instance_count"),
    ],
)
def test_impossible_counts_are_refused(
    services: Services, service_id: str, scaling: dict[str, Any], field: str
) -> None:
    """Negative counts and a maximum below the minimum are INVALID_ARGUMENT and named."""
    refusal = services.refuses(service_id, services.draft(scaling=scaling))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names(f"service.scaling.{field}")


@check(
    "RUN-274", source="google.cloud.run.v2 RevisionScaling.max_instance_count: must not be less than minimum"
)
def test_a_revisions_own_counts_are_checked(services: Services, service_id: str) -> None:
    """A maximum of the template below its minimum is INVALID_ARGUMENT."""
    scaling = {"min_instance_count": 2, "max_instance_count": 1}
    refusal = services.refuses(service_id, services.draft(template__scaling=scaling))
    assert refusal.names("service.template.scaling.max_instance_count")


@check(
    "RUN-275",
    source="google.cloud.run.v2 Service.traffic: defaults to 100% traffic to the latest Ready Revision",
)
def test_all_traffic_goes_to_the_latest_by_default(services: Services, service_id: str) -> None:
    """A service that says nothing of traffic sends all of it to its latest revision, and shows that."""
    created = services.create(service_id)
    latest = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    assert [(target.type_, target.percent) for target in created.traffic] == [(latest, 100)]
    assert [(target.type_, target.percent) for target in created.traffic_statuses] == [(latest, 100)]


@check("RUN-276", source="google.cloud.run.v2 TrafficTarget: revision, percent")
def test_all_traffic_may_name_the_one_revision(services: Services, service_id: str) -> None:
    """All traffic may be given to the one revision by its name."""
    target = {
        "type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
        "revision": f"{service_id}-one",
        "percent": 100,
    }
    created = services.create(
        service_id, services.draft(template__revision=f"{service_id}-one", traffic=[target])
    )
    assert created.traffic_statuses[0].revision == f"{service_id}-one"


@check("RUN-277", source="run/docs/rollouts-rollbacks-traffic-migration: percentages must add up to 100")
def test_percents_make_a_hundred(services: Services, service_id: str) -> None:
    """Percents of traffic that do not add up to 100 are INVALID_ARGUMENT."""
    target = {"type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 99}
    refusal = services.refuses(service_id, services.draft(traffic=[target]))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names("service.traffic")


@pytest.mark.emulator_only
@check("RUN-278", source="the emulator's own promise: what it lacks is told, never dropped")
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"ingress": "INGRESS_TRAFFIC_NONE"}, "service.ingress"),
        ({"default_uri_disabled": True}, "service.default_uri_disabled"),
        ({"custom_audiences": ["https://example.com"]}, "service.custom_audiences"),
        ({"binary_authorization": {"use_default": True}}, "service.binary_authorization"),
        ({"template__vpc_access": {"connector": "c"}}, "service.template.vpc_access"),
        ({"template__encryption_key": "k"}, "service.template.encryption_key"),
        ({"template__node_selector": {"accelerator": "nvidia-l4"}}, "service.template.node_selector"),
        (
            {"template__volumes": [{"name": "s", "secret": {"secret": "x"}}]},
            "service.template.volumes[0].secret",
        ),
    ],
)
def test_what_is_not_emulated_is_told(
    services: Services, service_id: str, fields: dict[str, Any], named: str
) -> None:
    """A field that Cloud Run has and the emulator does not is UNIMPLEMENTED and named."""
    refusal = services.refuses(service_id, services.draft(**fields))
    assert (refusal.code, refusal.fields) == ("UNIMPLEMENTED", [named])


@pytest.mark.emulator_only
@check("RUN-279", source="the emulator's own promise: what it lacks is told, never dropped")
def test_splits_and_sidecars_are_told(services: Services, service_id: str) -> None:
    """A traffic split, a tag, several containers, a secret and a GPU are UNIMPLEMENTED, all named at once."""
    target = {"type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 50, "tag": "blue"}
    secret = {"name": "S", "value_source": {"secret_key_ref": {"secret": "s", "version": "1"}}}
    resources = {"limits": {"nvidia.com/gpu": "1"}, "cpu_idle": True}
    containers = [
        {"image": services.image, "env": [secret], "resources": resources},
        {"image": services.image},
    ]
    draft = services.draft(template__containers=containers, traffic=[target, target])
    refusal = services.refuses(service_id, draft)
    assert refusal.code == "UNIMPLEMENTED"
    assert {
        "service.traffic",
        "service.traffic[0].tag",
        "service.template.containers",
        "service.template.containers[0].env[0].value_source",
        "service.template.containers[0].resources.limits.nvidia.com/gpu",
    } <= set(refusal.fields)
