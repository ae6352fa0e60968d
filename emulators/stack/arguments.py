"""What may be said to the local cloud on the command line."""

import argparse
from pathlib import Path

from emulators.stack.options import RUNTIMES, Options
from emulators.stack.ports import DEFAULTS


def parser() -> argparse.ArgumentParser:
    """The four commands; the parsed `command` names the one that was given."""
    whole = argparse.ArgumentParser("./dev", description="The local cloud.")
    commands = whole.add_subparsers(dest="command", required=True, metavar="up | down | status | token")
    _describe_up(_command(commands, "up", "start the local cloud; ends with a RUNNING workstation"))
    _command(commands, "down", "stop it")
    _command(commands, "status", "what runs where, and whether it answers")
    token = _command(commands, "token", "print a fresh ID token")
    token.add_argument("uid", metavar="UID", help="ada, grace, or any other user id")
    return whole


def options(parsed: argparse.Namespace) -> Options:
    """The choices of an `up`."""
    return Options(
        state=parsed.state.absolute(),
        ports=dict(parsed.port),
        settings=dict(parsed.set),
        minute_seconds=parsed.minute,
        workstation=not parsed.no_workstation and not parsed.only,
        ephemeral=parsed.ephemeral,
        any_free_ports=parsed.free_ports,
        only=frozenset(parsed.only),
        runtime=parsed.runtime,
    )


def _describe_up(up: argparse.ArgumentParser) -> None:
    add = up.add_argument
    add("--detach", action="store_true", help="return when everything is ready")
    add(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of the product",
    )
    add("--port", action="append", default=[], type=_port, metavar="NAME=N", help="this port and no other")
    add("--free-ports", action="store_true", help="any free ports instead of the usual ones")
    add("--minute", type=float, default=60, metavar="SECONDS", help="length of the scheduler's minute")
    add(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="what workstations run on; auto: Docker where an engine answers, else plain processes",
    )
    add("--no-workstation", action="store_true", help="start no demo workstation")
    add("--ephemeral", action="store_true", help="begin with nothing and keep nothing")
    add(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this part and what it needs, nothing else",
    )


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, purpose: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
    where = Options().state
    command.add_argument("--state", type=Path, default=where, metavar="DIR", help="where state is kept")
    return command


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def _port(text: str) -> tuple[str, int]:
    name, value = _setting(text)
    if name not in DEFAULTS:
        raise argparse.ArgumentTypeError(f"there is no port {name}; there are {', '.join(DEFAULTS)}")
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise argparse.ArgumentTypeError(f"'{value}' is not a port")
    return name, int(value)
