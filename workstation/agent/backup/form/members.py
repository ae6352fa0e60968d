"""How does a blob look within the tar of a pack? As a ustar member whose name is its sha256, the same for everyone.

Written by hand, because tarfile takes longer for a header than the rest of a save does for a small file.
"""

BLOCK = 512
END = bytes(2 * BLOCK)

_OWNER = b"0000400\0" + b"0000000\0" * 2
_TIME = b"\0" + b"00000000000\0"
_KIND = b"0" + bytes(100) + b"ustar\0" + b"00" + bytes(64) + b"0000000\0" * 2 + bytes(167)
_CONSTANT = sum(_OWNER) + sum(_TIME) + sum(_KIND) + 8 * ord(" ")


def header(id_: bytes, size: int) -> bytes:
    """Return the block before the content of a blob; its padding to whole blocks is the caller's."""
    name = id_.hex().encode()
    length = b"%011o" % size
    checksum = b"%06o\0 " % (_CONSTANT + sum(name) + sum(length))
    return b"".join((name, bytes(36), _OWNER, length, _TIME, checksum, _KIND))
