"""The real Firestore emulator as a component."""

from collections.abc import Callable
from pathlib import Path

from emulators.stack.component import Component, StackError
from emulators.stack.firestore_jar import MAIN_CLASS, NoFirestore, find_or_download
from emulators.stack.java import NoJava, java_for
from emulators.stack.kept_state import KeptState
from emulators.stack.options import Addresses, Options
from emulators.stack.ports import LOOPBACK
from tools.venv import ROOT

# A small heap of one collector and the quick compiler: half the start, and half the memory.
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1g")


def firestore_component(
    options: Options,
    addresses: Addresses,
    imported: Path | None,
    say: Callable[[str], None],
    rules: Path | None = ROOT / "firestore.rules",
) -> Component:
    """Firestore on its port, with the rules and what the last run kept; raises StackError, saying what to install."""
    try:
        jar = find_or_download(say)
        java = java_for(jar, MAIN_CLASS)
    except (NoFirestore, NoJava) as failure:
        raise StackError(str(failure)) from failure
    arguments = [f"--host={LOOPBACK}", f"--port={addresses.ports['firestore']}"]
    if rules is not None and rules.exists():
        arguments.append(f"--rules={rules}")
    if imported is not None:
        arguments.append(f"--import-data={imported}")
    kept = KeptState(options.state)
    return Component(
        name="firestore",
        address=addresses.url("firestore"),
        command=(str(java), *_JVM, "-cp", str(jar), MAIN_CLASS, "start", *arguments),
        ready=addresses.url("firestore"),
        environment={},
        directory=ROOT,
        log=options.logs / "firestore.log",
        start_seconds=60,
        after_start=kept.begin,
        before_stop=lambda: None if options.ephemeral else kept.save_firestore(addresses.host("firestore")),
        loss="Its records of this run are lost: ./dev down and up again start afresh.",
    )
