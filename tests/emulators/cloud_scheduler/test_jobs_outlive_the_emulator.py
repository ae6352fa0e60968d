"""A kill -9 takes back nothing that was answered; what was missed or cut is made up for, once."""

import contextlib
import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

log = logging.getLogger(__name__)

KILLS = int(os.environ.get("SCHEDULER_KILLS", "20"))
PLACE = "projects/demo-dormouse/locations/europe-west1"


class Writer(threading.Thread):
    """Creates, updates and deletes jobs of its own until the emulator is gone; knows what it was told."""

    def __init__(self, url: str, name: str, seed: int, known: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.url, self.prefix = f"{url}/v1/{PLACE}/jobs", name
        self.random = random.Random(seed)
        self.known = known
        """The schedules of the jobs that there are, as acknowledged."""
        self.open: tuple[str, str | None] | None = None
        """The write that was not answered: its job, and the schedule that it would have, or None."""
        self.answered = 0

    def run(self) -> None:
        with httpx2.Client(trust_env=False, timeout=30, verify=False) as client:
            while self.write(client):
                self.answered += 1

    def write(self, client: httpx2.Client) -> bool:
        name = f"{self.prefix}-{self.random.randrange(12)}"
        schedule = f"{self.random.randrange(60)} {self.random.randrange(24)} 1 1 *"
        if name not in self.known:
            body = {
                "name": f"{PLACE}/jobs/{name}",
                "schedule": schedule,
                "httpTarget": {"uri": "http://127.0.0.1:1"},
            }
            request = client.build_request("POST", self.url, json=body)
        elif self.random.random() < 0.3:
            request = client.build_request("DELETE", f"{self.url}/{name}")
        else:
            url = f"{self.url}/{name}?updateMask=schedule"
            request = client.build_request("PATCH", url, json={"schedule": schedule})
        wanted = None if request.method == "DELETE" else schedule
        self.open = (name, wanted)
        try:
            answer = client.send(request)
        except httpx2.HTTPError:
            return False
        assert answer.status_code == 200, answer.text
        self.open = None
        if wanted is None:
            del self.known[name]
        else:
            self.known[name] = wanted
        return True


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the emulator does not answer"
        time.sleep(0.001)


def kept(url: str) -> dict[str, str]:
    jobs = httpx2.get(f"{url}/v1/{PLACE}/jobs", trust_env=False, timeout=30).json().get("jobs", [])
    return {job["name"].rpartition("/")[2]: job["schedule"] for job in jobs}


@pytest.mark.timeout(120 + 30 * KILLS)
def test_every_acknowledged_write_is_there_after_kill_9(
    start_scheduler: Callable[..., Any], target: Any, processes: Any
) -> None:
    """At seeded moments under the load of four writers; what was not answered may or may not have happened."""
    moments, known, answered = random.Random(20261121), [{} for _ in range(4)], 0
    scheduler = start_scheduler(target.url, minute=60)
    for round_number in range(KILLS):
        writers = [
            Writer(scheduler.url, f"w{index}", 100 * round_number + index, jobs)
            for index, jobs in enumerate(known)
        ]
        for writer in writers:
            writer.start()
        # A moment is a number of answers and a little more: so that it is one on a slow machine too.
        answers = moments.randrange(40)
        until(lambda answers=answers, writers=writers: sum(writer.answered for writer in writers) >= answers)
        time.sleep(moments.uniform(0, 0.02))
        processes.kill(scheduler.process)
        for writer in writers:
            writer.join(60)
        answered += sum(writer.answered for writer in writers)

        scheduler = start_scheduler(target.url, minute=60)
        there = kept(scheduler.url)
        for writer in writers:
            take_over_what_was_open(writer, there)
        acknowledged = {name: schedule for jobs in known for name, schedule in jobs.items()}
        assert there == acknowledged, f"round {round_number}"
    log.info("%d kills, %d acknowledged writes, none lost", KILLS, answered)
    assert answered > KILLS


def take_over_what_was_open(writer: Writer, there: dict[str, str]) -> None:
    """The one write that nobody answered: done, or not done, but not something else."""
    if writer.open is None:
        return
    name, wanted = writer.open
    assert there.get(name) in (wanted, writer.known.get(name))
    writer.known.pop(name, None)
    if name in there:
        writer.known[name] = there[name]


def test_what_was_missed_while_it_was_down_is_made_up_for_once(
    start_scheduler: Callable[..., Any], target: Any, processes: Any, eventually: Any, tmp_path: Path
) -> None:
    """Sixty runs are missed: the first of them comes late, and the next one is on the schedule again."""
    scheduler = start_scheduler(target.url, minute=60)
    scheduler.clock("hold")
    scheduler.create("j", schedule="* * * * *", httpTarget={"uri": target.url})
    due = scheduler.job("j")["scheduleTime"]
    processes.kill(scheduler.process)

    (tmp_path / "state" / "clock.json").write_text(json.dumps({"aheadSeconds": 3600}))
    again = start_scheduler(target.url, minute=60)
    eventually(lambda: "status" in again.job("j"))
    following = again.job("j")["scheduleTime"]
    assert [attempt["scheduleTime"] for attempt in again.attempts("j")][:1] == [due]
    assert datetime.fromisoformat(following) - datetime.fromisoformat(due) >= timedelta(minutes=59)


def test_a_scheduled_run_that_a_kill_has_cut_is_begun_again(
    start_scheduler: Callable[..., Any], target: Any, processes: Any, eventually: Any
) -> None:
    target.gate.clear()
    scheduler = start_scheduler(target.url, minute=60)
    scheduler.clock("hold")
    scheduler.create("j", schedule="* * * * *", httpTarget={"uri": target.url})
    moving = threading.Thread(target=advance_until_killed, args=(scheduler,))
    moving.start()
    eventually(lambda: len(target.calls) == 1)
    processes.kill(scheduler.process)
    moving.join(60)

    target.gate.set()
    again = start_scheduler(target.url, minute=60)
    # The clock of the killed one had been moved, which is kept only once it has arrived.
    again.clock("advance", seconds=60)
    eventually(lambda: len(target.calls) >= 2)
    assert target.calls[1].scheduled == target.calls[0].scheduled


def advance_until_killed(scheduler: Any) -> None:
    with contextlib.suppress(httpx2.HTTPError):
        scheduler.clock("advance", seconds=60)


def test_a_run_by_hand_that_was_acknowledged_happens(
    start_scheduler: Callable[..., Any], target: Any, processes: Any, eventually: Any
) -> None:
    """Cut by a kill, it is begun again, with the time that it was asked for."""
    target.gate.clear()
    scheduler = start_scheduler(target.url, minute=60)
    scheduler.create("j", httpTarget={"uri": target.url})
    assert scheduler.run("j").status_code == 200
    eventually(lambda: len(target.calls) == 1)
    processes.kill(scheduler.process)

    target.gate.set()
    again = start_scheduler(target.url, minute=60)
    eventually(lambda: len(target.calls) == 2)
    assert target.calls[0].scheduled == target.calls[1].scheduled
    eventually(lambda: again.job("j").get("status") == {})


def test_what_an_attempt_came_to_is_kept(
    start_scheduler: Callable[..., Any], target: Any, processes: Any, eventually: Any
) -> None:
    target.statuses.append(404)
    scheduler = start_scheduler(target.url, minute=60)
    scheduler.create("j", httpTarget={"uri": target.url})
    scheduler.run("j")
    eventually(lambda: "status" in scheduler.job("j"))
    before = scheduler.job("j")
    processes.kill(scheduler.process)
    assert start_scheduler(target.url, minute=60).job("j") == before
    assert before["status"]["code"] == 5
