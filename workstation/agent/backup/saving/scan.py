"""What has changed since the last backup? Told by what the file system says of each path, without reading a file."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from agent.backup.failures import WorkspaceError
from agent.backup.form.bounds import MOST_BYTES, MOST_ENTRIES
from agent.backup.form.entry import Entry
from agent.backup.index import Facts, Index, Known, is_same
from agent.backup.progress import Progress
from agent.backup.saving.ignore import read_rules
from agent.backup.walk import Entry as Seen
from agent.backup.walk import Walk
from agent.files.beneath import LinkRefusedError, open_file

STRANGE = "it is neither a file, a directory nor a link"


@dataclass(slots=True)
class Scan:
    """What is in a workspace, in the order of the walk: what is known, and the facts of what is to be read."""

    paths: dict[bytes, Known | Facts] = field(default_factory=dict)
    skipped: list[tuple[bytes, str]] = field(default_factory=list)


def scan(root: Path, base: Index | None, progress: Progress) -> Scan:
    """Look at every path; raises OSError when the root cannot be read, WorkspaceError when there are too many."""
    known = base.paths if base else {}
    leaves_out, refused = read_rules(root)
    walk = Walk(root, leaves_out)
    walk.skipped += refused
    found = Scan(skipped=walk.skipped)
    for seen in walk.entries():
        before = known.get(seen.path)
        if before is not None and before.settled and is_same(before.facts, seen.status):
            found.paths[seen.path] = before
        else:
            _look(seen, found)
            progress.step()
        if len(found.paths) > MOST_ENTRIES:
            raise WorkspaceError(f"the workspace has more than {MOST_ENTRIES} files, directories and links")
    return found


def _look(seen: Seen, found: Scan) -> None:
    facts = Facts.of(seen.status)
    if seen.is_file or seen.is_link:
        found.paths[seen.path] = facts
    elif seen.is_directory:
        entry = Entry(seen.path, "directory", facts.mode & 0o777, facts.mtime_ns)
        found.paths[seen.path] = Known(facts, entry, settled=True)
    else:
        found.skipped.append((seen.path, STRANGE))


def is_changed(root: Path, base: Index) -> bool:
    """Tell, without reading a file, whether a save would find something; raises OSError when the root cannot be read.

    The times of a directory alone do not count: whatever comes and goes in one would make a save.
    """
    leaves_out, _ = read_rules(root)
    left = len(base.paths)
    unsaved = {os.fsencode(path) for path, _ in base.manifest.skipped}
    room = MOST_BYTES - base.manifest.bytes
    for seen in Walk(root, leaves_out).entries():
        known = base.paths.get(seen.path)
        if known is not None and _still_holds(known, seen):
            left -= 1
        elif known is not None or _could_be_saved(seen, unsaved, room):
            return True
    return left > 0


def _still_holds(known: Known, seen: Seen) -> bool:
    if seen.is_directory:
        return known.facts.mode == seen.status.st_mode
    return known.settled and is_same(known.facts, seen.status)


def _could_be_saved(seen: Seen, unsaved: set[bytes], room: int) -> bool:
    """Tell whether a save would keep what the last backup has not; what could not be read may be readable now."""
    if seen.path not in unsaved:
        return seen.is_file or seen.is_directory or seen.is_link
    if not seen.is_file or seen.status.st_size > room:
        return False
    try:
        os.close(open_file(seen.parent, seen.name, os.O_RDONLY | os.O_NONBLOCK))
    except (OSError, LinkRefusedError):
        return False
    return True
