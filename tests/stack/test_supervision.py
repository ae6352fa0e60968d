"""Children are started in order, restarted when they die, and never outlive whoever supervises them."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from emulators.stack.component import Component, StackError
from emulators.stack.probe import answers
from emulators.stack.supervisor import Supervisor
from tests.stack.processes import SERVER, is_gone, until

# Starts a grandchild that leaves its session and its parent, notes its id, and then serves.
DAEMONISING = (
    "import os\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        open('daemon.pid', 'w').write(str(os.getpid()))\n"
    "        import time; time.sleep(600)\n"
    "    os._exit(0)\n"
) + SERVER
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
Make = Callable[..., Component]


@asynccontextmanager
async def supervised(*components: Component) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    supervisor = Supervisor(components, said.append, lambda: None)
    try:
        await supervisor.start()
        yield supervisor, said
    finally:
        await supervisor.stop()


async def until_async(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, condition, what)


def test_a_child_answers_once_started_and_is_gone_once_stopped(component: Make) -> None:
    async def story() -> int:
        part = component()
        async with supervised(part) as (supervisor, _):
            assert answers(part.ready)
            pid = supervisor.children["web"].pid
        assert not answers(part.ready)
        return pid or 0

    assert is_gone(asyncio.run(story()))


def test_a_dead_child_is_restarted_and_that_is_said(component: Make) -> None:
    async def story() -> None:
        part = component(loss="What it held is lost.")
        async with supervised(part) as (supervisor, said):
            child = supervisor.children["web"]
            first = child.pid or 0
            os.kill(first, signal.SIGKILL)
            await until_async(lambda: any("is back" in line for line in said), "web is back")

            assert child.pid not in (None, first)
            assert answers(part.ready)
            assert "web ended with 137; starting it again in 0.5 s. What it held is lost." in said

    asyncio.run(story())


def test_what_needs_another_starts_after_it_and_is_stopped_before_it(component: Make, tmp_path: Path) -> None:
    order: list[str] = []
    first = component("first", before_stop=lambda: order.append("first stops"))
    second = component("second", after=("first",), before_stop=lambda: order.append("second stops"))

    async def story() -> None:
        async with supervised(second, first):
            pass

    asyncio.run(story())
    assert order == ["second stops", "first stops"]
    assert first.log.stat().st_ctime <= second.log.stat().st_mtime


def test_a_child_that_ends_at_once_is_an_error_with_the_logs_last_lines(component: Make) -> None:
    part = component(program="import sys; print('no database here', flush=True); sys.exit(3)")

    async def story() -> None:
        async with supervised(part):
            pytest.fail("it cannot have started")

    with pytest.raises(StackError, match=r"(?s)web ended with 3 before it answered.*no database here"):
        asyncio.run(story())


def test_a_child_that_never_answers_is_an_error_and_is_not_left_behind(
    component: Make, tmp_path: Path
) -> None:
    program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    part = component(program=program, start_seconds=1)

    async def story() -> None:
        async with supervised(part):
            pytest.fail("it cannot have started")

    with pytest.raises(StackError, match="did not answer at"):
        asyncio.run(story())
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_one_that_cannot_start_stops_those_that_could(component: Make) -> None:
    good, bad = component("good"), component("bad", program="raise SystemExit(1)", after=("good",))

    async def story() -> None:
        async with supervised(good, bad):
            pytest.fail("it cannot have started")

    with pytest.raises(StackError, match="bad ended with 1"):
        asyncio.run(story())
    assert not answers(good.ready)


def test_a_daemonised_grandchild_ends_with_its_component(component: Make, tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(component(program=DAEMONISING)):
            await until_async((tmp_path / "daemon.pid").exists, "the daemon noted its id")

    asyncio.run(story())
    assert is_gone(int((tmp_path / "daemon.pid").read_text()))


def test_a_child_deaf_to_sigterm_is_killed_after_its_grace(component: Make) -> None:
    part = component(program=DEAF, grace_seconds=0.5)

    async def story() -> float:
        async with supervised(part):
            started = time.monotonic()
        return time.monotonic() - started

    assert 0.5 <= asyncio.run(story()) < 5
    assert not answers(part.ready)


def test_a_killed_leash_takes_its_child_with_it(component: Make) -> None:
    async def story() -> None:
        async with supervised(component()) as (supervisor, said):
            child = supervisor.children["web"]
            pid = child.pid or 0
            os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
            await until_async(lambda: is_gone(pid), "the child ended")
            await until_async(lambda: any("is back" in line for line in said), "it is back")

    asyncio.run(story())
