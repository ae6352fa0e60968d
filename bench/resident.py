"""Our engine as an agent runs it: a process that lives, and has in memory what it knows since its last save or restore.

Reads a line of JSON for each thing to do, `["save", tree]` or `["restore", target]`, and answers with a line of what
it took. The start is not in it: an agent has been running for long when it saves.
"""

import json
import resource
import sys
import time
from pathlib import Path

from agent.backup.form.bounds import MANIFEST_NAME, stem
from agent.backup.index import Index
from agent.backup.restoring.restore import restore
from agent.backup.saving.save import save
from agent.backup.stores.directory import DirectoryStore


class Resident:
    """One store, and what is known of it."""

    def __init__(self, store: Path) -> None:
        self._store = DirectoryStore(store)
        self._saves = 0
        self._index: Index | None = None

    def do(self, verb: str, path: Path) -> None:
        """Save or restore; raises what the engine raises."""
        if verb == "save":
            self._saves += 1
            saved = save(path, self._store, stem(1, self._saves, f"{self._saves:08x}"), self._index)
            self._index = saved.index if saved else self._index
        else:
            newest = max(name for name, _ in self._store.names() if MANIFEST_NAME.fullmatch(name))
            self._index = restore(path, self._store, newest, None).index


def main() -> None:
    """Serve until the input ends."""
    resident = Resident(Path(sys.argv[1]))
    for line in sys.stdin:
        verb, path = json.loads(line)
        began, worked = time.perf_counter(), time.process_time()
        resident.do(verb, Path(path))
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({"seconds": seconds, "processor": processor, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
