"""./dev kill: rounds of a workstation's story under kill -9, and a report of what was found."""

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from proof import lanes
from proof.plan import plan_of
from proof.report import Run, page, replay
from proof.round import Outcome
from tools.venv import STATE

_DESCRIPTION = """\
Tells the story of a workstation against a whole local cloud of its own, round after round, and kills a process with
SIGKILL at a call that seed and round choose. Afterwards it checks, through Google's own clients and plain reads, that
nothing acknowledged is lost, nothing runs for nobody, and every micro-dollar and event is accounted for.

Ends with 0 when every round ended clean, with 1 when one did not, with 2 when no cloud could be started.
"""
_EPILOG = """\
examples:
  ./dev kill                                   20 rounds
  ./dev kill --rounds 300 --report docs/proof.md
  ./dev kill --seed 7 --only 42                round 42 of seed 7 once more
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "./dev kill",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds", type=_at_least_one, default=20, metavar="N", help="how many (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what is drawn from (%(default)s)")
    parser.add_argument(
        "--only",
        type=_at_least_one,
        action="append",
        metavar="ROUND",
        help="this round alone; repeat for more",
    )
    parser.add_argument(
        "--lanes",
        type=_at_least_one,
        default=3,
        metavar="N",
        help="clouds side by side (%(default)s); each takes about 1 GiB",
    )
    parser.add_argument(
        "--runtime", choices=("process", "docker"), default="process", help="what instances are (%(default)s)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there")
    return parser


def main() -> int:
    """Plays the rounds; the exit code."""
    chosen = _parser().parse_args()
    numbers = chosen.only or list(range(1, chosen.rounds + 1))
    count = min(chosen.lanes, len(numbers))
    plans = [plan_of(chosen.seed, number) for number in numbers]
    # The lanes end with us, whoever ends us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began, outcomes = time.monotonic(), []
    try:
        for outcome in lanes.run(plans, count, chosen.runtime, STATE / f"proof-{os.getpid()}"):
            outcomes.append(outcome)
            _say(chosen.seed, outcome)
    except RuntimeError as failure:
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Broken off.", file=sys.stderr)
        return 130
    outcomes.sort(key=lambda outcome: outcome.plan.number)
    minutes = (time.monotonic() - began) / 60
    run = Run(
        day=datetime.now(UTC).date(),
        seed=chosen.seed,
        runtime=chosen.runtime,
        lanes=count,
        minutes=minutes,
        outcomes=outcomes,
    )
    if chosen.report:
        chosen.report.write_text(page(run))
    clean = sum(outcome.is_clean for outcome in outcomes)
    kills = sum(bool(strike.hit) for outcome in outcomes for strike in outcome.strikes)
    print(f"{clean} of {len(outcomes)} rounds ended clean after {kills} kills, in {minutes:.1f} min.")
    return 0 if clean == len(outcomes) else 1


def _at_least_one(text: str) -> int:
    # No round at all would end as clean, and no lane would never end.
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return int(text)


def _say(seed: int, outcome: Outcome) -> None:
    """One line for a round; more for one that did not end clean."""
    struck = "; ".join(f"{strike.trip} ({strike.hit or 'hit nothing'})" for strike in outcome.strikes)
    missed = ", ".join(
        str(trip) for trip in outcome.plan.trips if trip not in [strike.trip for strike in outcome.strikes]
    )
    failed = "; ".join(outcome.failed)
    print(
        f"{'ok  ' if outcome.is_clean else 'FAIL'} {outcome.plan.number:4} {outcome.seconds:5.0f} s  "
        f"{outcome.plan.shape}: {struck or 'nobody killed'}{f' [not reached: {missed}]' if missed else ''}"
        f"{f' [asked anew after {failed}]' if failed else ''}"
    )
    for violation in outcome.violations:
        print(f"       {violation}")
    if not outcome.is_clean:
        kept = lanes.KEPT_LOGS / f"round-{outcome.plan.number}"
        print(f"       again: {replay(seed, outcome)}   logs: {os.path.relpath(kept)}")


if __name__ == "__main__":
    sys.exit(main())
