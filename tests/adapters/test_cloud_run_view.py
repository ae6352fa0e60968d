"""How a Cloud Run service is read: on, off or neither, settled or not, and why it does not run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import run_v2

from shared.adapters.cloud_run.view import is_ours, view
from shared.domain.breakdown import Breakdown, Cause
from shared.domain.observed import Scaling

T = datetime(2026, 11, 5, 12, tzinfo=UTC)
OURS = {"managed-by": "dormouse", "dormouse-environment": "test", "dormouse-uid": "abc"}


def a_service(**fields: Any) -> Any:
    return run_v2.Service({"name": "projects/p/locations/l/services/ws-abc-1", **fields})


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"scaling_mode": "AUTOMATIC", "min_instance_count": 1, "max_instance_count": 1}, Scaling.ON),
        ({"scaling_mode": "MANUAL", "manual_instance_count": 0}, Scaling.OFF),
        ({"scaling_mode": "MANUAL", "manual_instance_count": 1}, Scaling.OTHER),
        # Reported by services that scale by themselves: the mode decides, not the count.
        ({"scaling_mode": "AUTOMATIC", "manual_instance_count": 0, "min_instance_count": 0}, Scaling.OTHER),
        ({"scaling_mode": "AUTOMATIC", "min_instance_count": 1, "max_instance_count": 2}, Scaling.OTHER),
        ({"scaling_mode": "AUTOMATIC", "min_instance_count": 0, "max_instance_count": 1}, Scaling.OTHER),
        ({}, Scaling.OTHER),
    ],
)
def test_on_and_off_are_exactly_what_we_ask_for(scaling: dict[str, Any], expected: Scaling) -> None:
    assert view(a_service(scaling=scaling)).scaling is expected


@pytest.mark.parametrize(
    ("generation", "observed", "reconciling", "settled"),
    [(3, 3, False, True), (3, 2, False, False), (3, 3, True, False)],
)
def test_settled_is_observed_and_not_reconciling(
    generation: int, observed: int, reconciling: bool, settled: bool
) -> None:
    service = a_service(generation=generation, observed_generation=observed, reconciling=reconciling)
    assert view(service).settled is settled


def test_a_change_that_failed_is_settled_though_it_is_never_observed() -> None:
    """Cloud Run keeps the generation that last served; whoever waited for the new one would wait for ever."""
    condition = {"state": "CONDITION_FAILED"}
    failed = a_service(generation=3, observed_generation=2, terminal_condition=condition)
    assert view(failed).settled
    again = a_service(generation=3, observed_generation=2, terminal_condition=condition, reconciling=True)
    assert not view(again).settled


def test_the_last_change_counts_where_the_condition_did_not_move() -> None:
    """Else an instance that is still ending would be taken for gone."""
    condition = {"last_transition_time": T}
    late = a_service(terminal_condition=condition, update_time=T + timedelta(minutes=5))
    assert view(late).changed_at == T + timedelta(minutes=5)
    moved = a_service(terminal_condition=condition, update_time=T - timedelta(seconds=1))
    assert view(moved).changed_at == T


def test_a_failed_condition_is_a_breakdown_with_its_message() -> None:
    condition = {"state": "CONDITION_FAILED", "reason": "CONTAINER_MISSING", "message": "No such image."}
    found = view(a_service(terminal_condition=condition)).breakdown
    assert found == Breakdown(Cause.IMAGE_NOT_FOUND, "No such image.")


@pytest.mark.parametrize("state", ["CONDITION_SUCCEEDED", "CONDITION_RECONCILING", "CONDITION_PENDING"])
def test_nothing_but_failure_is_a_breakdown(state: str) -> None:
    assert view(a_service(terminal_condition={"state": state})).breakdown is None


@pytest.mark.filterwarnings("ignore:Unrecognized .* enum value")
def test_values_that_are_newer_than_our_library_are_read_as_the_unknown() -> None:
    """One service with a new kind of scaling or failure must not hide all the others from the sweep."""
    new_scaling, new_reason = a_service(scaling={"scaling_mode": 99}), a_service()
    run_v2.Service.pb(new_reason).terminal_condition.state = run_v2.Condition.State.CONDITION_FAILED
    run_v2.Service.pb(new_reason).terminal_condition.reason = 99
    assert view(new_scaling).scaling is Scaling.OTHER
    assert view(new_reason).breakdown == Breakdown(Cause.START_FAILED)


@pytest.mark.parametrize("epoch", ["", "x", "-1", "٣", "1" * 40])
def test_an_epoch_that_nobody_of_ours_wrote_is_older_than_every_other(epoch: str) -> None:
    assert view(a_service(annotations={"dormouse/epoch": epoch})).epoch == 0


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-05T12:00:00"])
def test_a_not_after_that_cannot_be_read_is_none(text: str) -> None:
    assert view(a_service(annotations={"dormouse/not-after": text})).not_after is None


@pytest.mark.parametrize("missing", OURS)
def test_ours_is_only_what_bears_all_our_labels(missing: str) -> None:
    assert is_ours(a_service(labels=OURS), "test")
    assert not is_ours(a_service(labels={**OURS, missing: ""}), "test")


def test_a_service_without_our_label_has_no_uid() -> None:
    assert view(a_service(labels={"team": "web"})).uid == ""
