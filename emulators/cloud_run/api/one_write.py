"""Does an answer leave in one packet? uvicorn writes head and body apart; what is written in one turn goes out together."""

from __future__ import annotations

import asyncio
from typing import Any

from emulators.serving import CuttableProtocol


class OneWriteTransport:
    """A transport that gathers the writes of one turn of the event loop; all else is the inner transport's."""

    def __init__(self, inner: asyncio.Transport) -> None:
        self._inner = inner
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, data: bytes) -> None:
        """Write at the end of this turn."""
        if not self._pieces:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Close after what was written."""
        self._flush()
        self._inner.close()

    def _flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._inner.write(data)


class OneWriteProtocol(CuttableProtocol):
    """The emulators' HTTP protocol on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(OneWriteTransport(transport))  # type: ignore[arg-type]
