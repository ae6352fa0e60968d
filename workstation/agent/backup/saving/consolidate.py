"""Which packs of the last backup are not worth keeping? Those that are mostly garbage, and small ones once there are many.

What is still needed of a retired pack is read again from the workspace and stored anew. So that a save stays short,
only so much is retired at once; the next save goes on.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from agent.backup.form.bounds import PACK
from agent.backup.form.manifest import Pack
from agent.backup.form.members import BLOCK, END
from agent.backup.index import Index

SMALL = PACK // 4
MOST_SMALL = 24
"""Of files, and as many of lists."""
MOST_REWRITTEN = 4 * PACK
"""Bytes that are stored anew by one save, give or take a pack."""


def retire(base: Index) -> frozenset[int]:
    """Return the places of the packs to retire.

    Judged by what the last backup needs: what looks like garbage since may only have been renamed.
    """
    packs = base.manifest.packs
    needed = _needed_of_files(base)
    garbage = _mostly_garbage(packs, needed) | _old_lists(base)
    for holds_lists in (False, True):
        garbage |= _small(packs, [n for n, pack in enumerate(packs) if pack.holds_lists == holds_lists])
    return _bounded(garbage, needed)


def _needed_of_files(base: Index) -> Counter[int]:
    """Return how many bytes of each pack's tar are needed."""
    needed: Counter[int] = Counter()
    seen = set()
    for known in base.paths.values():
        for piece in known.entry.pieces:
            place = base.blobs.get(piece.id)
            if place is not None and piece.id not in seen:
                seen.add(piece.id)
                needed[place] += BLOCK + piece.size + -piece.size % BLOCK
    return needed


def _mostly_garbage(packs: Sequence[Pack], needed: Counter[int]) -> set[int]:
    return {
        place
        for place, pack in enumerate(packs)
        if not pack.holds_lists and 2 * needed[place] < pack.content - len(END)
    }


def _old_lists(base: Index) -> set[int]:
    """Return the packs of lists of which fewer than half are in use; how long a list is, nobody noted."""
    packs = base.manifest.packs
    held = Counter(place for place in base.blobs.values() if packs[place].holds_lists)
    needed = Counter(base.blobs[id_] for id_ in set(base.manifest.lists) if id_ in base.blobs)
    return {place for place, count in held.items() if 2 * needed[place] < count}


def _small(packs: Sequence[Pack], places: Iterable[int]) -> set[int]:
    """Return the small packs to join, if there are too many: none that is larger than all smaller ones together."""
    small = sorted((packs[place].size, place) for place in places if packs[place].size < SMALL)
    if len(small) <= MOST_SMALL:
        return set()
    smaller, joined = 0, 0
    for number, (size, _) in enumerate(small):
        if size <= smaller:
            joined = number + 1
        smaller += size
    return {place for _, place in small[:joined]}


def _bounded(garbage: set[int], needed: Counter[int]) -> frozenset[int]:
    """Return those that cost least to store anew, up to the bound; lists cost next to nothing."""
    chosen, cost = set(), 0
    for place in sorted(garbage, key=lambda place: (needed[place], place)):
        if cost > MOST_REWRITTEN:
            break
        chosen.add(place)
        cost += needed[place]
    return frozenset(chosen)
