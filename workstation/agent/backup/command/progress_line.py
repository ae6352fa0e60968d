"""How is a person told how far the work has come? By one line that is written over, and only on a terminal."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from agent.backup.failures import mebibytes
from agent.backup.progress import Progress

SECONDS = 0.25
_ERASE = "\r\x1b[K"


@contextmanager
def shown(progress: Progress, stream: TextIO) -> Iterator[None]:
    """Show the progress on the stream until the end of the context, if the stream is a terminal."""
    if not stream.isatty():
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_show, args=(progress, stream, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def line(progress: Progress) -> str:
    """Return the line."""
    return (
        f"{progress.files} files, {mebibytes(progress.bytes)} MiB; "
        f"{mebibytes(progress.stored_bytes)} MiB to or from the store"
    )


def _show(progress: Progress, stream: TextIO, ended: threading.Event) -> None:
    stream.write(line(progress))
    while not ended.wait(SECONDS):
        stream.write(_ERASE + line(progress))
        stream.flush()
    stream.write(_ERASE)
    stream.flush()
