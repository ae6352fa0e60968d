"""Does anything that was acknowledged get lost when the emulator is killed under load?  Round after round, by seed.

python -m tests.emulators.cloud_storage.kill_rounds --moments 100 --seed 1
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx2
from google.cloud import storage

BUCKET = "kept"
QUANTUM = 256 * 1024
WRITERS, NAMES = 4, 4
_ROOT = Path(__file__).parents[3]
_READY_SECONDS = 60


@dataclass
class Held:
    """What is known of one object: what was acknowledged last, and what one more write may have made of it."""

    content: bytes | None = None
    generation: int = 0
    doubt: tuple[bytes | None] | None = None
    session: str | None = None
    """The address of a resumable upload that was cut short."""


@dataclass
class Writer:
    """One thread's load: it changes objects of its own, each write under the generation that it knows."""

    number: int
    random: Random
    begin: Callable[[], None]
    acknowledged: Counter[str]
    objects: dict[str, Held] = field(default_factory=dict)
    bucket: Any = None
    faults: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        """Write until the connection breaks; anything else that goes wrong is kept for the report."""
        try:
            while True:
                self._one()
        except (OSError, httpx2.HTTPError):
            return
        except BaseException as error:
            self.faults.append(error)

    def _one(self) -> None:
        name = f"writer-{self.number}/{self.random.randrange(NAMES)}"
        held = self.objects.setdefault(name, Held())
        others = [other.content for other in self.objects.values() if other.content]
        kinds = ["simple", "simple", "resumable"]
        if held.content is not None:
            kinds.append("delete")
        if others and held.content is not None and len(held.content) < QUANTUM:
            kinds.append("compose")
        kind = self.random.choice(kinds)
        self.begin()
        getattr(self, f"_{kind}")(name, held)
        held.doubt = held.session = None
        self.acknowledged[kind] += 1

    def _bytes(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(1, most))

    def _simple(self, name: str, held: Held) -> None:
        content = self._bytes(200_000)
        held.doubt = (content,)
        blob = self.bucket.blob(name)
        blob.upload_from_string(content, if_generation_match=held.generation, retry=None)
        held.content, held.generation = content, blob.generation

    def _resumable(self, name: str, held: Held) -> None:
        content = self._bytes(3 * QUANTUM)
        url = f"{self.bucket.client._connection.API_BASE_URL}/upload/storage/v1/b/{BUCKET}/o"
        asked = {"uploadType": "resumable", "name": name, "ifGenerationMatch": str(held.generation)}
        started = httpx2.post(url, params=asked, trust_env=False, timeout=60).raise_for_status()
        held.session, held.doubt = started.headers["location"], (content,)
        held.generation = send_rest(held.session, content, 0)
        held.content = content

    def _compose(self, name: str, held: Held) -> None:
        assert held.content is not None
        source, other = next((n, o) for n, o in self.objects.items() if o.content)
        assert other.content is not None
        content = held.content + other.content
        held.doubt = (content,)
        blob = self.bucket.blob(name)
        blob.compose(
            [self.bucket.blob(name), self.bucket.blob(source)],
            if_generation_match=held.generation,
            retry=None,
        )
        held.content, held.generation = content, blob.generation

    def _delete(self, name: str, held: Held) -> None:
        held.doubt = (None,)
        self.bucket.blob(name).delete(if_generation_match=held.generation, retry=None)
        held.content, held.generation = None, 0


def send_rest(session: str, content: bytes, start: int) -> int:
    """Send a resumable upload from some byte on, in two requests; the generation of the object."""
    middle = start + (len(content) - start) // 2 // QUANTUM * QUANTUM
    for first, stop in ((start, middle), (middle, len(content))):
        if first == stop:
            continue
        answer = httpx2.put(
            session,
            content=content[first:stop],
            headers={"Content-Range": f"bytes {first}-{stop - 1}/{len(content)}"},
            trust_env=False,
            timeout=60,
        )
        if answer.status_code not in (200, 308):
            answer.raise_for_status()
    return int(answer.json()["generation"])


@dataclass
class Emulator:
    """The process that is killed and started again, on one port and one directory."""

    state: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> storage.Client:
        """Start it; the stock client, once it answers."""
        flags = ["--port", str(self.port), "--state", str(self.state), "--project", "demo-dormouse"]
        command = [sys.executable, "-m", "emulators.cloud_storage", *flags, "--bucket", BUCKET]
        self.process = subprocess.Popen(command, cwd=_ROOT, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _READY_SECONDS
        url = f"http://127.0.0.1:{self.port}"
        while not _answers(url):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            assert time.monotonic() < deadline, "it was not ready"
            time.sleep(0.02)
        os.environ["STORAGE_EMULATOR_HOST"] = url
        try:
            return storage.Client(project="demo-dormouse")
        finally:
            del os.environ["STORAGE_EMULATOR_HOST"]

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


@dataclass
class Figures:
    """What the rounds saw."""

    moments: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    in_doubt: int = 0
    took_effect: int = 0
    """How many of those in doubt were there after the restart."""
    resumed: int = 0
    """How many resumable uploads went on after a restart."""
    lost: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = vars(self) | {"acknowledged": dict(self.acknowledged)}
        return json.dumps(shown, indent=2)


def kill_rounds(emulator: Emulator, moments: int, seed: int) -> Figures:
    """Kill it at so many seeded moments of the same load; every loss is named in the figures."""
    random, figures = Random(seed), Figures()
    begun = threading.Semaphore(0)
    writers = [
        Writer(number, Random(seed * 1000 + number), begun.release, figures.acknowledged)
        for number in range(WRITERS)
    ]
    client = emulator.start()
    try:
        for _ in range(moments):
            _one_round(emulator, client, writers, begun, random)
            client = emulator.start()
            figures.moments += 1
            _verify(client, writers, figures)
    finally:
        emulator.kill()
    return figures


def _one_round(
    emulator: Emulator,
    client: storage.Client,
    writers: list[Writer],
    begun: threading.Semaphore,
    random: Random,
) -> None:
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for writer, thread in zip(writers, threads, strict=True):
        writer.bucket = client.bucket(BUCKET)
        thread.start()
    for _ in range(random.randrange(1, 40)):
        begun.acquire(timeout=60)
    # Somewhere within the calls that are under way, and not always at their beginning.
    threading.Event().wait(random.uniform(0, 0.03))
    emulator.kill()
    for thread in threads:
        thread.join(120)
    while begun.acquire(blocking=False):
        pass


def _verify(client: storage.Client, writers: list[Writer], figures: Figures) -> None:
    bucket = client.bucket(BUCKET)
    there = {blob.name: blob for blob in bucket.list_blobs(retry=None)}
    for writer in writers:
        figures.lost += [f"writer {writer.number}: {fault!r}" for fault in writer.faults]
        writer.faults.clear()
        for name, held in writer.objects.items():
            blob = there.pop(name, None)
            content = blob.download_as_bytes(retry=None) if blob is not None else None
            if held.session is not None and (held.doubt == (content,)):
                _ask_again(name, held, figures)
            if problem := _settle(held, blob, content, figures):
                figures.lost.append(f"moment {figures.moments}, {name}: {problem}")
            if held.session is not None:
                _go_on(bucket, name, held, figures)
    figures.lost += [f"moment {figures.moments}: {name} was never written" for name in there]


def _settle(held: Held, blob: Any, content: bytes | None, figures: Figures) -> str:
    """Compare what is there with what may be, and go on from what is there."""
    generation = blob.generation if blob is not None else 0
    doubt, held.doubt = held.doubt, None
    as_acknowledged = content == held.content and generation == held.generation
    as_doubted = doubt is not None and content == doubt[0] and generation != held.generation
    figures.in_doubt += doubt is not None
    figures.took_effect += as_doubted
    if as_doubted or doubt is None:
        held.session = None
    if held.session is not None and doubt is not None:
        held.doubt = doubt
    known = f"{None if held.content is None else len(held.content)} bytes of {held.generation}"
    held.content, held.generation = content, generation
    if as_acknowledged or as_doubted:
        return ""
    return f"{None if content is None else len(content)} bytes of {generation} instead of {known}"


def _ask_again(name: str, held: Held, figures: Figures) -> None:
    """An upload that took effect without an answer has to say so when it is asked."""
    assert held.session is not None
    answer = httpx2.put(held.session, headers={"Content-Range": "bytes */*"}, trust_env=False, timeout=60)
    if answer.status_code != 200:
        figures.lost.append(f"moment {figures.moments}, {name}: complete, but answers {answer.status_code}")


def _go_on(bucket: Any, name: str, held: Held, figures: Figures) -> None:
    """Ask how far an upload is that was cut short, and send the rest."""
    assert held.session is not None
    assert held.doubt is not None
    assert held.doubt[0] is not None
    content, session = held.doubt[0], held.session
    held.doubt = held.session = None
    asked = {"Content-Range": f"bytes */{len(content)}"}
    answer = httpx2.put(session, headers=asked, trust_env=False, timeout=60)
    if answer.status_code != 308:
        figures.lost.append(f"moment {figures.moments}, {name}: its upload answers {answer.status_code}")
        return
    found = answer.headers.get("range", "bytes=0--1")
    held.generation = send_rest(session, content, int(found.removeprefix("bytes=0-")) + 1)
    held.content = content
    figures.resumed += 1
    if bucket.blob(name).download_as_bytes(retry=None) != content:
        figures.lost.append(f"moment {figures.moments}, {name}: its upload went on to other bytes")


def main() -> int:
    """Print the figures; 1 when anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    with tempfile.TemporaryDirectory() as directory:
        figures = kill_rounds(Emulator(Path(directory), port), options.moments, options.seed)
    sys.stdout.write(f"{figures}\n")
    return 1 if figures.lost else 0


if __name__ == "__main__":
    sys.exit(main())
