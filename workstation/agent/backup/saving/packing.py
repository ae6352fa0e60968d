"""How do blobs become packs? Gathered into frames, compressed beside the reading, joined to packs, and stored in parallel.

Blobs lie in a pack in the order they were added, so the same blobs make the same packs. What waits for a processor
or for the store is bounded: whoever adds faster than that waits.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import local
from types import TracebackType

import zstandard

from agent.backup.failures import StoreUnreachableError
from agent.backup.form.bounds import FRAME, LARGEST_FRAME, LARGEST_PACK_CONTENT, LEVEL, PACK, pack_name
from agent.backup.form.manifest import Pack
from agent.backup.form.members import BLOCK, END, header
from agent.backup.progress import Progress
from agent.backup.stores.contract import Store

COMPRESSORS = 2
MOST_FRAMES = 2 * COMPRESSORS + 2
"""Frames that are being compressed or wait for it."""
UPLOADS = 3
"""Packs that are being stored; each is held in memory until it is."""
FULLEST = LARGEST_PACK_CONTENT - LARGEST_FRAME - len(END)


class Packs:
    """The packs of one save; use it as a context, and `finish` it, or nothing is promised of what was added."""

    def __init__(self, store: Store, stem: str, progress: Progress) -> None:
        self._store = store
        self._stem = stem
        self._progress = progress
        self._compressing = ThreadPoolExecutor(COMPRESSORS, "compress")
        self._uploading = ThreadPoolExecutor(UPLOADS, "upload")
        self._compressors = local()
        self._members: list[bytes] = []
        self._ids: list[bytes] = []
        self._content = 0
        self._frames: deque[tuple[Future[bytes], list[bytes], int]] = deque()
        self._pack: list[bytes] = []
        self._pack_size = self._pack_content = self._number = 0
        self._holds_lists = False
        self._uploads: deque[Future[Pack]] = deque()
        self._added: set[bytes] = set()
        self.packs: list[Pack] = []
        self.blobs: dict[bytes, int] = {}
        """Which of `packs` holds a blob, by its place; complete once `finish` has returned."""

    def __enter__(self) -> "Packs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # A put may be waiting for a grant that nobody will bring to a save that has failed.
            self._progress.stop()
        self._compressing.shutdown(cancel_futures=True)
        self._uploading.shutdown(cancel_futures=True)

    def add(self, id_: bytes, content: bytes | memoryview) -> None:
        """Add a blob, unless it was added before as one of its kind; raises what the store raised meanwhile.

        The content is copied, so that its memory may be used again.
        """
        if id_ in self._added:
            return
        self._added.add(id_)
        self._ids.append(id_)
        self._members += (header(id_, len(content)), bytes(content), bytes(-len(content) % BLOCK))
        self._content += BLOCK + len(content) + -len(content) % BLOCK
        if self._content >= FRAME:
            self._close_frame()

    def turn_to_lists(self) -> None:
        """Have all that is added from here on lie in packs that hold lists."""
        self._close_pack_early()
        self._holds_lists = True
        self._added = set()

    def finish(self) -> None:
        """Return once every pack is stored; raises what the store raised."""
        self._close_pack_early()
        self._collect(0)

    def _close_frame(self) -> None:
        if not self._ids:
            return
        self._progress.step()
        future = self._compressing.submit(self._compress, self._members)
        self._frames.append((future, self._ids, self._content))
        self._members, self._ids, self._content = [], [], 0
        self._join(MOST_FRAMES)

    def _compress(self, members: Iterable[bytes]) -> bytes:
        # A compressor is not safe to share, and costs a megabyte to make.
        compressor = getattr(self._compressors, "own", None)
        if compressor is None:
            compressor = self._compressors.own = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        return compressor.compress(b"".join(members))

    def _join(self, most: int) -> None:
        """Move frames into packs, in their order, until at most `most` are still being compressed."""
        while self._frames and (len(self._frames) > most or self._frames[0][0].done()):
            future, ids, content = self._frames.popleft()
            frame = future.result()
            if self._pack_content > FULLEST:
                self._close_pack()
            self._pack.append(frame)
            self._pack_size += len(frame)
            self._pack_content += content
            for id_ in ids:
                self.blobs.setdefault(id_, self._number)
            if self._pack_size >= PACK:
                self._close_pack()

    def _close_pack_early(self) -> None:
        self._close_frame()
        self._join(0)
        if self._pack:
            self._close_pack()

    def _close_pack(self) -> None:
        self._collect(UPLOADS - 1)
        parts, content = [*self._pack, self._compress([END])], self._pack_content + len(END)
        name = pack_name(self._stem, self._number)
        self._uploads.append(self._uploading.submit(self._upload, name, parts, content, self._holds_lists))
        self._pack, self._pack_size, self._pack_content = [], 0, 0
        self._number += 1

    def _upload(self, name: str, parts: list[bytes], content: int, holds_lists: bool) -> Pack:
        whole = b"".join(parts)
        parts.clear()
        pack = Pack(name, len(whole), hashlib.sha256(whole).hexdigest(), content, holds_lists)
        try:
            self._store.put(name, whole)
        except OSError as error:  # told apart from a workspace that cannot be read
            raise StoreUnreachableError(f"a pack could not be stored: {error}") from error
        return pack

    def _collect(self, most: int) -> None:
        """Take note of stored packs, until at most `most` are still being stored."""
        while self._uploads and (len(self._uploads) > most or self._uploads[0].done()):
            pack = self._uploads.popleft().result()
            self.packs.append(pack)
            self._progress.stored_bytes += pack.size
