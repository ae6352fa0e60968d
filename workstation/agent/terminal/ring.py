"""What did a terminal show lately? The last bytes, addressed by their offset since the terminal began."""


class ByteRing:
    """Keeps the newest bytes; an offset never changes its meaning."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept = bytearray()
        self.end = 0

    @property
    def start(self) -> int:
        """Return the offset of the oldest byte that is kept."""
        return self.end - len(self._kept)

    def append(self, data: bytes) -> None:
        """Add bytes and forget the oldest beyond the capacity."""
        self._kept += data
        self.end += len(data)
        del self._kept[: max(0, len(self._kept) - self._capacity)]

    def since(self, offset: int, most: int) -> tuple[int, bytes]:
        """Return the first offset that can be had from there on, and at most so many bytes."""
        first = min(max(offset, self.start), self.end)
        begin = first - self.start
        return first, bytes(self._kept[begin : begin + most])
