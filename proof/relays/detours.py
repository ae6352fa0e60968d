"""All relays of one local cloud: one for each of the product's processes and each emulator that it calls."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from proof.relays.grpc import GrpcRelay
from proof.relays.http import HttpRelay
from proof.relays.names import CLOUD_RUN, CLOUD_STORAGE, IDENTITY, METADATA, namer
from proof.tripwire import Tripwire

CALLERS = ("api", "sweep", "cleanup", "gateway")
_HTTP = {
    "cloud_run": CLOUD_RUN,
    "cloud_storage": CLOUD_STORAGE,
    # What workstations find behind the address of the one above: signed URLs, and nothing that takes an owner.
    "cloud_storage_signed": CLOUD_STORAGE,
    "identity": IDENTITY,
}


class Detours:
    """The relays, on a thread of their own. `port_of` tells where a component really listens, once it is known."""

    def __init__(self, tripwire: Tripwire, port_of: Callable[[str], int]) -> None:
        self._tripwire = tripwire
        self._port_of = port_of
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="detours", daemon=True)
        self._servers: list[Any] = []

    def start(self) -> Mapping[str, Mapping[str, int]]:
        """The ports of the relays by caller and by whom they lead to."""
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def stop(self) -> None:
        """Closes every relay."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _start(self) -> Mapping[str, Mapping[str, int]]:
        return {caller: await self._of(caller) for caller in CALLERS}

    async def _of(self, caller: str) -> dict[str, int]:
        metadata = f"metadata_{caller}"
        ports = {}
        for name, rules in {**_HTTP, metadata: METADATA}.items():
            target = {metadata: "identity", "cloud_storage_signed": "cloud_storage"}.get(name, name)
            relay = HttpRelay(caller, target, partial(self._port_of, name), namer(rules), self._tripwire)
            server = await relay.start()
            self._servers.append(server)
            ports[name] = server.sockets[0].getsockname()[1]
        firestore = GrpcRelay(caller, partial(self._port_of, "firestore"), self._tripwire)
        server, ports["firestore"] = await firestore.start()
        self._servers.append(server)
        return ports

    async def _stop(self) -> None:
        for server in self._servers:
            if isinstance(server, asyncio.Server):
                server.close()
            else:
                await server.stop(None)
