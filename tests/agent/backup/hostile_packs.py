"""Packs that lie: members, frames and packs that no writer of ours makes, each by the name of its lie."""

import zstandard
from agent.backup.form.bounds import LARGEST_BLOB, LARGEST_FRAME

from tests.agent.backup.oracle import END, frame, member, sha256, tar_header

A, B = b"a" * 700, b"b" * 512
SKIPPABLE = b"\x50\x2a\x4d\x18" + (8).to_bytes(4, "little") + b"whatever"


def plain(*members):
    """Return a pack of one frame with these members, and how long its tar is."""
    whole = b"".join(members)
    return [frame(whole), frame(END)], len(whole) + len(END)


MEMBERS = {
    "another content": member(B, sha256(A)),
    "a name that is no hash": member(A, "../outside/secret"),
    "a name in capitals": member(A, sha256(A).upper()),
    "a longer name": member(A, sha256(A) + "/x"),
    "a prefix": member(A, prefix=b"../outside"),
    "another mode": member(A, mode=0o777),
    "an owner": member(A, uid=1),
    "a time": member(A, mtime=1),
    "a wrong checksum": member(A, checksum=1),
    "padding that says something": member(A, padding=b"x" * 324),
    "an old kind": member(A, kind=b"\0"),
    "a hard link": member(A, kind=b"1", target=b"../outside/secret"),
    "a symbolic link": member(A, kind=b"2", target=b"../outside/secret"),
    "a character device": member(A, kind=b"3"),
    "a block device": member(A, kind=b"4"),
    "a directory": member(A, kind=b"5"),
    "a fifo": member(A, kind=b"6"),
    "a contiguous file": member(A, kind=b"7"),
    "an extended header": member(b"30 path=../../outside/secret\n", kind=b"x") + member(A),
    "a global header": member(b"30 path=../../outside/secret\n", kind=b"g") + member(A),
    "a GNU long name": member(b"../outside\0", "././@LongLink", kind=b"L") + member(A),
    "a GNU sparse file": member(A, kind=b"S"),
    "the magic of GNU": member(A, magic=b"ustar  \0"),
    "no content": member(b""),
    "a size that is too small": member(A, size=512),
    "a size that is too large": member(A, size=2048),
    "a size beyond all bounds": tar_header(sha256(A), LARGEST_BLOB + 1),
    "a size in base 256": member(A, size=b"\x80" + bytes(10) + b"\x09"),
    "a negative size": member(A, size=b"-0000000700\0"),
    "a size with an underscore": member(A, size=b"0000_001274\0"),
    "a size that is no number": member(A, size=bytes(12)),
    "a header that breaks off": member(A) + tar_header(sha256(B), len(B))[:100],
    "a content that breaks off": member(A)[:-600],
    "padding that is missing": member(A, padding=b""),
    "the end of the tar, before its end": member(A) + END + member(B),
    "bytes between two members": member(A) + b"x" * 512 + member(B),
}


def changed(data, at, value):
    return data[:at] + bytes([value]) + data[at + 1 :]


GOOD = member(A) + member(B)
LENGTH = len(GOOD) + len(END)
WHOLE = frame(GOOD)
PACKS = {
    "nothing": ([], 0),
    "nothing, though something was promised": ([], LENGTH),
    "no end": ([WHOLE], len(GOOD)),
    "an end that says something": ([WHOLE, frame(b"x" * 1024)], LENGTH),
    "an end that is too long": ([WHOLE, frame(bytes(1536))], LENGTH + 512),
    "an end twice": ([WHOLE, frame(END), frame(END)], LENGTH + len(END)),
    "more than promised": ([WHOLE, frame(END)], LENGTH - 512),
    "less than promised": ([WHOLE, frame(END)], LENGTH + 512),
    "bytes after the end": ([WHOLE, frame(END), b"x"], LENGTH),
    "zeros after the end": ([WHOLE, frame(END), bytes(512)], LENGTH),
    "a skippable frame first": ([SKIPPABLE, WHOLE, frame(END)], LENGTH),
    "a skippable frame last": ([WHOLE, frame(END), SKIPPABLE], LENGTH),
    "an empty frame": ([WHOLE, frame(b""), frame(END)], LENGTH),
    "thousands of empty frames": ([WHOLE, *[frame(b"")] * 5_000, frame(END)], LENGTH),
    "a frame that breaks off": ([WHOLE[:-6], frame(END)], LENGTH),
    "a pack that breaks off": ([WHOLE, frame(END)[:-1]], LENGTH),
    "a pack that breaks off in a header": ([WHOLE, frame(END)[:7]], LENGTH),
    "no size": ([frame(GOOD, write_content_size=False), frame(END)], LENGTH),
    "no checksum": ([frame(GOOD, write_checksum=False), frame(END)], LENGTH),
    "a wrong checksum": ([changed(WHOLE, len(WHOLE) - 1, WHOLE[-1] ^ 1), frame(END)], LENGTH),
    "a dictionary": (
        [
            frame(GOOD, dict_data=zstandard.ZstdCompressionDict(b"\x37\xa4\x30\xec" + bytes(4) + A * 9, 1)),
            b"",
        ],
        LENGTH,
    ),
    "a member over two frames": ([frame(GOOD[:600]), frame(GOOD[600:]), frame(END)], LENGTH),
    "gzip": ([b"\x1f\x8b" + WHOLE[2:], frame(END)], LENGTH),
    "an old zstd": ([b"\x27" + WHOLE[1:], frame(END)], LENGTH),
    "a reserved block": ([changed(WHOLE, 7, WHOLE[7] | 6), frame(END)], LENGTH),
}


def raw_frame(descriptor, size, *blocks, window=None):
    """Return a frame by the bytes: its descriptor, 8 bytes of size, and (kind, size, content) of its blocks."""
    parts = [b"\x28\xb5\x2f\xfd", bytes([descriptor]), window or b"", size.to_bytes(8, "little")]
    for number, (kind, length, content) in enumerate(blocks):
        is_last = number == len(blocks) - 1
        parts.append((length << 3 | kind << 1 | is_last).to_bytes(3, "little") + content)
    return b"".join(parts) + bytes(4)


ZEROS = (1, 128 * 1024, b"\0")
SINGLE, WINDOWED = 0xE4, 0xC4
BOMBS = {
    "more than it says": raw_frame(SINGLE, 1024, *[ZEROS] * 150),
    "far more than it says": raw_frame(SINGLE, 1024, *[ZEROS] * 32_768),
    "more than it says, with a window": raw_frame(WINDOWED, 1024, *[ZEROS] * 150, window=b"\x38"),
    "4 GiB": raw_frame(SINGLE, 2**32, *[ZEROS] * 32_768),
    "a window of 2 GiB": raw_frame(WINDOWED, 1024, ZEROS, window=b"\xa8"),
    "the largest window": raw_frame(WINDOWED, 1024, ZEROS, window=b"\xff"),
    "a size beyond ours": raw_frame(SINGLE, LARGEST_FRAME + 1, ZEROS),
    "the largest size": raw_frame(SINGLE, 2**64 - 1, ZEROS),
    "the size that means none": raw_frame(SINGLE, 2**64 - 2, ZEROS),
    "less than it says": raw_frame(SINGLE, LARGEST_FRAME, (0, 0, b"")),
    "a million empty blocks": raw_frame(SINGLE, 1024, *[(0, 0, b"")] * 1_000_000),
}
