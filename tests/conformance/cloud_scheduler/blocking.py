"""The asynchronous client, for checks that are written for the others."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from google.cloud.scheduler_v1 import CloudSchedulerAsyncClient


class _Pages:
    """A list that the asynchronous pager has walked through."""

    def __init__(self, pages: list[Any]) -> None:
        self.pages = pages

    def __iter__(self) -> Iterator[Any]:
        for page in self.pages:
            yield from page.jobs


class BlockingClient:
    """Calls the asynchronous client's methods, and waits for each."""

    def __init__(self, make: Callable[[], CloudSchedulerAsyncClient]) -> None:
        self._loop = asyncio.Runner()
        self._make = make
        self._client = self._loop.run(self._made())

    def close(self) -> None:
        self._loop.run(self._client.transport.close())
        self._loop.close()

    def list_jobs(self, *arguments: Any, **named: Any) -> _Pages:
        return self._loop.run(self._walk(*arguments, **named))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **named: self._loop.run(getattr(self._client, name)(*arguments, **named))

    async def _made(self) -> CloudSchedulerAsyncClient:
        # Its channel belongs to the loop that is running when it is made.
        return self._make()

    async def _walk(self, *arguments: Any, **named: Any) -> _Pages:
        pager = await self._client.list_jobs(*arguments, **named)
        return _Pages([page async for page in pager.pages])
