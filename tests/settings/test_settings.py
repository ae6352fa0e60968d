"""Settings by the sources' names: defaults, decimals, every problem at once, no emulator on Cloud Run."""

from datetime import timedelta

import pytest

from shared.config import Settings, SettingsError
from shared.domain.sizes import SIZES
from tests.builders import a_spec, a_workstation

ENVIRON = {
    "GOOGLE_CLOUD_PROJECT": "demo-dormouse",
    "RUNTIME_SERVICE_ACCOUNT": "runtime@example",
    "SCHEDULER_SERVICE_ACCOUNT": "scheduler@example",
    "CONTROLLER_SERVICE_ACCOUNTS": "api@example,sweep@example",
    "SIGNING_SERVICE_ACCOUNT": "api@example",
    "BACKUP_BUCKET": "backups",
    "PAGE_TOKEN_KEY": "secret-key",
    "TEMPLATE_IMAGES": f"python=python@sha256:{'0' * 64}",
}


def settings(**changes: str) -> Settings:
    return Settings.from_environ({**ENVIRON, **changes})


@pytest.mark.mission("CONF-01", "CONF-02", "CONF-03", "CONF-08", "CONF-09", "CONF-13", "CONF-14", "CONF-15")
def test_the_defaults_are_the_sources() -> None:
    found = settings()

    policy = found.policy
    assert policy.idle_after == timedelta(minutes=5)
    assert policy.stop_timeouts.normal == timedelta(minutes=30)
    assert policy.stop_timeouts.high == timedelta(minutes=120)
    assert policy.stop_timeouts.low == timedelta(minutes=10)
    assert policy.max_idle == timedelta(hours=2)
    assert policy.startup_timeout == timedelta(seconds=60)
    assert (policy.caps.daily, policy.caps.monthly) == (5_000_000, 100_000_000)
    assert found.health_check_interval == timedelta(seconds=30)


@pytest.mark.mission("CONF-04", "CONF-05", "CONF-06", "CONF-07", "RES-01")
def test_half_a_cpu_is_rounded_up_to_what_cloud_run_takes_for_a_workstation() -> None:
    found = settings().catalog

    assert found.default_size == SIZES["light"]
    assert found.most == SIZES["ml"]


@pytest.mark.mission("CONF-10", "CONF-11", "CONF-17", "CONF-20")
def test_every_other_source_setting_is_read() -> None:
    found = settings(
        CONTAINER_AUTO_START="false",
        CONTAINER_AUTO_STOP="no",
        HEALTH_INTERVAL_SECONDS="15",
        HEALTH_RETENTION_DAYS="3",
        LOG_FILE="dormouse.log",
        FIRESTORE_DATABASE="europe",
        LEASE_MINUTES="60",
    )

    assert (found.auto_start, found.policy.auto_stop) == (False, False)
    assert found.health_interval == timedelta(seconds=15)
    assert found.health_retention == timedelta(days=3)
    assert (found.log_file, found.database) == ("dormouse.log", "europe")
    assert found.lease == timedelta(minutes=60)


def test_timers_take_decimals_and_the_windows_follow() -> None:
    policy = settings(AUTO_IDLE_MINUTES="0.1").policy

    assert policy.idle_after == timedelta(seconds=6)
    assert a_workstation().touch_window(policy) == timedelta(seconds=1.2)
    assert a_workstation(spec=a_spec(idle_timeout=timedelta(seconds=2))).touch_window(policy) == timedelta(
        seconds=0.4
    )


@pytest.mark.mission("CONF-12")
def test_the_two_names_of_one_timer_may_not_disagree() -> None:
    assert settings(CONTAINER_IDLE_TIMEOUT="20").policy.stop_timeouts.normal == timedelta(minutes=20)
    with pytest.raises(SettingsError, match="same timer"):
        settings(CONTAINER_IDLE_TIMEOUT="20", AUTO_STOP_MINUTES="25")


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ(
            {
                "AUTO_IDLE_MINUTES": "soon",
                "MAX_MEMORY": "8X",
                "DAILY_COST_LIMIT": "-5",
                "CONTAINER_AUTO_STOP": "maybe",
                "TEMPLATE_IMAGES": "python=python:latest",
                "DORMOUSE_ENVIRONMENT": "Prod Uction",
            }
        )

    told = " ".join(refused.value.problems)
    for name in (
        "AUTO_IDLE_MINUTES",
        "MAX_MEMORY",
        "DAILY_COST_LIMIT",
        "CONTAINER_AUTO_STOP",
        "TEMPLATE_IMAGES",
        "DORMOUSE_ENVIRONMENT",
        "GOOGLE_CLOUD_PROJECT",
        "BACKUP_BUCKET",
    ):
        assert name in told


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"AUTO_IDLE_MINUTES": "45"}, "AUTO_STOP_MINUTES"),
        ({"AUTO_IDLE_MINUTES": "200", "AUTO_STOP_MINUTES": "300"}, "MAX_IDLE_HOURS"),
        ({"DAILY_COST_LIMIT": "200"}, "MONTHLY_COST_LIMIT"),
        ({"RESERVE_MINIMUM_MINUTES": "40"}, "RESERVE_MINUTES"),
        ({"MAX_IDLE_HOURS": "nan"}, "MAX_IDLE_HOURS"),
        ({"MAX_IDLE_HOURS": "inf"}, "MAX_IDLE_HOURS"),
        ({"MAX_IDLE_HOURS": "0"}, "MAX_IDLE_HOURS"),
    ],
)
def test_nonsense_is_refused_by_name(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        settings(**changes)


@pytest.mark.parametrize(
    "name",
    [
        "FIRESTORE_EMULATOR_HOST",
        "FIREBASE_AUTH_EMULATOR_HOST",
        "CLOUD_RUN_EMULATOR_HOST",
        "STORAGE_EMULATOR_HOST",
    ],
)
def test_an_emulator_is_refused_on_cloud_run_and_off_loopback(name: str) -> None:
    """firebase-admin believes forged tokens as soon as its variable is set."""
    with pytest.raises(SettingsError, match=name):
        settings(**{name: "127.0.0.1:9099", "K_SERVICE": "api"})
    with pytest.raises(SettingsError, match=name):
        settings(**{name: "emulator.example:9099"})
    assert settings(**{name: "http://127.0.0.1:9099"})


def test_a_secret_is_not_shown() -> None:
    assert "secret-key" not in repr(settings())
