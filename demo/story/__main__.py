"""The whole story of a workstation, observed step by step: ./dev demo

Exit code 0 only if every step was seen in the emulators themselves; 1 says which was not.
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from demo.story import beginning, ending, receipt, sleeping, spending, working
from demo.story.client import Client
from demo.story.cloud import CloudRun, CloudStorage, Firestore
from demo.story.place import Place, place_at
from demo.story.story import Story, tell
from demo.story.transcript import Transcript
from emulators.stack import Options, StackError
from emulators.stack.options import RUNTIMES

STEPS = (
    *beginning.STEPS,
    *working.STEPS,
    *sleeping.STEPS,
    *spending.STEPS,
    *ending.STEPS,
    *receipt.STEPS,
)


def main() -> int:
    """Tells the story; 0 when all of it was observed, 1 when not, 130 when it was interrupted."""
    parsed = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    transcript = Transcript(sys.stdout)
    transcript.title(
        "Dormouse: one workstation's whole life, each step observed in the emulators themselves."
    )
    try:
        with place_at(parsed.stack, transcript.note, own=parsed.own, runtime=parsed.runtime) as place:
            transcript.title(_where(place))
            whole = tell(story_at(place, transcript), STEPS)
    except StackError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if whole:
        transcript.title("")
        transcript.title(f"Every step was observed, in {transcript.elapsed:.0f} s.")
    return 0 if whole else 1


def story_at(place: Place, transcript: Transcript) -> Story:
    """A story that has not begun yet, with its user and its witnesses."""
    return Story(
        place=place,
        transcript=transcript,
        client=Client.of(place, place.uid),
        cloud_run=CloudRun(place),
        cloud_storage=CloudStorage(place),
        firestore=Firestore(place),
    )


def _where(place: Place) -> str:
    minute = place.minute.total_seconds()
    if place.is_own:
        return f"In a local cloud of its own, where the sweep comes every {minute:g} s; it takes about 90 s."
    minutes = max(1, round((60 + 4 * minute) / 60))
    return (
        f"In the local cloud that runs already, as a user of its own ({place.uid}) whom no workstation of yours meets. "
        f"There the sweep comes every {minute:g} s, so the story takes about {minutes} min; "
        f"with --own it has a quick cloud of its own."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("./dev demo", description="The whole story of a workstation.")
    where = Options().stack_file
    parser.add_argument("--own", action="store_true", help="a cloud of its own, also where one runs already")
    parser.add_argument(
        "--runtime", choices=RUNTIMES, default="auto", help="what workstations run on in a cloud of its own"
    )
    parser.add_argument(
        "--stack", type=Path, default=where, metavar="FILE", help="the cloud that runs already"
    )
    return parser


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
