"""What is written down beside the requests has threads of its own.

A database, or an agent, that lets us wait must not keep the calls that the requests themselves need from a thread.
"""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

T = TypeVar("T")

MOST_WRITES = 32
"""At a time."""

_WRITES = CapacityLimiter(MOST_WRITES)


async def beside(write: Callable[..., T], *args: object) -> T:
    """What `write` returns, or raises, once it has had its turn."""
    return await run_sync(write, *args, limiter=_WRITES)
