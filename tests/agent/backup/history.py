"""One workspace through many rounds of change, save and restore, with a store that fails; and what must hold throughout.

A backup is acknowledged once its save returned and `verify` passed. From then on, until it is pruned, it restores exactly.
"""

import random
import secrets
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from agent.backup.command.index_file import decode_index, encode_index, owner
from agent.backup.failures import WorkspaceError
from agent.backup.form.bounds import stem
from agent.backup.index import Index
from agent.backup.restoring.restore import restore
from agent.backup.restoring.verify import verify
from agent.backup.saving.save import save
from agent.backup.stores.directory import DirectoryStore

from tests.agent.backup.changes import Changes
from tests.agent.backup.faults import GETS, PUTS, SILENT_PUTS, CrashError, FaultyStore
from tests.agent.backup.tree import differences, tree_rows

SCRIPT = Path(__file__).parents[3] / "workstation" / "restore.py"


@dataclass(frozen=True)
class Acknowledged:
    """A backup that was promised, and what was in the workspace."""

    name: str
    sha256: str
    rows: dict
    packs: frozenset


class History:
    """`seed` says all that happens, but for the system's clock; `figures` counts it."""

    def __init__(self, seed: int, place: Path, figures: Counter) -> None:
        self._seed, self._figures = seed, figures
        self._numbers = random.Random(seed)
        self._place = place
        self._root = place / "workspace"
        self._root.mkdir(parents=True)
        self._objects = place / "store"
        self._store = DirectoryStore(self._objects)
        self._changes = Changes(self._root, self._numbers)
        self._changes.furnish()
        self._sequence = 0
        self._base: Index | None = None
        self._kept: list[Acknowledged] = []

    def run(self, rounds: int) -> None:
        for number in range(rounds):
            try:
                self._round()
            except Exception as error:
                raise AssertionError(f"seed {self._seed}, round {number}: {error!r}") from error
            self._figures["rounds"] += 1
        for backup in self._kept:
            self._restore_exactly(backup, self._store)
        shutil.rmtree(self._place, ignore_errors=True)

    def _round(self) -> None:
        self._figures["changes"] += len(self._changes.some(12))
        if self._kept and self._chance(0.08):
            self._base = None
            self._figures["index dropped"] += 1
        elif self._base and self._chance(0.3):
            self._base = self._through_a_file(self._base)
        self._save()
        if self._kept and self._chance(0.35):
            self._restore_under_fault(self._numbers.choice([self._kept[-1], *self._kept]))
        if self._kept and self._chance(0.08):
            self._continue_from_a_restore(self._kept[-1])
        if self._kept and self._chance(0.15):
            self._prune()

    def _save(self) -> None:
        self._sequence += 1
        rows = tree_rows(self._root)
        fault = (
            (self._numbers.choice(PUTS), self._numbers.choice((1, 1, 2, 2, 3, 4)))
            if self._chance(0.6)
            else None
        )
        faulty = FaultyStore(self._store, self._objects, self._numbers, put=fault)
        try:
            saved = save(self._root, faulty, stem(1, self._sequence, secrets.token_hex(4)), self._base)
        except (WorkspaceError, CrashError):
            assert faulty.hit is not None, "a save failed without a fault"
            self._figures["saves failed"] += 1
            self._figures[f"put: {faulty.hit}"] += 1
            if faulty.hit == "crash" and self._chance(0.5):
                self._base = None
            return
        if faulty.hit:
            self._figures[f"put: {faulty.hit}"] += 1
        if saved is None:
            assert not differences(rows, self._rows_of_base()), "a change went unseen"
            self._figures["nothing had changed"] += 1
        else:
            self._acknowledge(saved, faulty.hit, rows)

    def _acknowledge(self, saved, fault, rows) -> None:
        reading = FaultyStore(self._store, self._objects, self._numbers, get=self._get_fault(0.1))
        try:
            verify(reading, saved.name, saved.sha256)
        except WorkspaceError:
            assert fault in SILENT_PUTS or reading.hit, "a save returned that is not whole"
            self._figures["refused by verify"] += 1
            return
        assert fault not in SILENT_PUTS, f"{fault}: and verify did not find it"
        before = {pack.name for pack in self._base.manifest.packs} if self._base else set()
        now = {pack.name for pack in saved.index.manifest.packs}
        self._figures["packs retired"] += len(before - now)
        self._figures["packs kept from before"] += len(before & now)
        self._base = saved.index
        self._kept.append(Acknowledged(saved.name, saved.sha256, rows, frozenset(now)))
        self._figures["acknowledged"] += 1

    def _rows_of_base(self) -> dict:
        return self._kept[-1].rows

    def _through_a_file(self, index: Index) -> Index:
        noted = owner(self._kept[-1].name, self._kept[-1].sha256, self._root)
        found = decode_index(encode_index(noted, index))
        assert found == (noted, index)
        self._figures["index through a file"] += 1
        return found[1]

    def _restore_under_fault(self, backup: Acknowledged) -> None:
        if self._chance(0.25):
            self._restore_by_the_script(backup)
            return
        faulty = FaultyStore(self._store, self._objects, self._numbers, get=self._get_fault(0.6))
        target = self._target()
        try:
            restore(target, faulty, backup.name, backup.sha256)
        except WorkspaceError:
            if faulty.hit is None:
                raise
            assert not any(target.iterdir()), "a restore that failed left something"
            self._figures[f"get: {faulty.hit}: refused"] += 1
            self._restore_exactly(backup, self._store)
        else:
            self._figures[f"get: {faulty.hit}: restored" if faulty.hit else "restored"] += 1
            self._compare(target, backup)

    def _restore_exactly(self, backup: Acknowledged, store) -> Path:
        target = self._target()
        restore(target, store, backup.name, backup.sha256)
        self._figures["restored"] += 1
        self._compare(target, backup)
        return target

    def _restore_by_the_script(self, backup: Acknowledged) -> None:
        target = self._target()
        command = [sys.executable, "-I", "-S", SCRIPT, self._objects, target, "--backup", backup.name]
        done = subprocess.run([*command, "--sha256", backup.sha256], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self._figures["restored by the script"] += 1
        self._compare(target, backup)

    def _continue_from_a_restore(self, backup: Acknowledged) -> None:
        """As after a stop: the workspace is what was restored, and the index is the restore's."""
        shutil.rmtree(self._root)
        self._root.mkdir()
        restored = restore(self._root, self._store, backup.name, backup.sha256)
        assert not differences(tree_rows(self._root), backup.rows)
        self._base = restored.index
        self._figures["went on from a restore"] += 1

    def _prune(self) -> None:
        """Keep the newest and some more; what only manifests that go have listed goes too, and at times all garbage."""
        kept = [one for one in self._kept[:-1] if self._chance(0.6)] + self._kept[-1:]
        needed = {name for one in kept for name in (one.name, *one.packs)}
        gone = {name for one in self._kept if one not in kept for name in (one.name, *one.packs)}
        if self._chance(0.5):
            gone |= {name for name, _ in self._store.names()}
        for name in gone - needed:
            (self._objects / name).unlink(missing_ok=True)
        self._figures["pruned"] += len(self._kept) - len(kept)
        self._kept = kept

    def _compare(self, target: Path, backup: Acknowledged) -> None:
        assert not differences(tree_rows(target), backup.rows)
        shutil.rmtree(target, ignore_errors=True)

    def _target(self) -> Path:
        return self._place / f"target-{self._numbers.randbytes(8).hex()}"

    def _get_fault(self, chance: float):
        if not self._chance(chance):
            return None
        return self._numbers.choice(GETS), self._numbers.choice((1, 1, 2, 3, 4, 5))

    def _chance(self, of: float) -> bool:
        return self._numbers.random() < of
