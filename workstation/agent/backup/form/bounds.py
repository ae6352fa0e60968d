"""What form does a backup have in the store? The names and bounds that writer, reader and restore script agree on.

One save writes objects whose names begin with one stem, `{epoch}/{sequence}-{attempt}`:

    {stem}-{number}.tar.zst     a pack: zstd frames that join to one tar, whose members are blobs named by their sha256
    {stem}.manifest.json.zst    the manifest, written last: which packs, and which lists of entries

A blob is a piece of a file, or a list of entries. No pack holds a blob that an earlier one in its manifest holds.
"""

import re

VERSION = 1

SMALLEST_PIECE = 256 * 1024
AVERAGE_PIECE = 1024 * 1024
LARGEST_PIECE = 4 * 1024 * 1024
"""A file above the average is cut by its content, so that a small change adds a piece or two."""

FRAME = 1024 * 1024
"""A frame is closed once it holds this much: many small files are compressed together, and it fits in memory."""
LARGEST_BLOB = 24 * 1024 * 1024
"""The list of one file of MOST_BYTES in the smallest of pieces, some 77 bytes each, has to fit."""
LARGEST_FRAME = FRAME + LARGEST_BLOB + 64 * 1024
PACK = 16 * 1024 * 1024
"""A pack is closed once it is this large, so that an upload that breaks off is repeated from memory."""
LARGEST_PACK = 48 * 1024 * 1024
LARGEST_PACK_CONTENT = 256 * 1024 * 1024
LARGEST_MANIFEST = 16 * 1024 * 1024

MOST_PACKS = 40_000
"""As many as there can be while each of some size is needed by half: 64 GiB in packs of 2 MiB, and new ones."""
MOST_ENTRIES = 2_000_000
MOST_BYTES = 64 * 1024**3

LEVEL = 3
LARGEST_WINDOW = 8 * 1024 * 1024
"""Level 3 never needs more than 2 MiB; a frame that asks for more wants our memory."""

STEM = re.compile(r"\d{8}/\d{8}-[0-9a-f]{8}")
PACK_NAME = re.compile(rf"{STEM.pattern}-\d{{4,5}}\.tar\.zst")
MANIFEST_NAME = re.compile(rf"{STEM.pattern}\.manifest\.json\.zst")


def stem(epoch: int, sequence: int, attempt: str) -> str:
    """Return the beginning of the names of one save; `attempt` is 8 random hexadecimal digits."""
    return f"{epoch:08d}/{sequence:08d}-{attempt}"


def pack_name(of: str, number: int) -> str:
    """Return the name of the n-th pack of a save."""
    return f"{of}-{number:04d}.tar.zst"


def manifest_name(of: str) -> str:
    """Return the name of the manifest of a save."""
    return f"{of}.manifest.json.zst"
