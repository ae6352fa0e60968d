"""Does what was noted of a workspace still hold? Only for the same directory, and while the store has that very backup.

Otherwise there is no index, and everything is read again: a wrong one could make a wrong backup.
"""

import hashlib
import os
from pathlib import Path

from agent.backup.command.index_file import NoIndexError, Owner, decode_index, owner
from agent.backup.failures import WorkspaceError
from agent.backup.index import Index
from agent.backup.restoring.fetching import read_manifest
from agent.backup.stores.directory import DirectoryStore


def usual_index_file(root: Path, store: Path) -> Path:
    """Return where the index of a workspace and a store is kept when nobody says otherwise: in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    pair = hashlib.sha256(b"\0".join(os.fsencode(path.resolve()) for path in (root, store)))
    return Path(cache) / "dormouse" / f"{pair.hexdigest()[:32]}.index"


def recall(file: Path, store: DirectoryStore, root: Path) -> tuple[Owner, Index] | None:
    """Return the index, and of which backup; None where nothing was noted yet. Raises NoIndexError, which says why."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NoIndexError(f"it cannot be read: {error.strerror}") from error
    noted, index = decode_index(content)
    if noted != owner(noted.name, noted.sha256, root):
        raise NoIndexError("it is of another directory")
    try:
        found = read_manifest(store, noted.name, noted.sha256).manifest
        objects = dict(store.names())
    except WorkspaceError as error:
        raise NoIndexError(f"its backup is not in this store: {error}") from error
    if found != index.manifest:
        raise NoIndexError("it contradicts its backup")
    if any(objects.get(pack.name) != pack.size for pack in found.packs):
        raise NoIndexError("its backup lacks a pack")
    return noted, index
