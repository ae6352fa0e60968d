"""How do we speak with the engine? Blocking calls in threads of their own, each with a time limit, failures in words."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException

from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.cloud_run.runtime.docker.doors import why_no_doors

# The SDK has no static types; the alias says what is meant.
Client: TypeAlias = Any
Result = TypeVar("Result")

# An engine gives about four starts at a time, so a queue of starts may well wait so long.
CALL_SECONDS = 30
_FIRST_ANSWER_SECONDS = 2
_THREADS = 8


class NotThere(RuntimeFailure):
    """The engine has no such thing."""


class Conflict(RuntimeFailure):
    """The thing is in no state for this: a container that has ended cannot be paused, say."""


class EngineSilent(RuntimeFailure):
    """The engine does not answer."""


_FAILURES = {404: NotThere, 409: Conflict}


class Engine:
    """The container engine of the environment (DOCKER_HOST, else its usual socket)."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        self.client: Client = None

    async def open(self) -> None:
        """Connect; RuntimeFailure when nothing answers."""
        loop = asyncio.get_running_loop()
        self.client = await loop.run_in_executor(self._threads, _in_words, connect)

    async def call(self, work: Callable[[Client], Result]) -> Result:
        """The result of a blocking call. Raises NotThere, Conflict, EngineSilent, or a RuntimeFailure in words."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _in_words, lambda: work(self.client))

    def close(self) -> None:
        """Give the threads back; nobody calls any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self.client is not None:
            self.client.close()


def connect(seconds: int = CALL_SECONDS) -> Client:
    """A client of our own; DockerException when nothing answers."""
    return docker.from_env(timeout=seconds)


def why_unusable(*, with_doors: bool) -> str:
    """What keeps us from running instances in the engine's containers, or nothing."""
    try:
        facts = _in_words(lambda: connect(_FIRST_ANSWER_SECONDS).info())
    except RuntimeFailure as error:
        return str(error).rstrip(".")
    if sys.platform != "linux" or facts["KernelVersion"] != os.uname().release:
        return "the container engine runs in another machine, whose containers cannot be reached from here"
    obstacle = why_no_doors() if with_doors else ""
    return f"a listener inside a container cannot be opened from here ({obstacle})" if obstacle else ""


def _in_words(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except APIError as error:
        words = str(error.explanation or error)
        raise _FAILURES.get(error.status_code, RuntimeFailure)(words) from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise EngineSilent(f"The container engine does not answer: {str(error)[:200]}") from error
