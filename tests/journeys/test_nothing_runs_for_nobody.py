"""With the sweep dead, and with the database dead too, what is overdue is stopped all the same."""

import os
import signal

import httpx2
import pytest

from emulators.stack import LocalCloud, Options
from tests.journeys.conftest import Hands, until

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

SETTINGS = {"RESERVE_MINUTES": "0.2", "RESERVE_MINIMUM_MINUTES": "0.1"}
"""A reservation of twelve seconds, and a minute to save: overdue soon after the control plane has gone."""


def test_cleanup_stops_what_is_overdue_with_sweep_and_firestore_dead(
    tmp_path_factory: pytest.TempPathFactory, runtime: str
) -> None:
    """Both are stopped in their tracks, so that nothing restarts them: they answer nobody."""
    options = Options(
        state=tmp_path_factory.mktemp("dead") / "stack",
        settings=SETTINGS,
        minute_seconds=2,
        workstation=False,
        ephemeral=True,
        any_free_ports=True,
        runtime=runtime,
    )
    with LocalCloud(options) as cloud:
        ada = Hands(cloud, "ada")
        id_ = ada.provision("left-alone")
        service = ada.service(id_)
        assert service is not None
        assert len(ada.instances(service)) == 1
        dead = [cloud.pids[name] for name in ("sweep", "firestore")]
        for pid in dead:
            os.killpg(os.getpgid(pid), signal.SIGSTOP)
        try:
            until("no instance is left", lambda: ada.instances(service) == [], 120)
            url = f"{cloud.endpoints['cloud_run']}/v2/{service['name']}"
            scaling = httpx2.get(url, timeout=10).json()["scaling"]
            assert scaling["scalingMode"] in (2, "MANUAL")
            assert not scaling.get("manualInstanceCount")
        finally:
            for pid in dead:
                os.killpg(os.getpgid(pid), signal.SIGCONT)

        stopped = ada.becomes(id_, "STOPPED")

    assert stopped["reason"] == "overdue"
