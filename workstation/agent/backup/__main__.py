"""Backs up a directory, and gets it back: `python -m agent.backup --help`."""

import argparse
import json
import signal
import sys
from datetime import datetime
from types import FrameType

from agent.backup.command.command_line import DONE, FAILED, NOT_WHOLE, STOPPED, WITH_LOSSES, parse
from agent.backup.command.commands import DAMAGED, Commands, Listed, NoBackupError, Told
from agent.backup.command.progress_line import shown
from agent.backup.failures import WorkspaceError
from agent.backup.progress import Progress, StoppedError
from agent.backup.stores.directory import DirectoryStore


def main() -> int:
    """Do what the command line says; returns the exit codes that `--help` explains."""
    options = parse()
    progress = Progress()
    _stop_by_signals(progress)
    try:
        return _run(options, Commands(DirectoryStore(options.store), progress), progress)
    except StoppedError:
        return _fail(STOPPED, "stopped")
    except (NoBackupError, *DAMAGED) as error:
        return _fail(NOT_WHOLE, str(error))
    except (WorkspaceError, OSError) as error:
        return _fail(FAILED, str(error))


def _run(options: argparse.Namespace, commands: Commands, progress: Progress) -> int:
    if options.command == "list":
        return _list(commands.listed(), as_json=options.output == "json")
    if options.command == "verify":
        with shown(progress, sys.stderr):
            verified = commands.verify(options.backup, options.all)
        return _tell_verified(verified)
    with shown(progress, sys.stderr):
        if options.command == "save":
            told = commands.save(options.root, options.index)
        else:
            told = commands.restore(options.root, options.backup, options.index)
    return _tell(told)


def _tell(told: Told) -> int:
    _say(told.said)
    for line in (*told.losses, *told.notes):
        _complain(line)
    return WITH_LOSSES if told.losses else DONE


def _tell_verified(verified: list[tuple[str, str]]) -> int:
    for name, wrong in verified:
        _say(f"{name}  {f'damaged: {wrong}' if wrong else 'whole'}")
    return NOT_WHOLE if any(wrong for _, wrong in verified) else DONE


def _list(listed: list[Listed], *, as_json: bool) -> int:
    if as_json:
        _say(json.dumps([_as_json(one) for one in listed], indent=1))
        return DONE
    width = max((len(one.name) for one in listed), default=0)
    _say(f"{'name':{width}}  {'written':20}  {'files':>9}  {'bytes':>14}  {'stored bytes':>14}")
    for one in listed:
        _say(f"{one.name:{width}}  {_as_columns(one)}")
    return DONE


def _as_columns(one: Listed) -> str:
    if one.written is None:
        return f"damaged: {one.damaged}"
    return f"{_time(one.written)}  {one.files:9}  {one.bytes:14}  {one.stored_bytes:14}"


def _as_json(one: Listed) -> dict[str, str | int | None]:
    return {
        "name": one.name,
        "written": _time(one.written) if one.written else None,
        "files": one.files,
        "bytes": one.bytes,
        "storedBytes": one.stored_bytes,
        "damaged": one.damaged or None,
    }


def _time(written: datetime) -> str:
    return written.strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _complain(line: str) -> None:
    # Paths are bytes, and need not be text.
    sys.stderr.write(line.encode(errors="backslashreplace").decode() + "\n")


def _fail(code: int, why: str) -> int:
    _complain(why)
    return code


def _stop_by_signals(progress: Progress) -> None:
    def stop(number: int, _frame: FrameType | None) -> None:
        progress.stop()
        # Whoever asks twice does not wait for the next step.
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


if __name__ == "__main__":
    sys.exit(main())
