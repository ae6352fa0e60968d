"""What can be said on the command line, and what does the exit code mean?"""

import argparse
from pathlib import Path

from agent.backup.command.recall import usual_index_file

DONE, FAILED, NOT_WHOLE, WITH_LOSSES, STOPPED = 0, 1, 3, 4, 130
"""2, wrong usage, is argparse's."""

_DESCRIPTION = """\
Backs up a directory into another one, and gets it back. Only what changed since the last time is read and
stored, and every backup can be restored by itself. Needs no server; what is stored is never overwritten.

  python -m agent.backup save project --store backups
  python -m agent.backup list --store backups
  python -m agent.backup restore project-again --store backups
"""
_CODES = """\
exit codes:
  0    done
  1    failed; may work once the cause is gone: a full disk, no permission, a target that is not empty
  2    the command line is wrong
  3    there is no such backup, or none at all, or it is damaged
  4    done, with losses that are told on stderr: files that could not be read or never stood still, or an older
       backup was restored because a newer one is damaged
  130  stopped by Ctrl-C or SIGTERM; what is half done does not count
"""
_INDEX = """\
The index says what the directory looked like at its last save or restore. By default it is kept in the cache,
$XDG_CACHE_HOME/dormouse or ~/.cache/dormouse, one file for each pair of directory and store. It saves time and is
not needed: where it is missing, damaged or of another backup, every file is read again.

"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return what was said; ends the program with 2 where it makes no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command in ("save", "restore"):
        if not options.no_index and options.index is None:
            options.index = usual_index_file(options.root, options.store)
        if problem := _problem(options):
            parser.error(problem)
    return options


def _problem(options: argparse.Namespace) -> str:
    root, store = options.root.resolve(), options.store.resolve()
    if options.command == "save" and not root.is_dir():
        return f"{options.root} is no directory"
    if root.is_relative_to(store) or store.is_relative_to(root):
        return "the store and the directory must not lie within each other"
    if options.index is not None and options.index.resolve().is_relative_to(root):
        return f"the index {options.index} must not lie in that directory; give --index FILE or --no-index"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m agent.backup", description=_DESCRIPTION, epilog=_CODES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="save | restore | verify | list")
    _add_save(commands.add_parser("save", help="back up a directory", epilog=_INDEX + _CODES))
    _add_restore(commands.add_parser("restore", help="restore a backup", epilog=_INDEX + _CODES))
    _add_verify(commands.add_parser("verify", help="check that a backup is whole", epilog=_CODES))
    _add_list(commands.add_parser("list", help="name the backups in a store", epilog=_CODES))
    for one in (parser, *commands.choices.values()):
        one.formatter_class = argparse.RawDescriptionHelpFormatter
    for one in commands.choices.values():
        one.add_argument("--store", type=Path, required=True, metavar="DIR", help="where the backups are")
    return parser


def _add_save(parser: argparse.ArgumentParser) -> None:
    parser.description = "Backs up a directory, and reads back what was stored."
    parser.add_argument("root", type=Path, metavar="WORKSPACE", help="the directory")
    _add_index(parser)


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.description = "Restores the newest backup that is whole, or the one that is named."
    parser.add_argument("root", type=Path, metavar="TARGET", help="a new or an empty directory")
    parser.add_argument("--backup", metavar="NAME", help="its name, or the beginning of it: this one or none")
    _add_index(parser)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.description = "Reads a backup and checks every byte of it, without writing anything."
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--backup", metavar="NAME", help="its name, or the beginning of it (default: the newest)"
    )
    which.add_argument("--all", action="store_true", help="every backup in the store")


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Names the backups, the oldest first: when it was saved, its files and their bytes,\n"
        "and the bytes of all the objects that it needs, many of which it shares with others."
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")


def _add_index(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--index", type=Path, metavar="FILE", help="where the index is kept; see below")
    which.add_argument("--no-index", action="store_true", help="read every file, and keep no index")
