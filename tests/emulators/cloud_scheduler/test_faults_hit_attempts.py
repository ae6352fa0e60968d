"""An attempt can fail before its target hears of it, after it has answered, or not at all; and so can a call."""

from collections.abc import Callable
from typing import Any

JOB = {"method": "Deliver", "resource": "*/jobs/j"}


def with_fault(start_scheduler: Callable[..., Any], target: Any, **rule: Any) -> Any:
    scheduler = start_scheduler(target.url, minute=60)
    scheduler.create("j", httpTarget={"uri": target.url})
    assert scheduler.call("POST", "/emulator/v1/faults", {"name": "f"} | rule).status_code == 200
    return scheduler


def test_before_it_the_target_is_not_called(
    start_scheduler: Callable[..., Any], target: Any, eventually: Any
) -> None:
    scheduler = with_fault(
        start_scheduler, target, **JOB, effect="error", code="UNAVAILABLE", message="a storm"
    )
    scheduler.run("j")
    eventually(lambda: "status" in scheduler.job("j"))
    assert scheduler.job("j")["status"] == {"code": 14, "message": "a storm"}
    assert target.calls == []


def test_after_it_the_answer_is_lost(
    start_scheduler: Callable[..., Any], target: Any, eventually: Any
) -> None:
    scheduler = with_fault(start_scheduler, target, **JOB, effect="drop", when="after")
    scheduler.run("j")
    eventually(lambda: "status" in scheduler.job("j"))
    assert scheduler.job("j")["status"]["code"] == 14
    assert len(target.calls) == 1


def test_one_that_hangs_meets_the_deadline(
    start_scheduler: Callable[..., Any], target: Any, eventually: Any
) -> None:
    scheduler = with_fault(start_scheduler, target, **JOB, effect="hang")
    scheduler.run("j")
    scheduler.clock("advance", seconds=181)
    eventually(lambda: "status" in scheduler.job("j"))
    assert scheduler.job("j")["status"]["code"] == 4


def test_a_change_whose_answer_is_lost_has_happened(start_scheduler: Callable[..., Any], target: Any) -> None:
    rule = {"method": "PauseJob", "effect": "error", "code": "INTERNAL", "when": "after", "times": 1}
    scheduler = with_fault(start_scheduler, target, **rule)
    path = "/v1/projects/demo-dormouse/locations/europe-west1/jobs/j:pause"
    assert scheduler.call("POST", path, {}).status_code == 500
    assert scheduler.job("j")["state"] == "PAUSED"
