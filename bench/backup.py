"""What do a save and a restore cost beside restic, borg and tar? The same tree, in turns, each as processes of its own."""

import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import trees
from bench.archivers import OURS, RESTIC, Archiver, Cost, Ours, archivers, missing, run
from bench.result import Row

MOST_MEMORY = 256
"""MiB that a save may take of the workstation it runs in."""
_EDITED = 20
FULL, CHANGE, RESTORE = "full save", f"save of {_EDITED} edited", "restore"
STORED, ADDED = "stored", "added by the edits"
_PROCESSOR = "processor:"
_LIMITS = {
    FULL: (0.5, "restic uses both processors too, but hashes twice and encrypts"),
    CHANGE: (0.2, "nothing but the look at every file is needed, and what changed"),
    RESTORE: (0.7, "both make as many files; what is left is unpacking"),
    STORED: (1.0, "the same content compressed as well"),
    ADDED: (1.0, "a small change stays small"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """What is saved. Limits hold for the whole of it: with less it is the starts of the programs that are compared."""

    tree: trees.Size
    large: int
    noise: int
    has_limits: bool

    def room(self, rounds: int) -> int:
        """Bytes of disk that a run needs: what five restore in each round, and what one saves of the large file."""
        return (5 * rounds + 10) * self.tree.bytes + 4 * self.noise


WHOLE = Scale(trees.Size(30_000, 483_000_000), 4 * 2**30, 2**30, has_limits=True)
QUICK = Scale(trees.Size(3_000, 48_300_000), 2**30, 2**27, has_limits=False)


@dataclass(slots=True)
class Figures:
    """What was measured, by what and whose, a figure a round; and the highest peaks of our own memory, in bytes."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    processor: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    bytes: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    peaks: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def took(self, phase: str, whose: str, cost: Cost) -> None:
        """Note what a command cost."""
        self.seconds[phase, whose].append(cost.seconds)
        self.processor[f"{_PROCESSOR} {phase}", whose].append(cost.processor)
        if whose == OURS:
            self.peaks[phase] = max(self.peaks[phase], cost.peak)

    def rows(self, scale: Scale) -> Iterator[Row]:
        """Ours beside each peer by the medians, and our memory beside its bound."""
        what = f"{scale.tree.files:,} files"
        yield from _compared(self.seconds, what, "s", 1, scale)
        yield from _compared(self.processor, what, "s", 1, scale)
        yield from _compared(self.bytes, what, "MB", 1e6, scale)
        for phase, peak in self.peaks.items():
            yield _memory(f"{phase}, {what}", peak, scale)


def rows(rounds: int, quick: bool, left_out: list[str]) -> Iterator[Row]:
    """The tree in turns with every peer; one large file for its memory alone."""
    scale = QUICK if quick else WHOLE
    left_out += missing()
    if quick:
        left_out.append("the limits, which hold for the whole tree")
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        directory = Path(place)
        _check_room(directory, scale.room(rounds))
        yield from _measured(directory, scale, rounds).rows(scale)
        yield from _large(directory, scale)


def _compared(
    figures: dict[tuple[str, str], list[float]], of: str, unit: str, per: float, scale: Scale
) -> Iterator[Row]:
    for (what, whose), peer in figures.items():
        if whose == OURS:
            continue
        has_limit = whose == RESTIC and scale.has_limits
        limit, why = _LIMITS.get(what, (None, "")) if has_limit else (None, "")
        ours = figures[what, OURS]
        medians = (statistics.median(ours) / per, statistics.median(peer) / per)
        yield Row(f"{what}, {of}", unit, *medians, whose, limit, more_is_better=False, why=why)


def _memory(what: str, peak: int, scale: Scale) -> Row:
    limit = 1.0 if scale.has_limits else None
    why = "a save runs beside whoever works there"
    name, bound = f"memory: {what}", f"{MOST_MEMORY} MiB"
    return Row(name, "MiB", peak / 2**20, MOST_MEMORY, bound, limit, more_is_better=False, why=why)


def _measured(directory: Path, scale: Scale, rounds: int) -> Figures:
    tree, places = directory / "tree", directory / "places"
    trees.plant(tree, scale.tree)
    figures = Figures()
    for number in range(rounds + 1):
        # The first round warms up, and shows that what everybody restores is the tree.
        noted, compared = (figures, None) if number else (Figures(), tree)
        everybody = archivers(tree, places)
        _save(noted, everybody, lambda: trees.edit(tree, _EDITED, trees.SEED + number))  # noqa: B023
        _restore(noted, everybody, _Target(directory / f"restored-{number}", compared))
        shutil.rmtree(places)
    return figures


def _save(figures: Figures, everybody: Sequence[Archiver], edit: Callable[[], None]) -> None:
    for archiver in everybody:
        archiver.prepare()
        figures.took(FULL, archiver.name, _settled(archiver.save))
        figures.bytes[STORED, archiver.name].append(trees.weight(archiver.stored))
    edit()
    for archiver in everybody:
        before = trees.weight(archiver.stored)
        figures.took(CHANGE, archiver.name, _settled(archiver.save))
        figures.bytes[ADDED, archiver.name].append(trees.weight(archiver.stored) - before)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where everybody restores to, each into a new directory, and what must be there then.

    Nothing is removed before the end: where many files have just been, ext4 is slow to make new ones.
    """

    path: Path
    compared_with: Path | None = None

    def restore(self, archiver: Archiver) -> Cost:
        target = self.path / archiver.stored.parent.name
        cost = _settled(lambda: archiver.restore(target))
        if self.compared_with is not None:
            restored = archiver.restored(target)
            run(["diff", "-rq", "--no-dereference", str(self.compared_with), str(restored)])
        return cost


def _restore(figures: Figures, everybody: Sequence[Archiver], target: _Target) -> None:
    target.path.mkdir()
    for archiver in everybody:
        figures.took(RESTORE, archiver.name, target.restore(archiver))


def _large(directory: Path, scale: Scale) -> Iterator[Row]:
    tree, target = directory / "large", directory / "large-restored"
    tree.mkdir()
    target.mkdir()
    trees.plant_large(tree / "file", scale.large, scale.noise)
    what = f"one file of {scale.large / 2**30:g} GiB, {scale.noise / 2**30:g} GiB of it random"
    ours = Ours(tree, directory / "large-place")
    ours.prepare()
    yield _memory(f"{FULL}, {what}", _settled(ours.save).peak, scale)
    yield _memory(f"{RESTORE}, {what}", _Target(target, tree).restore(ours).peak, scale)


def _settled(action: Callable[[], Cost]) -> Cost:
    """Measure with nothing left to be written of what was before."""
    os.sync()
    return action()


def _check_room(directory: Path, room: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < room:
        raise SystemExit(
            f"{directory.parent} has {free / 1e9:.1f} GB free, and this takes {room / 1e9:.1f} GB."
        )
