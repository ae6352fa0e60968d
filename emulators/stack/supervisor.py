"""Starts many components in the order of their needs, as parallel as that allows, and stops them in reverse."""

import asyncio
from collections.abc import Callable, Sequence

from emulators.stack.child import Child
from emulators.stack.component import Component, StackError


class Supervisor:
    """The children of one local cloud. Belongs to one event loop."""

    def __init__(
        self, components: Sequence[Component], say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.children = {part.name: Child(part, say, changed) for part in components}
        self._starts: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns when every component answers; raises the first StackError and leaves the stopping to `stop`."""
        self._starts = [asyncio.create_task(self._start(child)) for child in self.children.values()]
        await asyncio.gather(*self._starts)

    async def stop(self) -> None:
        """Ends what is still starting, then stops every component, those that need another before that other."""
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        await asyncio.gather(*(self._stop(child) for child in self.children.values()))

    async def _start(self, child: Child) -> None:
        for name in child.component.after:
            if name not in self.children:
                raise StackError(
                    f"{child.component.name} needs {name}, which is not among what was asked for."
                )
            await self.children[name].ready.wait()
        await child.start()

    async def _stop(self, child: Child) -> None:
        for other in self.children.values():
            if child.component.name in other.component.after:
                await other.stopped.wait()
        await child.stop()
