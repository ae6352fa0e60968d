"""Every check and test, in the order in which a failure is cheapest to learn of, with the time of each part.

    ./dev test                       everything
    ./dev test tests/tools -k name   what pytest understands, and nothing else

One Firestore emulator serves the whole run; each test uses a project id of its own.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from emulators.stack import LocalCloud, Options, StackError
from suite.parts import Part, everything
from suite.running import RUN_RESULTS, Done, run, run_alone
from suite.summary import summary
from tools.mission_plugin import RESULTS, merge
from tools.venv import STATE


def main() -> int:
    """Runs what was asked for; 0 only when every part passed."""
    STATE.mkdir(exist_ok=True)
    RUN_RESULTS.unlink(missing_ok=True)
    if arguments := sys.argv[1:]:
        done = [run_alone(arguments)]
    else:
        RESULTS.unlink(missing_ok=True)
        done = _run_all(everything())
    results = json.loads(RUN_RESULTS.read_text()) if RUN_RESULTS.exists() else {}
    merge(RESULTS, results)
    print(summary(done, results), flush=True)
    return 0 if all(part.passed for part in done) else 1


def _run_all(parts: list[Part]) -> list[Done]:
    try:
        with _firestore() as environment:
            return [run(part, environment) for part in parts]
    except StackError as failure:
        print(failure, flush=True)
        return [Done("Firestore emulator", False, 0, 0)]


@contextmanager
def _firestore() -> Iterator[Mapping[str, str]]:
    options = Options(
        state=STATE / "test-firestore", only=frozenset({"firestore"}), any_free_ports=True, ephemeral=True
    )
    with LocalCloud(options) as cloud:
        yield {"FIRESTORE_EMULATOR_HOST": cloud.addresses.host("firestore")}


if __name__ == "__main__":
    sys.exit(main())
