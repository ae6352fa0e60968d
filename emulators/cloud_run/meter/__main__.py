"""`python -m emulators.cloud_run.meter`: the bill of a file of facts, as JSON on standard output.

The emulator computes its bills so too, in a process of their own that can be ended at any time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from emulators.cloud_run.meter.history import recall
from emulators.cloud_run.meter.journal import facts_in
from emulators.cloud_run.meter.prices import PriceList
from emulators.cloud_run.meter.statement import Question, statement
from emulators.cloud_run.meter.times import FIRST, LAST


def main() -> None:
    """Read the command line, and the facts; write the bill."""
    parser = argparse.ArgumentParser(prog="python -m emulators.cloud_run.meter", description=__doc__)
    add = parser.add_argument
    add("facts", type=Path, help="STATE/meter/facts.jsonl of an emulator")
    add("--region", required=True, help="whose prices")
    add("--from", dest="start", type=int, default=FIRST, metavar="MICROSECONDS", help="since 1970, UTC")
    add("--to", dest="end", type=int, default=LAST, metavar="MICROSECONDS", help="up to, but without")
    add("--now", type=int, default=FIRST, metavar="MICROSECONDS", help="at least this late it is")
    add("--service", help="this one alone")
    add("--free-tier", action="store_true", help="take the free tier off")
    asked = parser.parse_args()
    question = Question((asked.start, asked.end), asked.now, asked.service, asked.free_tier)
    bill = statement(recall(facts_in(asked.facts)), question, PriceList(asked.region))
    sys.stdout.write(json.dumps(bill, separators=(",", ":")))


if __name__ == "__main__":
    main()
