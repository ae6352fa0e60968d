"""The bench of backups: everybody saves the same tree, and each figure is compared with the peer it is for."""

import hashlib
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bench import trees
from bench.archivers import BORG, OURS, RESTIC, Archiver, CommandLine, Cost, Ours, run
from bench.backup import ADDED, CHANGE, FULL, QUICK, RESTORE, STORED, WHOLE, Figures

SMALL = trees.Size(files=60, bytes=600_000)
MIB = 2**20


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_tree_is_the_same_everywhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        trees.plant(tmp_path / name, SMALL)

    one = contents(tmp_path / "one")

    assert one == contents(tmp_path / "two")
    assert len(one) == SMALL.files
    assert trees.weight(tmp_path / "one") == pytest.approx(SMALL.bytes, rel=0.2)


def test_edits_are_of_so_many_files_and_others_each_time(tmp_path: Path) -> None:
    trees.plant(tmp_path / "tree", trees.Size(files=200, bytes=600_000))
    states = [contents(tmp_path / "tree")]
    for seed in (1, 2):
        trees.edit(tmp_path / "tree", 10, seed)
        states.append(contents(tmp_path / "tree"))

    first, second = (
        {path for path in before if before[path] != after[path]} for before, after in pairwise(states)
    )

    assert len(first) == len(second) == 10
    assert first != second


def test_a_large_file_is_as_long_as_said_and_has_holes(tmp_path: Path) -> None:
    trees.plant_large(tmp_path / "large", 64 * MIB, 16 * MIB)

    status = (tmp_path / "large").stat()

    assert status.st_size == 64 * MIB
    assert 16 * MIB <= status.st_blocks * 512 < 32 * MIB


def figures(seconds: float = 1.0, peak: int = 100 * MIB) -> Figures:
    """Rounds in which restic always takes 4 s, and borg 8."""
    found = Figures()
    for ours in (seconds, seconds * 100, seconds / 100):
        for whose, took in ((OURS, ours), (RESTIC, 4.0), (BORG, 8.0)):
            for phase in (FULL, CHANGE, RESTORE):
                found.took(phase, whose, Cost(took, took, peak if whose == OURS else 1000 * MIB))
            for what in (STORED, ADDED):
                found.bytes[what, whose].append(1e6 * took)
    return found


def test_limits_are_beside_restic_and_memory_has_a_bound() -> None:
    rows = {(row.name.partition(",")[0], row.beside): row for row in figures().rows(WHOLE)}

    assert rows[FULL, RESTIC].ratio == 0.25
    assert rows[FULL, RESTIC].holds
    assert not rows[CHANGE, RESTIC].holds
    assert rows[STORED, RESTIC].unit == "MB"
    assert rows[STORED, RESTIC].ours == 1.0
    assert {row.limit for (_, beside), row in rows.items() if beside == BORG} == {None}
    assert rows[f"processor: {CHANGE}", RESTIC].limit is None
    assert rows[f"memory: {FULL}", "256 MiB"].ours == 100


def test_more_memory_than_the_bound_does_not_hold() -> None:
    rows = list(figures(peak=257 * MIB).rows(WHOLE))

    assert not any(row.holds for row in rows if row.name.startswith("memory"))


def test_a_quick_run_has_no_limits() -> None:
    assert {row.limit for row in figures(seconds=50, peak=999 * MIB).rows(QUICK)} == {None}


def test_a_cost_is_of_the_command_and_not_of_who_measures() -> None:
    held = bytearray(200 * MIB)
    cost = run([sys.executable, "-I", "-S", "-c", f"b'x' * {64 * MIB}"])
    del held

    assert 64 * MIB < cost.peak < 150 * MIB
    assert cost.seconds > 0
    assert cost.processor > 0


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"])


@pytest.mark.parametrize("kind", [Ours, CommandLine])
def test_ours_saves_what_changed_and_restores_it(
    kind: Callable[[Path, Path], Archiver], tmp_path: Path
) -> None:
    tree, target = tmp_path / "tree", tmp_path / "again"
    trees.plant(tree, SMALL)
    ours = kind(tree, tmp_path / "place")
    ours.prepare()
    ours.save()
    full = trees.weight(ours.stored)
    trees.edit(tree, 2, seed=1)

    ours.save()
    ours.restore(target)

    assert 0 < trees.weight(ours.stored) - full < full
    assert contents(ours.restored(target)) == contents(tree)
