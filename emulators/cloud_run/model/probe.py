"""How is an instance asked whether it is well? A startup or liveness probe, without Protocol Buffers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from emulators.cloud_run.model.messages import ProbeMessage


@dataclass(frozen=True, slots=True)
class HttpGet:
    """It is well when a GET of the path answers 2xx or 3xx."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """It is well when the port accepts."""


@dataclass(frozen=True, slots=True)
class GrpcHealth:
    """It is well when `grpc.health.v1.Health/Check` of the service, which may be empty, answers SERVING."""

    service: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Asked of `port` after the initial delay and then every period, each time for as long as the timeout.

    So many failures in a row as the threshold says, and the instance is not well.
    """

    handler: HttpGet | TcpSocket | GrpcHealth
    port: int
    initial_delay: timedelta
    timeout: timedelta
    period: timedelta
    failure_threshold: int

    @property
    def allowance(self) -> timedelta:
        """How long an instance that never answers well is given, beyond the initial delay."""
        return self.period * self.failure_threshold


def probe_of(message: ProbeMessage, container_port: int) -> Probe:
    """A probe whose defaults are filled in; it asks the container's port unless it names another."""
    kind = message.WhichOneof("probe_type")
    return Probe(
        handler=_handler(message, kind),
        port=getattr(message, kind).port or container_port,
        initial_delay=timedelta(seconds=message.initial_delay_seconds),
        timeout=timedelta(seconds=message.timeout_seconds),
        period=timedelta(seconds=message.period_seconds),
        failure_threshold=message.failure_threshold,
    )


def _handler(message: ProbeMessage, kind: str) -> HttpGet | TcpSocket | GrpcHealth:
    if kind == "http_get":
        headers = tuple((header.name, header.value) for header in message.http_get.http_headers)
        return HttpGet(message.http_get.path or "/", headers)
    return GrpcHealth(message.grpc.service) if kind == "grpc" else TcpSocket()
