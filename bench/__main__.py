"""./dev bench: what is measured here, beside its peers, in one run; `--help` explains."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench import backup, objects, operations, peers, wake
from bench.cloud import cloud
from bench.result import Row, table, write
from emulators.cloud_run.runtime.docker.engine import why_unusable
from tools import image

_DESCRIPTION = """\
Measures in turns with a peer, on this machine, and compares by ratio: absolute figures drift with whoever else uses
the machine, ratios hold. Each figure is the median of its rounds.

  ./dev bench emulators      calls a second, wake, upload and download of the emulators
  ./dev bench backup         save and restore of 30,000 files by the agent's engine: time, bytes, memory

Prints a table and keeps the run as JSON in .dormouse/bench. Ends with 1 when a ratio is over its limit.
"""
_EPILOG = """\
peers: the emulators' own server with a canned answer, a durable write, a raw spawn, a raw docker start, and an nginx
started here for the run (apt-get install nginx-light); restic, borg and tar | zstd (apt-get install restic borgbackup
zstd). What has no peer on this machine is left out, and said so.

backup: source-like text, machine code, noise and copies, drawn from a seed; some 480 MB, and 22 GB of disk for the run,
about ten minutes. Ours is the engine as an agent runs it: started before, with what it saved last in memory, and
another process that restores. The others, our command line among them, are started each time, with their caches, into a
repository that is made before. Everybody's restore is compared with the tree once;
nothing is removed before the end, because ext4 is slow to make files where many have just been removed.
"""


def main() -> int:
    """Runs one subject; 0 when every ratio is within its limit."""
    parsed = _parser().parse_args()
    rows: list[Row] = []
    left_out: list[str] = []
    for row in _SUBJECTS[parsed.subject](parsed, left_out):
        rows.append(row)
        print(f"  {row.name}: {row.ratio:.2f} of {row.beside}", file=sys.stderr, flush=True)
    path = write(parsed.subject, rows, left_out)
    print(table(rows))
    for row in rows:
        if not row.holds:
            print(f"Over its limit: {row.name}. {row.why[:1].upper()}{row.why[1:]}.")
    for said in left_out:
        print(f"Left out: {said}.")
    print(path)
    return 0 if all(row.holds for row in rows) else 1


def emulators(parsed: argparse.Namespace, left_out: list[str]) -> Iterator[Row]:
    """Cloud Run, Cloud Storage and Cloud Scheduler, each started for the run."""
    rounds = parsed.rounds
    program = f"{sys.executable} -I -S {wake.PROGRAM}"
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        directory = Path(place)
        with (
            cloud(directory, "--runtime", "process", "--image", f"{wake.IMAGE}={program}") as running,
            peers.nginx(directory) as nginx,
        ):
            yield from operations.rows(running, directory, rounds)
            yield wake.process_row(running, rounds)
            if nginx is None:
                left_out.append(peers.NO_NGINX)
            else:
                yield from objects.rows(running, nginx, directory, rounds)
    yield from _containers(rounds, left_out)


def _containers(rounds: int, left_out: list[str]) -> Iterator[Row]:
    if why := why_unusable(with_doors=False):
        left_out.append(f"wake, container: {why}")
        return
    reference = image.build("python").reference
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as place,
        cloud(Path(place), "--runtime", "docker") as running,
    ):
        yield wake.container_row(running, reference, rounds)


_SUBJECTS: Mapping[str, Callable[[argparse.Namespace, list[str]], Iterator[Row]]] = {
    "backup": lambda parsed, left_out: backup.rows(parsed.rounds, parsed.quick, left_out),
    "emulators": emulators,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "./dev bench",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subject", choices=sorted(_SUBJECTS), help="what is measured")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="backup: a tenth of the files, and no limits")
    return parser


if __name__ == "__main__":
    sys.exit(main())
