"""However often a workspace is saved, its backup has few packs, little garbage in them, and everything in it."""

import hashlib
import random
from datetime import UTC, datetime

from agent.backup.form.bounds import PACK
from agent.backup.form.entry import Entry, Piece
from agent.backup.form.manifest import Manifest, Pack
from agent.backup.index import Facts, Index, Known
from agent.backup.saving.consolidate import MOST_REWRITTEN, MOST_SMALL, retire

from tests.agent.backup.keeping import blobs, contents, manifest, save_into


def index(*packs):
    """Return an index of packs, each given as (object's size, [sizes of needed blobs], size of its garbage)."""
    made, paths, held = [], {}, {}
    for place, (size, needed, garbage) in enumerate(packs):
        content = sum(512 + length + -length % 512 for length in needed) + garbage + 1024
        made.append(Pack(f"00000001/00000001-0123abcd-{place:04d}.tar.zst", size, "0" * 64, content, False))
        for number, length in enumerate(needed):
            path = b"%d-%d" % (place, number)
            piece = Piece(hashlib.sha256(path).digest(), length)
            entry = Entry(path, "file", 0o644, 0, length, (piece,))
            paths[path] = Known(Facts(0, 0, length, 0, 0), entry, True)
            held[piece.id] = place
    return Index(Manifest(tuple(made), (), len(paths), len(paths), 0, datetime.now(UTC)), paths, held)


def test_a_pack_that_is_half_needed_is_kept_and_one_that_is_not_is_retired():
    assert retire(index((PACK, [1024] * 10, 0))) == frozenset()
    assert retire(index((PACK, [1024] * 10, 15_000))) == frozenset()
    assert retire(index((PACK, [1024] * 10, 16_000), (PACK, [1024] * 10, 0))) == {0}


def test_small_packs_are_joined_once_there_are_many_but_not_with_what_is_larger_than_all_of_them():
    small = (10_000, [1024], 0)
    assert retire(index(*[small] * MOST_SMALL)) == frozenset()
    assert retire(index((PACK, [1024], 0), *[small] * (MOST_SMALL + 1))) == set(range(1, MOST_SMALL + 2))
    assert 0 not in retire(index((2_000_000, [1024], 0), *[small] * (MOST_SMALL + 1)))


def test_one_save_retires_only_so_much():
    garbage = (PACK, [PACK], 20 * PACK)

    retired = retire(index(*[garbage] * 100))

    assert MOST_REWRITTEN / PACK <= len(retired) <= MOST_REWRITTEN / PACK + 2


def test_after_many_small_saves_there_are_few_packs_and_nothing_is_lost_or_twice(root, keeping):
    numbers = random.Random(1)
    for number in range(200):
        (root / f"{number:03}").write_bytes(numbers.randbytes(2000))
    saved = save_into(keeping, root)
    most = 0
    for round_ in range(120):
        (root / f"{numbers.randrange(200):03}").write_bytes(numbers.randbytes(2000))
        (root / f"new{round_}").write_bytes(numbers.randbytes(500))
        saved = save_into(keeping, root, saved)
        most = max(most, len(saved.index.manifest.packs))

    assert most <= 2 * (MOST_SMALL + 2)
    assert contents(keeping, saved) == {path.name: path.read_bytes() for path in root.iterdir()}
    assert set(saved.index.blobs) >= {bytes.fromhex(name) for name in blobs(keeping, saved, "files")}


def test_garbage_is_left_behind_and_what_is_needed_beside_it_is_stored_anew(root, keeping):
    numbers = random.Random(2)
    for number in range(100):
        (root / f"{number:03}").write_bytes(numbers.randbytes(50_000))
    first = save_into(keeping, root)
    for number in range(70):
        (root / f"{number:03}").write_bytes(numbers.randbytes(50_000))
    second = save_into(keeping, root, first)
    (root / "000").write_bytes(b"something new")
    third = save_into(keeping, root, second)

    names = {pack["name"] for pack in manifest(keeping, third)["packs"]}
    assert first.packs[0].name in {pack["name"] for pack in manifest(keeping, second)["packs"]}
    assert first.packs[0].name not in names
    assert contents(keeping, third) == {path.name: path.read_bytes() for path in root.iterdir()}


def test_a_pack_of_which_nothing_is_needed_costs_nothing_to_leave_behind(root, keeping):
    (root / "old").write_bytes(random.Random(3).randbytes(1_000_000))
    first = save_into(keeping, root)
    (root / "old").unlink()
    (root / "new").write_text("x")

    second = save_into(keeping, root, first)

    assert second.stored_bytes < 10_000
    assert {pack.name for pack in first.packs}.isdisjoint(
        pack["name"] for pack in manifest(keeping, second)["packs"]
    )


def test_what_was_thrown_away_and_comes_back_is_found_where_it_still_lies(root, keeping):
    content = random.Random(4).randbytes(1_000_000)
    (root / "other").write_bytes(random.Random(5).randbytes(1_200_000))
    (root / "file").write_bytes(content)
    first = save_into(keeping, root)
    (root / "file").write_text("x")
    second = save_into(keeping, root, first)
    (root / "file").write_bytes(content)

    third = save_into(keeping, root, second)

    assert third.stored_bytes < 10_000
    assert contents(keeping, third)["file"] == content
