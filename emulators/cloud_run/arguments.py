"""What may be said on the command line? `python -m emulators.cloud_run --help` is the manual."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from emulators.cloud_run.instances.cpu import IdleCpu
from emulators.cloud_run.model.environment import RESERVED_ENV
from emulators.cloud_run.quotas import Limits
from emulators.cloud_run.runtime.ports import LOOPBACK

_IMAGE = re.compile(r"(?P<name>[^=@]+@sha256:[0-9a-f]{64})=(?P<command>.+)", re.DOTALL)
_LIMITS = ("services", "cpus", "reads_per_minute", "writes_per_minute")
_DESCRIPTION = """\
A Cloud Run emulator on 127.0.0.1: Admin API v2 over REST and gRPC, and services that really run: in containers, or as plain
processes where no container engine can be used.

  ServicesClient(transport="rest", credentials=AnonymousCredentials(),
                 client_options={"api_endpoint": "http://127.0.0.1:PORT"})

Every service gets an address of its own (its uri), which survives restarts of the emulator. Instances start on
demand, queue, freeze outside requests (cpu_idle), shut down when idle, and restart with back-off when they die.

On Docker each instance is non-root on a read-only system, without capabilities, with its memory, CPU, processes and
workspaces bounded by the kernel, in a network of its service's own. Of this machine it reaches the --door addresses
and nothing else. As a process it shares this machine's network and user; memory is watched, CPU is not bounded.
"""
_EPILOG = """\
For observers: GET /, GET /emulator/v1/runtime, GET /emulator/v1/services/NAME/instances,
POST /emulator/v1/services/NAME/instances/ID:kill. Logs of instances: STATE/logs/NAME/REVISION-ID.log.
What Google would bill: GET /emulator/v1/services/NAME/bill?from=TIME&to=TIME, GET /emulator/v1/bill for all of them.
Who may invoke a service is said by its IAM policy, and by --invoker for all of them; it is enforced where --keys is given.
Not emulated: traffic splits, several containers, secrets, volumes other than empty_dir.
"""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line, checked."""

    port: int
    grpc_port: int | None
    faults: Path | None
    state: Path
    project: str
    location: str
    images: dict[str, tuple[str, ...]]
    keys: str | None
    invokers: tuple[str, ...]
    metadata: str | None
    idle_shutdown: timedelta
    grace: timedelta
    operation_delay: timedelta
    queue_timeout: timedelta
    readiness_deadline: timedelta
    restart_delay: timedelta
    idle_cpu: IdleCpu
    runtime: str
    doors: dict[int, int]
    instance_env: dict[str, str]
    workspace_bound: str
    require_service_account: bool
    limits: Limits


def parse(words: list[str] | None = None) -> Arguments:
    """Read the command line; ends the program with an explanation when it is wrong."""
    parser = _parser()
    values = vars(parser.parse_args(words))
    if values["invoker"] and not values["keys"]:
        parser.error("--invoker needs --keys: nobody can show who they are without keys to verify tokens by.")
    values["images"] = dict(values.pop("image"))
    values["invokers"] = tuple(values.pop("invoker"))
    values["state"] = values["state"].resolve()
    values["doors"] = dict(values.pop("door"))
    values["instance_env"] = dict(values["instance_env"])
    values["limits"] = Limits(**{name: values.pop(name) for name in _LIMITS})
    return Arguments(**values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.cloud_run",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, required=True, help="where the Admin API listens")
    add("--grpc-port", type=int, help="where the same API listens for gRPC, without TLS; 0 chooses one")
    add("--faults", type=Path, metavar="FILE", help="a JSON list of faults to begin with")
    add("--state", type=Path, required=True, help="directory of services, operations, instances and logs")
    add("--project", required=True, help="the one project that is served")
    add("--location", required=True, help="the one region that is served")
    _add_runtime(parser)
    _add_surroundings(parser)
    _add_identity(parser)
    _add_times(parser)
    _add_limits(parser)
    return parser


def _add_runtime(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--runtime",
        choices=["auto", "docker", "process"],
        default="auto",
        help="how instances run; auto: in containers when a Docker engine answers and can be used, else as processes",
    )
    add(
        "--image",
        type=_image,
        action="append",
        default=[],
        metavar="NAME@sha256:HEX=COMMAND",
        help="an image and the command that stands for it where instances are processes; may be repeated. Docker looks "
        "for the digest among the engine's images, by repository digest or by image id, and pulls what is missing",
    )
    add(
        "--workspace-bound",
        choices=["auto", "soft"],
        default="auto",
        help="auto: a tmpfs where the kernel allows, so that a full one is ENOSPC; soft: measured, over it is a kill",
    )
    add(
        "--idle-cpu",
        type=IdleCpu,
        choices=list(IdleCpu),
        default=IdleCpu.FROZEN,
        help="what cpu_idle instances have while no request is open: none, 4 %% of the time, or all of it",
    )


def _add_surroundings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--metadata",
        metavar="HOST:PORT",
        help="the metadata server that instances see; on Docker it needs a --door",
    )
    add(
        "--door",
        type=_door,
        action="append",
        default=[],
        metavar="127.0.0.1:PORT[=127.0.0.1:PORT]",
        help="an address that instances find at 127.0.0.1, and what of this machine is behind it (the same unless "
        "said otherwise); repeatable",
    )
    add(
        "--instance-env",
        type=_variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of every instance, over the service's own; repeatable",
    )


def _add_identity(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--keys", metavar="JWKS_URL", help="the keys of ID tokens; without it everybody may invoke everything"
    )
    add(
        "--invoker",
        action="append",
        default=[],
        metavar="EMAIL",
        help="an account that may invoke every service, beside those of its policy; repeatable",
    )
    add(
        "--require-service-account",
        action="store_true",
        help="refuse templates without a service_account",
    )


def _add_times(parser: argparse.ArgumentParser) -> None:
    for name, default, meaning in (
        ("idle-shutdown", 900.0, "an instance above the minimum ends after so long without a request"),
        ("grace", 10.0, "between SIGTERM and SIGKILL, in real time whatever the clock says"),
        ("operation-delay", 0.05, "how long an operation takes at least"),
        ("queue-timeout", 60.0, "how long a request waits for an instance before 429"),
        (
            "readiness-deadline",
            1800.0,
            "how long a revision may wait for a machine before its deployment fails",
        ),
        ("restart-delay", 0.5, "before an instance that died is replaced; doubles up to 30"),
    ):
        parser.add_argument(
            f"--{name}",
            type=_seconds,
            default=timedelta(seconds=default),
            metavar="SECONDS",
            help=f"{meaning} (default {default:g})",
        )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--services", type=_count, default=1000, metavar="N", help="how many services may be (default 1000)")
    add(
        "--cpus",
        type=_count,
        metavar="N",
        help="how many CPUs instances may have in all; a new account has 20 (default: no limit)",
    )
    for kind, some in (("reads", 3000), ("writes", 180)):
        add(
            f"--{kind}-per-minute",
            type=_count,
            metavar="N",
            help=f"how many {kind} of the Admin API a minute has, {some} say; more are answered with 429 "
            "(default: no limit)",
        )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a number of 0 or more")
    return int(text)


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError("must be between 0 and 86400 seconds")
    return timedelta(seconds=seconds)


def _door(text: str) -> tuple[int, int]:
    inside, _, behind = text.partition("=")
    return _loopback_port(inside), _loopback_port(behind or inside)


def _loopback_port(text: str) -> int:
    host, _, port = text.rpartition(":")
    if host != LOOPBACK or not (port.isdecimal() and 0 < int(port) < 65536):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form {LOOPBACK}:PORT")
    return int(port)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals or name in RESERVED_ENV:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=VALUE, or its name is reserved")
    return name, value


def _image(text: str) -> tuple[str, tuple[str, ...]]:
    match = _IMAGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME@sha256:<64 hex digits>=COMMAND")
    program, *rest = shlex.split(match["command"])
    # Instances run in directories of their own, so a relative path must be resolved here and now.
    return match["name"], (str(Path(program).absolute()) if "/" in program else program, *rest)
