"""Round after round of change, save under fault, and restore: what was acknowledged comes back to the byte.

About a hundred rounds. Two thousand, with what they came to:
BACKUP_ROUNDS=2000 pytest --log-cli-level=INFO tests/agent/backup/test_rounds.py
"""

import logging
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.agent.backup.faults import PUTS
from tests.agent.backup.history import History
from tests.needed import need_program

ROUNDS = int(os.environ.get("BACKUP_ROUNDS", "100"))
IN_A_HISTORY = 25
"""Enough for packs to become garbage, and for small ones to become too many."""
AT_ONCE = 4
_LOG = logging.getLogger(__name__)


@pytest.mark.timeout(3600)
def test_every_acknowledged_backup_restores_exactly_for_as_long_as_it_is_kept(tmp_path):
    need_program("zstd")
    figures = [Counter() for _ in range(-(-ROUNDS // IN_A_HISTORY))]

    def live(seed):
        History(seed, tmp_path / str(seed), figures[seed]).run(IN_A_HISTORY)

    # Beside each other, because a save and a restore wait for the file system's clock.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(live, range(len(figures))))

    total = sum(figures, Counter())
    _LOG.info("%s", "\n".join(f"{count:8} {what}" for what, count in sorted(total.items())))
    assert total["rounds"] >= ROUNDS
    assert total["acknowledged"] > ROUNDS / 3
    assert total["packs retired"]
    assert total["pruned"]
    if ROUNDS >= 1000:
        assert all(total[f"put: {kind}"] for kind in PUTS)
