"""How does a workspace become a backup? Look at every path, read what changed, store what no pack holds, then the manifest.

The order is the promise: every pack is stored before the manifest that names it. A save that fails leaves objects
that no manifest names, and never a manifest that lacks something.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.backup.form.bounds import manifest_name
from agent.backup.form.entry import Entry
from agent.backup.form.manifest import Manifest, Pack, encode_manifest
from agent.backup.index import Index, Known
from agent.backup.progress import Progress
from agent.backup.saving.consolidate import retire
from agent.backup.saving.gather import Gathering
from agent.backup.saving.lists import KnownLists, cut_lists, encode_lists
from agent.backup.saving.packing import Packs
from agent.backup.saving.scan import STRANGE, Scan, scan
from agent.backup.saving.stock import Stock
from agent.backup.stores.contract import Store

MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Saved:
    """A backup that is stored; `size` and `sha256` are the manifest object's."""

    name: str
    sha256: str
    size: int
    index: Index
    packs: tuple[Pack, ...]
    """The new ones."""
    stored_bytes: int
    """The sizes of the new objects, the manifest among them."""


def save(
    root: Path,
    store: Store,
    stem: str,
    base: Index | None = None,
    progress: Progress | None = None,
    written: datetime | None = None,
) -> Saved | None:
    """Store what is in the workspace and no pack of `base` holds; None if it is still what `base` holds.

    `stem` begins the names of the new objects; the manifest tells `written`, or when the save began. Raises OSError when
    the root cannot be read, WorkspaceError when it is too large and when the store fails, StoppedError.
    """
    progress = progress or Progress()
    written = (written or datetime.now(UTC)).replace(microsecond=0)
    found = scan(root, base, progress)
    if base and _is_known(found, base):
        return None
    retired = retire(base) if base else frozenset()
    with Packs(store, stem, progress) as packs:
        stock = Stock(base, retired, packs)
        _forget_what_is_not_held(found, stock)
        gathering = Gathering(found, stock.take, progress)
        gathering.read(root)
        paths = {path: known for path, known in found.paths.items() if isinstance(known, Known)}
        entries = [known.entry for known in paths.values()]
        if base and not retired and entries == [known.entry for known in base.paths.values()]:
            base.paths.update(paths)
            return None
        lists = _store_lists(entries, base, stock, packs)
        packs.finish()
    joined, blobs = stock.joined(entries, lists)
    manifest = _manifest(joined, lists, entries, found.skipped, gathering.changed, written)
    return _commit(store, stem, Index(manifest, paths, blobs), tuple(packs.packs), progress)


def _is_known(found: Scan, base: Index) -> bool:
    return len(found.paths) == len(base.paths) and all(
        isinstance(known, Known) and known is base.paths.get(path) for path, known in found.paths.items()
    )


def _forget_what_is_not_held(found: Scan, stock: Stock) -> None:
    """Have the files be read again of which something lies in a retired pack, or in none."""
    for path, known in found.paths.items():
        if isinstance(known, Known) and not stock.holds(known.entry):
            found.paths[path] = known.facts


def _store_lists(entries: list[Entry], base: Index | None, stock: Stock, packs: Packs) -> tuple[bytes, ...]:
    packs.turn_to_lists()
    known = KnownLists(base)
    lists: list[bytes] = []
    for group in cut_lists(entries):
        id_ = known.id_of(group)
        if id_ is not None and id_ in stock.lists:
            lists.append(id_)
        else:
            lists += (stock.take_list(content) for content in encode_lists(group))
    return tuple(lists)


def _manifest(
    packs: tuple[Pack, ...],
    lists: tuple[bytes, ...],
    entries: Sequence[Entry],
    skipped: Sequence[tuple[bytes, str]],
    changed: Sequence[bytes],
    written: datetime,
) -> Manifest:
    files = [entry.size for entry in entries if entry.kind == "file"]
    losses_first = sorted(skipped, key=lambda one: one[1] == STRANGE)
    return Manifest(
        packs=packs,
        lists=lists,
        entries=len(entries),
        files=len(files),
        bytes=sum(files),
        written=written,
        skipped=tuple((os.fsdecode(path), why) for path, why in losses_first[:MOST_NAMED]),
        changed=tuple(os.fsdecode(path) for path in changed[:MOST_NAMED]),
    )


def _commit(store: Store, stem: str, index: Index, packs: tuple[Pack, ...], progress: Progress) -> Saved:
    progress.step()
    content = encode_manifest(index.manifest)
    name = manifest_name(stem)
    store.put(name, content)
    progress.stored_bytes += len(content)
    stored = sum(pack.size for pack in packs) + len(content)
    return Saved(name, hashlib.sha256(content).hexdigest(), len(content), index, packs, stored)
