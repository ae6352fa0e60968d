"""A store that fails once, at a call that is chosen beforehand, in one of the ways in which a store can fail."""

import threading

from agent.backup.failures import NoObjectError, StoreUnreachableError
from agent.backup.stores.directory import PARTIAL_PREFIX

LOUD_PUTS = (
    "fails before",
    "answer lost",
    "left truncated",
    "taken by its half",
    "breaks off half-way",
    "full",
)
"""The one who puts hears of it; or is dead: "crash"."""
SILENT_PUTS = ("stored flipped", "stored truncated")
"""Only who reads it again hears of it."""
HARMLESS_PUTS = ("put twice",)
PUTS = (*LOUD_PUTS, *SILENT_PUTS, *HARMLESS_PUTS, "crash")
GETS = ("truncated", "flipped", "absent", "slow", "breaks off", "always flipped", "always absent")


class CrashError(Exception):
    """The process is gone."""


class FaultyStore:
    """A directory store with one fault: (kind, the number of the put or get that it hits)."""

    def __init__(self, store, root, numbers, put=None, get=None):
        self._store, self._root, self._numbers = store, root, numbers
        self._put, self._get = put, get
        self._puts = self._gets = 0
        self._lock = threading.Lock()
        self._hit_name = None
        self.hit = None
        """The kind of fault, once it happened."""

    def put(self, name, content):
        with self._lock:
            self._puts += 1
            kind, at = self._put or (None, 0)
            due = self._puts == at or (self._puts > at and self.hit in ("crash", "full"))
            if kind and due:
                self.hit = kind
        if kind and due:
            self._put_badly(kind, name, content)
        else:
            self._store.put(name, content)

    def get(self, name, most):
        with self._lock:
            self._gets += 1
            kind, at = self._get or (None, 0)
            if kind and self._gets == at:
                self.hit, self._hit_name = kind, name
            due = self._hit_name == name and (self._gets == at or kind.startswith("always"))
        if due:
            yield from self._get_badly(kind.removeprefix("always "), name, most)
        else:
            yield from self._store.get(name, most)

    def _put_badly(self, kind, name, content):
        place = self._root / name
        half = content[: self._numbers.randrange(len(content))]
        if kind in ("answer lost", "put twice"):
            self._store.put(name, content)
        if kind == "put twice":
            self._store.put(name, content)
        elif kind == "stored flipped":
            self._store.put(name, self._flipped(content))
        elif kind == "stored truncated":
            self._store.put(name, half)
        elif kind == "taken by its half":
            self._store.put(name, half)
            self._store.put(name, content)
        elif kind == "crash":
            raise CrashError
        else:
            if kind == "left truncated":
                self._store.put(name, half)
            if kind == "breaks off half-way":
                place.parent.mkdir(exist_ok=True, parents=True)
                (place.parent / f"{PARTIAL_PREFIX}{self._numbers.randbytes(8).hex()}").write_bytes(half)
            raise StoreUnreachableError(kind)

    def _get_badly(self, kind, name, most):
        content = b"".join(self._store.get(name, most))
        if kind == "absent":
            raise NoObjectError(name)
        if kind == "truncated":
            yield content[: self._numbers.randrange(len(content))]
        elif kind == "flipped":
            yield self._flipped(content)
        elif kind == "slow":
            yield from (content[start : start + 777] for start in range(0, len(content), 777))
        else:
            yield content[: self._numbers.randrange(len(content))]
            raise StoreUnreachableError(kind)

    def _flipped(self, content):
        at = self._numbers.randrange(len(content))
        return content[:at] + bytes([content[at] ^ 1 << self._numbers.randrange(8)]) + content[at + 1 :]
