"""A slow target delays its job and is never called twice at once; a failing one is recorded, and tried on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

NEVER_SOON = "0 0 1 1 *"


def test_a_run_that_outlasts_its_minute_is_not_doubled(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """Once it is over, one late run makes up for all that were missed; then the schedule goes on."""
    target.gate.clear()
    scheduler = start_scheduler(target.url, a_job(), a_job("other", path="/other"))
    eventually(lambda: len(target.calls) == 2)
    scheduler.clock("advance", seconds=2)
    assert sorted(call.path for call in target.calls) == ["/", "/other"]

    target.gate.set()
    eventually(lambda: len(target.at("/")) >= 4)
    times = [call.scheduled for call in target.at("/")]
    assert times == sorted(set(times))
    assert times[1] - times[0] == timedelta(minutes=1)
    assert times[2] - times[1] > timedelta(minutes=6)
    # Two jobs may call at once; one job may not.
    assert target.most_at_once <= 2


def test_a_failing_target_is_recorded_and_called_again_next_minute(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """Once a run, as the retry count is 0."""
    target.statuses.extend([500] * 1000)
    scheduler = start_scheduler(target.url, a_job())
    eventually(lambda: len(scheduler.attempts("sweep")) >= 3)
    assert {(attempt["httpStatus"], attempt["attempt"]) for attempt in scheduler.attempts("sweep")} == {
        (500, 1)
    }
    assert "500" in scheduler.job("sweep")["status"]["message"]
    target.statuses.clear()
    eventually(lambda: scheduler.job("sweep")["status"] == {})


def test_the_answer_of_where_it_was_redirected_to_counts(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    target.statuses.extend([307, 404])
    scheduler = start_scheduler(target.url, a_job(schedule=NEVER_SOON))
    scheduler.run("sweep")
    eventually(lambda: len(scheduler.attempts("sweep")) == 1)
    assert scheduler.attempts("sweep")[0]["httpStatus"] == 404
    assert [call.path for call in target.calls] == ["/", "/moved"]


def test_a_target_that_is_down_is_recorded_and_the_schedule_goes_on(
    start_scheduler: Callable[..., Any],
    a_job: Callable[..., Any],
    free_port: Callable[[], int],
    eventually: Any,
) -> None:
    scheduler = start_scheduler(f"http://127.0.0.1:{free_port()}", a_job())
    eventually(lambda: len(scheduler.attempts("sweep")) >= 3)
    last = scheduler.attempts("sweep")[-1]
    assert last["httpStatus"] is None
    assert "cannot call" in last["message"]


def test_a_retry_count_tries_the_same_run_again(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    target.statuses.extend([503, 503])
    job = a_job(schedule=NEVER_SOON, retryCount=3, minBackoffSeconds=0.05)
    scheduler = start_scheduler(target.url, job)
    scheduler.run("sweep")
    eventually(lambda: len(scheduler.attempts("sweep")) == 3)
    assert [attempt["httpStatus"] for attempt in scheduler.attempts("sweep")] == [503, 503, 200]
    assert len({call.scheduled for call in target.calls}) == 1


def test_a_run_by_hand_does_not_wait_for_the_one_that_goes_on(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    target.gate.clear()
    scheduler = start_scheduler(target.url, a_job(schedule=NEVER_SOON))
    for count in (1, 2):
        assert scheduler.run("sweep").status_code == 200
        eventually(lambda count=count: len(target.calls) == count)


def test_what_is_paused_or_deleted_is_not_tried_again(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """A minute is a quarter of a second here, and the wait for a retry half of one."""
    target.statuses.extend([500] * 1000)
    jobs = [a_job(name, path=f"/{name}", retryCount=5, minBackoffSeconds=0.5) for name in ("pause", "gone")]
    scheduler = start_scheduler(target.url, *jobs)
    eventually(lambda: target.at("/pause") and target.at("/gone"))
    place = "/v1/projects/demo-dormouse/locations/europe-west1/jobs"
    assert scheduler.call("POST", f"{place}/pause:pause", {}).status_code == 200
    assert scheduler.call("DELETE", f"{place}/gone").status_code == 200
    before = {path: len(target.at(path)) for path in ("/pause", "/gone")}
    scheduler.clock("advance", seconds=60)
    # An attempt that was on its way when it was paused may have arrived since.
    assert len(target.at("/pause")) <= before["/pause"] + 1
    assert len(target.at("/gone")) <= before["/gone"] + 1
