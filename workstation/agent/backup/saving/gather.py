"""What do the changed files hold? Each is read in its turn; what cannot be read is told, what is gone is left out."""

import stat
import time
from collections.abc import Iterable
from pathlib import Path

from agent.backup.failures import EXHAUSTED
from agent.backup.form.bounds import MOST_BYTES
from agent.backup.index import TICK_NS, Facts, is_settled
from agent.backup.parents import Parents
from agent.backup.progress import Progress
from agent.backup.saving.read import Take, read_file, read_link
from agent.backup.saving.scan import Scan
from agent.files.beneath import LinkRefusedError

MARGIN_NS = 1_000_000


class Gathering:
    """Reads the files and links of a scan that are to be read, and notes in the scan what is known of them."""

    def __init__(self, found: Scan, take: Take, progress: Progress) -> None:
        self._found = found
        self._take = take
        self._progress = progress
        known = (known for known in found.paths.values() if not isinstance(known, Facts))
        self._room = MOST_BYTES - sum(one.entry.size for one in known)
        self.changed: list[bytes] = []
        """Files that changed during every attempt to read them."""

    def read(self, root: Path) -> None:
        """Read them all; raises OSError when the root cannot be read, and what `take` raises."""
        facts = [(path, known) for path, known in self._found.paths.items() if isinstance(known, Facts)]
        now = time.time_ns()
        young = [(path, known) for path, known in facts if not is_settled(known, now)]
        with Parents(root) as parents:
            self._read_each(parents, (one for one in facts if is_settled(one[1], now)))
            if young:
                # What is read within the tick of its last change could change again unseen.
                time.sleep(max(0, now + TICK_NS + MARGIN_NS - time.time_ns()) / 1e9)
            self._read_each(parents, young)

    def _read_each(self, parents: Parents, paths: Iterable[tuple[bytes, Facts]]) -> None:
        for path, facts in paths:
            self._progress.step()
            try:
                parent, name = parents.of(path)
                if stat.S_ISLNK(facts.mode):
                    self._found.paths[path] = read_link(parent, name, path)
                else:
                    self._read_file(parent, name, path)
            except (FileNotFoundError, NotADirectoryError, LinkRefusedError):
                del self._found.paths[path]  # the next save has what is there then
            except OSError as error:
                if error.errno in EXHAUSTED:
                    raise
                self._skip(path, error.strerror or str(error))

    def _read_file(self, parent: int, name: bytes, path: bytes) -> None:
        known, still = read_file(parent, name, path, self._take, self._room)
        self._found.paths[path] = known
        self._room -= known.entry.size
        self._progress.files += 1
        self._progress.bytes += known.entry.size
        if not still:
            self.changed.append(path)

    def _skip(self, path: bytes, why: str) -> None:
        del self._found.paths[path]
        self._found.skipped.append((path, why))
