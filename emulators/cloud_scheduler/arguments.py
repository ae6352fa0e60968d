"""What may be said to the emulator on its command line."""

import argparse
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from emulators.cloud_scheduler.jobs_file import Deployment, JobsFileError, parse_targets, read_jobs
from emulators.faults.gate import read_rules
from emulators.faults.rule import BadRule, Rule

_DESCRIPTION = """\
Cloud Scheduler on one machine, for the stock google-cloud-scheduler client, over REST and gRPC: jobs that call HTTP
targets on a unix-cron schedule, as a service account, with deadlines, retries and back-off. Jobs outlive the emulator.
"""
_EPILOG = """\
beside Google's API, on --port:
  GET  /emulator/v1/attempts?job=NAME    the newest attempts and what came of them
  GET  /emulator/v1/clock, POST /emulator/v1/clock:advance|:hold|:resume
  GET, POST, DELETE /emulator/v1/faults  faults by rule; attempts are the method "Deliver" on the job's name

With --minute below 60 the cron's clock starts at the current full minute and runs faster than the emulator's:
with --minute 2 a job of "*/5 * * * *" runs about every 10 s, and schedule times run ahead.
Attempt deadlines and back-offs stay in full seconds.

jobs file: a JSON list of {"name", "schedule", "timeZone", "target", "path", "attemptDeadlineSeconds", "retryCount",
"minBackoffSeconds", "maxBackoffSeconds", "maxRetrySeconds", "maxDoublings", "audience"}; name, schedule, target and
path are needed. Its jobs are created at the start, or brought up to the file.

examples:
  python -m emulators.cloud_scheduler --port 9200 --grpc-port 9201 --state .dormouse/scheduler
  python -m emulators.cloud_scheduler --port 9200 --project demo --jobs terraform/scheduler-jobs.json \\
      --metadata 127.0.0.1:9105 --account scheduler@demo.iam.gserviceaccount.com \\
      --target sweep=http://127.0.0.1:8082 --target cleanup=http://127.0.0.1:8083
"""
_LOCATION = "europe-west1"
_MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """One emulator's choices; `only_location` is empty where any will do, `jobs` are those of the file."""

    port: int
    grpc_port: int | None
    state: Path | None
    only_location: str
    metadata: tuple[str, ...]
    minute: timedelta
    faults: tuple[Rule, ...]
    jobs: tuple[Any, ...]


def parse() -> Arguments:
    """The choices; ends the process, saying why, when they cannot be used."""
    parser = _parser()
    given = parser.parse_args()
    if not 0 < given.minute <= _MINUTE_SECONDS:
        parser.error("--minute: must be more than 0 and at most 60")
    try:
        return Arguments(
            port=given.port,
            grpc_port=given.grpc_port,
            state=given.state,
            only_location=given.location,
            metadata=tuple(given.metadata),
            minute=timedelta(seconds=given.minute),
            faults=tuple(read_rules(given.faults)) if given.faults else (),
            jobs=tuple(read_jobs(given.jobs, _deployment(given))) if given.jobs else (),
        )
    except (JobsFileError, BadRule, ValueError) as error:
        parser.error(str(error))


def _deployment(given: argparse.Namespace) -> Deployment:
    parent = f"projects/{given.project}/locations/{given.location or _LOCATION}"
    return Deployment(parent, given.account, parse_targets(given.target))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m emulators.cloud_scheduler",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, required=True, help="port of REST and of the emulator's own routes")
    add("--grpc-port", type=int, help="port of gRPC, without TLS; none without it")
    add("--state", type=Path, metavar="DIR", help="where jobs are kept; without it they end with the process")
    add("--location", default="", help="the one location that there is; any without it")
    add(
        "--metadata",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="a metadata server, for tokens of its account; repeat for more",
    )
    add("--minute", type=float, default=_MINUTE_SECONDS, metavar="SECONDS", help="length of a cron minute")
    add("--faults", type=Path, metavar="FILE", help="rules in force from the start, a JSON list")
    _add_deployment(parser)
    return parser


def _add_deployment(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the jobs file").add_argument
    add("--jobs", type=Path, metavar="FILE", help="jobs that are there from the start")
    add("--project", default="demo", help="the project of its jobs (%(default)s)")
    add("--account", default="", metavar="EMAIL", help="the service account that its jobs call as")
    add(
        "--target",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="a target's address; repeat for more",
    )
