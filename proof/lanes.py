"""Many rounds at once without blurring them: each lane is a process with a local cloud of its own."""

import multiprocessing
import queue
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proof.place import Place, free_ports
from proof.plan import Plan
from proof.round import Outcome, play
from tools.venv import STATE

KEPT_LOGS = STATE / "proof-logs"
"""The logs of a lane as they were at the end of a round that did not end clean, by round."""

_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A lane that could not go on, and why."""

    why: str


def run(plans: Iterable[Plan], lanes: int, runtime: str, state: Path) -> Iterator[Outcome]:
    """The outcomes as they come. Raises RuntimeError when a lane cannot start its cloud or dies."""
    # A child that is forked would inherit gRPC's threads.
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    waiting = list(plans)
    for item in [*waiting, *[None] * lanes]:
        todo.put(item)
    workers = [
        context.Process(
            target=_lane,
            args=(state / f"lane-{lane}" / "stack", runtime, (lane, lanes), todo, done),
            daemon=True,
        )
        for lane in range(lanes)
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in waiting:
            yield _next(done, workers)
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
        shutil.rmtree(state, ignore_errors=True)


def _next(done: Any, workers: list[Any]) -> Outcome:
    while True:
        try:
            found = done.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if not any(worker.exitcode for worker in workers):
                continue
            raise RuntimeError("A lane has died without a word.") from None
        if isinstance(found, Broken):
            raise RuntimeError(found.why)
        outcome: Outcome = found
        return outcome


def _lane(state: Path, runtime: str, which: tuple[int, int], todo: Any, done: Any) -> None:
    """One lane's life: a cloud, and rounds until there are no more."""
    try:
        with Place(state, runtime, free_ports(*which), say=lambda _: None) as place:
            while (plan := todo.get()) is not None:
                outcome = play(place, plan)
                if not outcome.is_clean:
                    kept = KEPT_LOGS / f"round-{plan.number}"
                    shutil.copytree(place.cloud.options.logs, kept, dirs_exist_ok=True)
                done.put(outcome)
    except Exception as failure:
        done.put(Broken(f"A lane could not go on: {type(failure).__name__} {failure}"))
