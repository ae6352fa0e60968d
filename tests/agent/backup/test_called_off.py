"""A save that is called off, or has failed, ends; whatever it was waiting for."""

import os
import threading

from agent.backup.failures import StoreUnreachableError
from agent.backup.form.bounds import PACK, pack_name, stem
from agent.backup.progress import Progress, StoppedError
from agent.backup.saving.save import save
from agent.backup.stores.granted import GrantedStore
from agent.backup.stores.grants import Grants, WriteGrant

from tests.emulator_processes import eventually


def test_a_save_that_is_called_off_while_it_waits_for_a_grant_ends(root):
    (root / "file").write_text("x")
    progress, ends = Progress(), []
    grants = Grants(progress=progress)

    def work():
        try:
            save(root, store, "00000001/00000001-0123abcd", progress=progress)
        except StoppedError as error:
            ends.append(error)

    with GrantedStore(grants) as store:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        eventually(lambda: grants.wanted(WriteGrant) != (), 60)
        progress.stop()
        thread.join(60)

    assert len(ends) == 1


def test_a_save_that_failed_waits_for_no_grant(root):
    """The first pack is refused while the second waits for a grant, which nobody brings to a save that has failed."""
    (root / "file").write_bytes(os.urandom(2 * PACK))
    (root / "later").write_bytes(os.urandom(2 * PACK))
    progress, ends = Progress(), []
    grants = Grants(progress=progress)

    def work():
        try:
            save(root, store, stem(1, 1, "0123abcd"), progress=progress)
        except StoreUnreachableError as error:
            ends.append(error)

    with GrantedStore(grants, pauses=()) as store:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        eventually(lambda: len(grants.wanted(WriteGrant)) > 1, 60)
        grants.add(WriteGrant(pack_name(stem(1, 1, "0123abcd"), 0), "no URL", {}))
        thread.join(60)

    assert len(ends) == 1
