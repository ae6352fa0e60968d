"""Start the Cloud Scheduler emulator: ``python -m emulators.cloud_scheduler --help``."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulators.cloud_scheduler.application import Scheduler
from emulators.cloud_scheduler.cron import CronClock
from emulators.cloud_scheduler.jobs import JobsFileError, parse_targets, read_jobs
from emulators.serving import serve

_DESCRIPTION = """\
Cloud Scheduler on one machine: calls HTTP targets on a cron schedule, as a service account.

Each run is a POST with X-CloudScheduler headers and an ID token (audience: the target's URL). Runs of one
job never overlap: one that comes due during another starts late, once. What answers 2xx has succeeded;
everything else is recorded, tried again retryCount times (default 0), and the schedule goes on.
"""
_EPILOG = """\
endpoints:
  GET  /v1/jobs, /v1/jobs/NAME    last run (status, error, duration), next run
  POST /v1/jobs/NAME:run          run now; 409 while a run is going on

With --minute below 60 the cron's clock starts at the current full minute and runs faster than the wall's:
with --minute 2 a job of "*/5 * * * *" runs about every 10 s, and ScheduleTime headers run ahead.
Attempt deadlines and back-offs stay in real seconds.

jobs file: a JSON list of {"name", "schedule", "timeZone", "target", "path", "attemptDeadlineSeconds",
"retryCount", "minBackoffSeconds", "maxBackoffSeconds", "maxDoublings", "audience"}; the last five optional.

example:
  python -m emulators.cloud_scheduler --port 9200 --jobs terraform/scheduler-jobs.json \\
      --metadata 127.0.0.1:9105 --target sweep=http://127.0.0.1:8082 --target cleanup=http://127.0.0.1:8083
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m emulators.cloud_scheduler",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, required=True, help="port of the scheduler's own API")
    parser.add_argument("--jobs", type=Path, required=True, metavar="FILE", help="the jobs file")
    parser.add_argument(
        "--metadata", required=True, metavar="HOST:PORT", help="metadata server of the scheduler's account"
    )
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="a target's address; repeat for more",
    )
    parser.add_argument(
        "--minute", type=float, default=60, metavar="SECONDS", help="length of a cron minute (%(default)s)"
    )
    return parser


def main() -> None:
    """Serve until SIGTERM."""
    parser = _parser()
    options = parser.parse_args()
    if not 0 < options.minute <= 60:
        parser.error("--minute: must be more than 0 and at most 60")
    try:
        jobs = read_jobs(options.jobs, parse_targets(options.target))
    except (JobsFileError, ValueError) as error:
        parser.error(str(error))
    clock = CronClock(_now(), timedelta(seconds=options.minute))
    serve("cloud_scheduler", {options.port: Scheduler(jobs, options.metadata, clock, _now).application()})


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
