"""A small change makes few new lists, wherever in the workspace it is."""

import hashlib
import random
import runpy

from agent.backup.form.bounds import LARGEST_BLOB, MOST_BYTES, SMALLEST_PIECE
from agent.backup.form.entry import Entry, Piece, decode_entry
from agent.backup.progress import Progress
from agent.backup.restoring.unpacking import split, unpack
from agent.backup.saving.lists import HEAVIEST, MOST, cut_lists, encode_lists
from agent.backup.saving.packing import Packs
from agent.backup.walk import LONGEST_PATH

SCRIPT = runpy.run_path("workstation/restore.py")

ENTRIES = [
    Entry(b"%03d/%04d" % divmod(number, 50), "file", 0o644, number, 1, (Piece(bytes(32), 1),))
    for number in range(20_000)
]


def test_joined_the_lists_are_the_entries():
    groups = list(cut_lists(ENTRIES))

    assert [entry for group in groups for entry in group] == ENTRIES
    assert all(1 <= len(group) <= MOST for group in groups)
    assert 40 <= len(ENTRIES) / len(groups) <= 64
    content = b"".join(content for group in groups for content in encode_lists(group))
    assert [decode_entry(line) for line in content.splitlines()] == ENTRIES


def test_one_entry_more_or_less_makes_few_new_lists():
    numbers = random.Random(1)
    known = set(cut_lists(ENTRIES))
    new = []
    for _ in range(50):
        at = numbers.randrange(len(ENTRIES))
        more = [*ENTRIES[:at], Entry(ENTRIES[at].path + b"!", "file", 0o644, 1), *ENTRIES[at:]]
        less = ENTRIES[:at] + ENTRIES[at + 1 :]
        new += [len(set(cut_lists(entries)) - known) for entries in (more, less)]

    assert sum(new) / len(new) < 2
    assert max(new) < 12


def test_an_entry_that_changes_makes_one_new_list():
    known = set(cut_lists(ENTRIES))
    changed = list(ENTRIES)
    changed[7777] = Entry(changed[7777].path, "file", 0o600, 1)

    assert len(set(cut_lists(changed)) - known) == 1


def test_paths_that_never_say_where_to_cut_are_cut_all_the_same():
    entries = [Entry(b"the same", "directory", 0o755, 0)] * 2000

    assert max(map(len, cut_lists(entries))) <= MOST


def test_no_list_is_larger_than_a_blob_may_be():
    pieces = tuple(Piece(bytes(32), 1) for _ in range(4_000))
    entries = tuple(Entry(b"\1" * 4000, "file", 0o644, 0, 4_000, pieces) for _ in range(30))

    lists = list(encode_lists(entries))

    assert max(map(len, lists)) <= HEAVIEST < LARGEST_BLOB
    assert sum(content.count(b"\n") for content in lists) == 30


def test_the_list_of_the_largest_file_in_the_smallest_pieces_can_be_read_again(keeping):
    """A content that repeats itself may be cut into nothing but the smallest."""
    pieces = (Piece(bytes([255]) * 32, SMALLEST_PIECE),) * (MOST_BYTES // SMALLEST_PIECE)
    entry = Entry(b"\1" * LONGEST_PATH, "file", 0o644, 0, MOST_BYTES, pieces)
    [content] = encode_lists([entry])
    with Packs(keeping, "00000001/00000001-0123abcd", Progress()) as packs:
        packs.turn_to_lists()
        packs.add(hashlib.sha256(content).digest(), content)
        packs.finish()

    [[pack]] = [packs.packs]
    found = [
        blob
        for frame in split(memoryview(keeping.objects[pack.name]), pack.content)
        for blob in unpack(frame)
    ]

    assert [blob.content for blob in found] == [content]
    assert len(content) <= SCRIPT["MOST_BLOB"] == LARGEST_BLOB
