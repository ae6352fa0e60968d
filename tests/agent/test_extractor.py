"""No archive, however hostile, touches anything outside the directory that it is extracted into."""

import io
import os
import random
import shutil
import tarfile

import pytest
from agent.backup.failures import ArchiveRefusedError, DoesNotFitError
from agent.workspace.extract import Extractor, Limits

SEED = 20_260
ARCHIVES = 4_000
SECRET = b"must never change"


def member(name, kind=tarfile.REGTYPE, content=b"", target="", mode=0o644, **fields):
    """Return one tar member, which may be as odd as a header can express."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, target, mode, len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape") + content + bytes(-len(content) % 512)


def archive(*members):
    return b"".join(members) + bytes(1024)


@pytest.fixture
def place(tmp_path):
    """A target beside which there is something to protect."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(SECRET)
    (tmp_path / "target").mkdir()
    return tmp_path


def extract(place, data, limits=None):
    """Extract into the target; return the extractor."""
    descriptor = os.open(place / "target", os.O_RDONLY)
    try:
        extractor = Extractor(descriptor, limits or Limits())
        extractor.run(io.BytesIO(data))
        extractor.finish()
        return extractor
    finally:
        os.close(descriptor)


def untouched(place):
    """Tell whether everything outside the target is as it was."""
    outside = place / "outside"
    names = sorted(os.listdir(place)), os.listdir(outside)
    status = (outside / "secret").stat()
    return names == (["outside", "target"], ["secret"]) and (
        (outside / "secret").read_bytes(),
        status.st_nlink,
        status.st_mode & 0o7777,
    ) == (SECRET, 1, 0o644)


HOSTILE = {
    "absolute": [member("/outside/secret", content=b"x")],
    "parent": [member("../outside/secret", content=b"x")],
    "parent in the middle": [member("a/../../outside/secret", content=b"x")],
    "dot": [member("./a", content=b"x")],
    "empty": [member("", content=b"x")],
    "file through link": [
        member("l", tarfile.SYMTYPE, target="../outside"),
        member("l/secret", content=b"x"),
    ],
    "directory through link": [
        member("l", tarfile.SYMTYPE, target="../outside"),
        member("l/new", tarfile.DIRTYPE),
    ],
    "link through link": [
        member("l", tarfile.SYMTYPE, target="../outside"),
        member("l/m", tarfile.SYMTYPE, target="x"),
    ],
    "link over file": [member("f", content=b"x"), member("f", tarfile.SYMTYPE, target="../outside/secret")],
    "file under file": [member("f", content=b"x"), member("f/g", content=b"x")],
    "directory over file": [member("f", content=b"x"), member("f", tarfile.DIRTYPE)],
    "hard link": [member("h", tarfile.LNKTYPE, target="../outside/secret")],
    "character device": [member("d", tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "block device": [member("d", tarfile.BLKTYPE)],
    "fifo": [member("p", tarfile.FIFOTYPE)],
    "sparse": [member("s", tarfile.GNUTYPE_SPARSE)],
    "global header": [member("g", tarfile.XGLTYPE)],
    "gnu long name": [member("././@LongLink", tarfile.GNUTYPE_LONGNAME, content=b"../outside/secret\0")],
    "size on a directory": [member("d", tarfile.DIRTYPE, content=b"x" * 600)],
    "path in extended header": [member("a", content=b"x", pax_headers={"path": "../outside/secret"})],
    "negative size": [member("a", content=b"", pax_headers={"size": "-1"})],
    "huge size": [member("a", content=b"", pax_headers={"size": "9" * 30})],
    "lying size": [member("a", content=b"x", pax_headers={"size": "999999"})],
    "odd time": [member("a", content=b"x", pax_headers={"mtime": "nan"})],
    "long name": [member("x" * 300, content=b"x")],
    "deep": [member("/".join("d" * 200), tarfile.DIRTYPE)],
    "long path": [member("/".join(["x" * 250] * 20), content=b"x")],
    "link without target": [member("l", tarfile.SYMTYPE, target="")],
    "link with a long target": [member("l", tarfile.SYMTYPE, target="x" * 5000)],
    "extended header twice": [member("a", pax_headers={"path": "b"})[:1024] * 2 + member("a")],
    "extended header that is huge": [member("p", b"x", content=b"9 a=b\n" * 20_000)],
    "extended header that is damaged": [member("p", b"x", content=b"99 path=../x\n")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(place, name):
    with pytest.raises(ArchiveRefusedError):
        extract(place, archive(*HOSTILE[name]))

    assert untouched(place)


def test_the_long_path_chain_that_fooled_the_standard_library_is_harmless(place):
    """Nested links that expand beyond PATH_MAX made `realpath` give up and a later member escape (CVE-2025-4517)."""
    members, path = [], ""
    for letter in "abcdefghijklmnop":
        members.append(member(f"{path}{'d' * 247}", tarfile.DIRTYPE))
        members.append(member(f"{path}{letter}", tarfile.SYMTYPE, target="d" * 247))
        path += f"{letter}/"
    link = "/".join("abcdefghijklmnop") + "/" + "l" * 254
    members.append(member(link, tarfile.SYMTYPE, target="../" * 16))
    members.append(member("escape", tarfile.SYMTYPE, target=f"{link}/../outside"))
    members.append(member("escape/secret", content=b"escaped"))

    with pytest.raises(ArchiveRefusedError):
        extract(place, archive(*members))

    assert untouched(place)


def test_a_link_may_point_outside_but_nothing_is_written_through_it(place):
    members = [
        member("python", tarfile.SYMTYPE, target=str(place / "outside" / "secret")),
        member("a", content=b"x"),
    ]

    extract(place, archive(*members))

    assert os.readlink(place / "target" / "python") == str(place / "outside" / "secret")
    assert untouched(place)


def test_special_mode_bits_never_come_out(place):
    extract(place, archive(member("f", content=b"x", mode=0o7777), member("d", tarfile.DIRTYPE, mode=0o7777)))

    assert {(place / "target" / name).stat().st_mode & 0o7777 for name in "fd"} == {0o777}


def test_of_two_readings_of_a_file_the_later_one_counts(place):
    extractor = extract(place, archive(member("f", content=b"first"), member("f", content=b"later")))

    assert ((place / "target" / "f").read_bytes(), extractor.files) == (b"later", 1)


def test_members_and_bytes_are_capped(place):
    many = archive(*(member(f"f{number}") for number in range(11)))
    with pytest.raises(ArchiveRefusedError, match="more than 10 members"):
        extract(place, many, Limits(members=10))
    with pytest.raises(ArchiveRefusedError, match="more than 10 bytes"):
        extract(place, archive(member("a", content=b"x" * 11)), Limits(total_bytes=10))
    assert not (place / "target" / "a").exists()


def test_more_than_the_volume_holds_is_not_called_damaged(place):
    with pytest.raises(
        DoesNotFitError, match="need 3 MiB or more, and the workspace holds 2 MiB; take a larger"
    ):
        extract(place, archive(member("a", content=bytes(2**21 + 1))), Limits(room=2**21))


def hostile_member(numbers):
    """Return a member made of what has broken extractors before."""
    pieces = [
        "a",
        "b",
        "..",
        ".",
        "",
        "outside",
        "secret",
        "l",
        "x" * 255,
        "x" * 256,
        "\udcff",
        "é",
        "a\n",
        "/",
    ]
    path = "/".join(numbers.choices(pieces, k=numbers.randint(1, 6)))
    target = "/".join(numbers.choices([*pieces, ".."], k=numbers.randint(1, 8)))
    kinds = (
        [tarfile.REGTYPE] * 4
        + [tarfile.DIRTYPE] * 2
        + [tarfile.SYMTYPE] * 4
        + [tarfile.LNKTYPE, b"x", b"g", b"L", b"7"]
    )
    content = numbers.randbytes(numbers.choice([0, 0, 1, 600])) if numbers.random() < 0.7 else b""
    extended = {}
    if numbers.random() < 0.2:
        extended[numbers.choice(["path", "linkpath", "size", "mtime"])] = numbers.choice(
            [path, target, "-1", "1e9", "x"]
        )
    return member(
        path[:400],
        numbers.choice(kinds),
        content,
        target[:400],
        numbers.randrange(0o10000),
        pax_headers=extended,
    )


def damaged(numbers, data):
    """Return the bytes with a few of them changed, cut or repeated."""
    data = bytearray(data)
    for _ in range(numbers.choice([0, 0, 0, 1, 3])):
        data[numbers.randrange(len(data))] = numbers.randrange(256)
    if numbers.random() < 0.1:
        del data[numbers.randrange(len(data)) :]
    return bytes(data)


def test_thousands_of_hostile_archives_touch_nothing_outside(place):
    """Seeded, so that a failure names the archive that caused it."""
    extracted = 0
    for seed in range(SEED, SEED + ARCHIVES):
        numbers = random.Random(seed)
        data = damaged(numbers, archive(*(hostile_member(numbers) for _ in range(numbers.randint(1, 5)))))
        try:
            extract(place, data, Limits(total_bytes=100_000))
            extracted += 1
        except ArchiveRefusedError:
            pass
        assert untouched(place), f"seed {seed} escaped"
        for entry in os.scandir(place / "target"):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)

    assert 20 < extracted < ARCHIVES
