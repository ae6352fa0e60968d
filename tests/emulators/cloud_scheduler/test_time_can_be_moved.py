"""Days pass in seconds: every run happens at its own time, in order, and deadlines and back-offs pass as well."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

MINUTES = timedelta(minutes=1)


def held(start_scheduler: Callable[..., Any], target: Any) -> Any:
    scheduler = start_scheduler(target.url, minute=60)
    scheduler.clock("hold")
    return scheduler


def test_a_day_brings_288_runs_of_every_fifth_minute_in_order(
    start_scheduler: Callable[..., Any], target: Any
) -> None:
    scheduler = held(start_scheduler, target)
    scheduler.create("often", schedule="*/5 * * * *", httpTarget={"uri": f"{target.url}/often"})
    scheduler.create("daily", schedule="0 3 * * *", httpTarget={"uri": f"{target.url}/daily"})
    began = datetime.fromisoformat(scheduler.clock("hold")["now"])

    scheduler.clock("advance", seconds=86400)

    times = [call.scheduled for call in target.at("/often")]
    assert len(times) == 288
    assert all(later - earlier == 5 * MINUTES for earlier, later in pairwise(times))
    assert began < times[0] <= began + 5 * MINUTES
    assert len(target.at("/daily")) == 1
    # The run of three o'clock is called when it is three, not when the clock has arrived.
    position = [call.path for call in target.calls].index("/daily")
    assert target.calls[position].scheduled - times[position - 1] in (timedelta(), 5 * MINUTES)
    assert scheduler.attempts("often")[-1]["startTime"][:16] == times[-1].isoformat()[:16]


def test_retries_wait_by_the_clock(start_scheduler: Callable[..., Any], target: Any) -> None:
    """Failed at once, then after 1, 3 and 7 minutes, and then given up; the next time comes from the schedule."""
    target.statuses.extend([500] * 4)
    scheduler = held(start_scheduler, target)
    retries = {"retryCount": 3, "minBackoffDuration": "60s", "maxDoublings": 5}
    scheduler.create("j", schedule="0 * * * *", httpTarget={"uri": target.url}, retryConfig=retries)
    due = datetime.fromisoformat(scheduler.job("j")["scheduleTime"])
    scheduler.clock("advance", seconds=3600)
    # The second hour is the run after.
    starts = [datetime.fromisoformat(attempt["startTime"]) for attempt in scheduler.attempts("j")][:4]
    waits = [round((start - due) / MINUTES) for start in starts]
    assert waits == [0, 1, 3, 7][: len(waits)]
    scheduler.clock("advance", seconds=3600)
    codes = [attempt["code"] for attempt in scheduler.attempts("j")]
    assert codes[:5] == [13, 13, 13, 13, 0]
    assert scheduler.attempts("j")[4]["attempt"] == 1


def test_retries_that_go_on_through_a_schedule_time_skip_that_run(
    start_scheduler: Callable[..., Any], target: Any
) -> None:
    target.statuses.extend([500, 500])
    scheduler = held(start_scheduler, target)
    retries = {"retryCount": 2, "minBackoffDuration": "180s"}
    scheduler.create("j", schedule="*/5 * * * *", httpTarget={"uri": target.url}, retryConfig=retries)
    scheduler.clock("advance", seconds=20 * 60)
    times = [call.scheduled for call in target.calls]
    # Tried at 0, 3 and 9 minutes: the run of minute 5 is not made up for.
    assert times[0] == times[1] == times[2]
    assert times[3] - times[0] == 10 * MINUTES


def test_a_target_that_does_not_answer_meets_the_attempts_deadline(
    start_scheduler: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """The clock waits a while for an attempt, then moves on: the three minutes are the clock's."""
    target.gate.clear()
    scheduler = held(start_scheduler, target)
    scheduler.create("j", httpTarget={"uri": target.url})
    scheduler.run("j")
    eventually(lambda: bool(target.calls))
    scheduler.clock("advance", seconds=181)
    eventually(lambda: "status" in scheduler.job("j"))
    status = scheduler.job("j")["status"]
    assert (status["code"], "180 s" in status["message"]) == (4, True)


def test_the_next_run_shown_is_the_retry_while_one_is_waited_for(
    start_scheduler: Callable[..., Any], target: Any, eventually: Any
) -> None:
    target.statuses.append(500)
    scheduler = held(start_scheduler, target)
    retries = {"retryCount": 1, "minBackoffDuration": "600s"}
    scheduler.create("j", schedule="0 * * * *", httpTarget={"uri": target.url}, retryConfig=retries)
    due = datetime.fromisoformat(scheduler.job("j")["scheduleTime"])
    now = datetime.fromisoformat(scheduler.clock("hold")["now"])
    scheduler.clock("advance", seconds=(due - now).total_seconds() + 1)
    shown = datetime.fromisoformat(scheduler.job("j")["scheduleTime"])
    assert timedelta(seconds=599) < shown - due < timedelta(seconds=602)
