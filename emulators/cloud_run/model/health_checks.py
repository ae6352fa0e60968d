"""Which startup and liveness probes are legal, and what do they mean when a field is left out?

The bounds are those of the `Probe` message. It says of the timeout both that it must be smaller than the period and
that it may be equal; Cloud Run's own default probe has 240 s for both, so equal is accepted.
"""

from __future__ import annotations

from emulators.cloud_run.model.messages import ContainerMessage, ProbeMessage
from emulators.cloud_run.model.violations import Violations

MAX_STARTUP_SECONDS = 240
MAX_LIVENESS_SECONDS = 3600
MAX_TIMEOUT_SECONDS = 3600
MAX_PORT = 65535
_DEFAULT_PERIOD, _DEFAULT_TIMEOUT, _DEFAULT_THRESHOLD = 10, 1, 3


def is_port(number: int) -> bool:
    """Whether a number is one of TCP's ports."""
    return 1 <= number <= MAX_PORT


def fill_probes(container: ContainerMessage) -> None:
    """Write Cloud Run's defaults; a container that names no startup probe has its port watched for 240 s."""
    startup = container.startup_probe
    if not container.HasField("startup_probe"):
        port = container.ports[0].container_port
        # One that is no port is told of as the container's, not as the probe's too.
        startup.tcp_socket.port = port if is_port(port) else 0
        startup.period_seconds = startup.timeout_seconds = MAX_STARTUP_SECONDS
        startup.failure_threshold = 1
    _fill(startup)
    if container.HasField("liveness_probe"):
        _fill(container.liveness_probe)


def check_probes(container: ContainerMessage, found: Violations) -> None:
    """Refuse illegal probes; defaults are filled in."""
    startup = found.within("startup_probe")
    _check(container.startup_probe, MAX_STARTUP_SECONDS, startup)
    _check_time_to_start(container.startup_probe, startup)
    if container.HasField("liveness_probe"):
        liveness = found.within("liveness_probe")
        _check(container.liveness_probe, MAX_LIVENESS_SECONDS, liveness)
        if container.liveness_probe.HasField("tcp_socket"):
            liveness.add("tcp_socket", "A liveness probe must be http_get or grpc.")


def _fill(probe: ProbeMessage) -> None:
    probe.period_seconds = probe.period_seconds or _DEFAULT_PERIOD
    probe.timeout_seconds = probe.timeout_seconds or _DEFAULT_TIMEOUT
    probe.failure_threshold = probe.failure_threshold or _DEFAULT_THRESHOLD


def _check(probe: ProbeMessage, longest: int, found: Violations) -> None:
    if not 0 <= probe.initial_delay_seconds <= longest:
        found.add("initial_delay_seconds", f"must be between 0 and {longest}.")
    if not 1 <= probe.period_seconds <= longest:
        found.add("period_seconds", f"must be between 1 and {longest}.")
    if not 1 <= probe.timeout_seconds <= MAX_TIMEOUT_SECONDS:
        found.add("timeout_seconds", f"must be between 1 and {MAX_TIMEOUT_SECONDS}.")
    elif probe.timeout_seconds > probe.period_seconds:
        found.add("timeout_seconds", "must be less than period_seconds.")
    if probe.failure_threshold < 1:
        found.add("failure_threshold", "must be at least 1.")
    _check_handler(probe, found)


def _check_handler(probe: ProbeMessage, found: Violations) -> None:
    kind = probe.WhichOneof("probe_type")
    if kind is None:
        found.add("", "Exactly one of http_get, tcp_socket or grpc must be specified.")
        return
    port = getattr(probe, kind).port
    if port and not is_port(port):
        found.add(f"{kind}.port", f"must be between 1 and {MAX_PORT}.")
    if kind == "http_get":
        _check_http(probe, found.within("http_get"))


def _check_http(probe: ProbeMessage, found: Violations) -> None:
    if probe.http_get.path and not probe.http_get.path.startswith("/"):
        found.add("path", "must begin with a slash.")
    for number, header in enumerate(probe.http_get.http_headers):
        if not header.name:
            found.add(f"http_headers[{number}].name", "required field not present.")


def _check_time_to_start(probe: ProbeMessage, found: Violations) -> None:
    # The page says of the product of both that it cannot exceed 240 seconds.
    if probe.period_seconds * probe.failure_threshold > MAX_STARTUP_SECONDS >= probe.period_seconds:
        found.add(
            "failure_threshold", f"failure_threshold * period_seconds must not exceed {MAX_STARTUP_SECONDS}."
        )
