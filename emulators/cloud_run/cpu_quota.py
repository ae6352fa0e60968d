"""How many CPUs may run in the region? An instance beyond them is not started, as if its container had failed.

A change that needs an instance of its own fails then, while what runs goes on; what is at MANUAL 0 needs none.
"""

from __future__ import annotations

from typing import Any, cast

from emulators.cloud_run.runtime.contract import Container, Launch, Runtime, RuntimeFailure

_MILLIS = 1000
_EXCEEDED = "Quota exceeded for total allowable CPU per project per region."


def bounded(runtime: Runtime, cpus: int | None) -> Runtime:
    """The runtime, but that its containers have no more than so many CPUs in all; as it is for None."""
    return runtime if cpus is None else cast(Runtime, _Bounded(runtime, cpus * _MILLIS))


class _Bounded:
    """Counts the CPUs of what is launched; all else is the inner runtime's."""

    def __init__(self, inner: Runtime, left: int) -> None:
        self._inner = inner
        self._left = left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def launch(self, launch: Launch) -> Container:
        """Start a container if there are CPUs left for it; RuntimeFailure otherwise."""
        millis = launch.revision.cpu_millis
        if millis > self._left:
            raise RuntimeFailure(_EXCEEDED)
        self._left -= millis
        try:
            container = await self._inner.launch(launch)
        except BaseException:
            self._left += millis
            raise
        return cast(Container, _Counted(container, self, millis))

    def give_back(self, millis: int) -> None:
        """A container is gone."""
        self._left += millis


class _Counted:
    """A container that gives its CPUs back when it is destroyed; all else is the inner container's."""

    def __init__(self, inner: Container, bound: _Bounded, millis: int) -> None:
        self._inner = inner
        self._bound = bound
        self._millis = millis

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def destroy(self) -> None:
        """Leave nothing of it."""
        try:
            await self._inner.destroy()
        finally:
            self._bound.give_back(self._millis)
            self._millis = 0
