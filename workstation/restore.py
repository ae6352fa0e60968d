"""Restores a workstation's files from a copy of its backups: Python 3.8 or newer and the program `zstd`, nothing else.

The form of a backup is described in docs/backups.md. This program shares no code with what writes backups.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections import namedtuple
from contextlib import contextmanager

DESCRIPTION = """\
Restores a workstation's files from a directory that holds a copy of the objects of its bucket.

Copy the objects of one workstation, with everything below its prefix, and restore the newest backup:

  gcloud storage cp -r gs://BUCKET/PROJECT/WORKSTATION copy
  python3 restore.py copy files

Everything is checked by its sha256. TARGET is made, or must be empty, and stays so unless all was whole.
"""
EPILOG = """\
exit codes: 0 everything was restored, 1 it could not be (full, not empty, no program zstd), 2 wrong usage,
3 there is no such backup or it is damaged. The one before may be whole: --list names it, --backup takes it.
"""

STEM = r"(?P<epoch>\d{8})/(?P<sequence>\d{8})-[0-9a-f]{8}"
MANIFEST = re.compile(r"(?:(?P<prefix>.*)/)?(?P<name>" + STEM + r"\.manifest\.json\.zst)")
PACK = re.compile(STEM + r"-\d{4,5}\.tar\.zst")
STAGING = b".dormouse-staging-"
MOST_MANIFEST = 64 * 1024 * 1024
MOST_BLOB = 24 * 1024 * 1024
AT_ONCE = 1024 * 1024
MALFORMED = (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading something raises that is not as docs/backups.md says."""
Backup = namedtuple("Backup", "order root name")
"""A manifest by its name; `root` is the directory that the names of its packs are relative to."""


class Damaged(Exception):
    """The backup is not whole, or not there."""


def main():
    """Restores or lists; returns the exit code."""
    try:
        run(parser().parse_args())
        return 0
    except (Damaged, *MALFORMED) as problem:
        code, why = 3, problem if isinstance(problem, Damaged) else f"the backup is damaged: {problem!r}"
    except OSError as problem:
        code, why = 1, problem
    except KeyboardInterrupt:
        code, why = 130, "interrupted; nothing was restored"
    sys.stderr.write(f"restore.py: {why}\n")
    return code


def parser():
    """Returns the command line's reader."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("restore.py", None, DESCRIPTION, EPILOG, formatter_class=raw)
    add = parser.add_argument
    add("source", metavar="SOURCE", help="the directory with the copy of the objects")
    add("target", metavar="TARGET", nargs="?", help="where the files shall go: a new or an empty directory")
    add("--from", dest="prefix", metavar="PREFIX", help="the directory of one workstation within SOURCE")
    add("--backup", metavar="NAME", help="its name, or the beginning of it (default: the newest)")
    add("--sha256", metavar="DIGEST", help="what the sha256 of the manifest must be")
    add("--list", action="store_true", help="name the backups, the newest last, and end")
    return parser


def run(options):
    """Does what the command line says."""
    if shutil.which("zstd") is None:
        raise OSError("the program zstd is missing: apt-get install zstd, or brew install zstd")
    backups = backups_in(options.source, options.prefix)
    if options.list:
        show(backups)
    elif options.target is None:
        parser().error("say where the files shall go: TARGET")
    else:
        restore(chosen(backups, options.backup), options.sha256, os.fsencode(options.target))


def backups_in(source, prefix):
    """Returns the backups of one workstation, the newest last."""
    start = os.path.join(source, prefix or "")
    if not os.path.isdir(start):
        raise OSError(f"{start} is no directory")
    found = {}
    for directory, _, files in os.walk(start):
        for file in files:
            match = MANIFEST.fullmatch(os.path.relpath(os.path.join(directory, file), source))
            if match:
                root = match["prefix"] or "."
                order = (match["epoch"], match["sequence"], match["name"])
                found.setdefault(root, []).append(Backup(order, os.path.join(source, root), match["name"]))
    if not found:
        raise Damaged(f"there is no backup in {start}: no file EPOCH/SEQUENCE-ATTEMPT.manifest.json.zst")
    if len(found) > 1:
        raise OSError(f"there are several workstations; take one: --from {' | --from '.join(sorted(found))}")
    return sorted(found.popitem()[1])


def chosen(backups, part):
    """Returns the backup that was asked for."""
    fitting = [backup for backup in backups if backup.name.startswith(part or "")]
    if not fitting:
        raise Damaged(f"there is no backup named {part}; --list names those that are there")
    return fitting[-1]


def show(backups):
    """Prints the backups."""
    for backup in backups:
        try:
            document = manifest_of(backup, None)
            said = f"{document['written']}  {document['files']} files, {document['bytes']} bytes"
        except (Damaged, *MALFORMED) as problem:
            said = f"damaged: {problem}"
        sys.stdout.write(f"{backup.name}  {said}\n")


def restore(backup, sha256, target):
    """Restores a backup into an empty directory: all of it, or nothing."""
    os.makedirs(target, exist_ok=True)
    check_empty(target)
    for name in os.listdir(target):
        shutil.rmtree(os.path.join(target, name))  # of a restore that was killed
    document = manifest_of(backup, sha256)
    staging = os.path.join(target, STAGING + secrets.token_hex(8).encode())
    os.mkdir(staging, 0o700)
    try:
        entries = stage(backup, document, staging)
        check_empty(target)
        for name in os.listdir(staging):
            os.rename(os.path.join(staging, name), os.path.join(target, name))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    with opened(target) as root:
        # Last: a directory that may not be written to could not have been moved.
        finish(root, entries, "directory")
    sys.stdout.write(f"{backup.name}: {document['files']} files restored, every sha256 is right\n")


def check_empty(target):
    """Refuses to go on where there is anything but staging directories; also at the end, for it took a while."""
    if not all(name.startswith(STAGING) for name in os.listdir(target)):
        raise OSError(f"{os.fsdecode(target)} is not empty; nothing was restored over what is there")


def stage(backup, document, staging):
    """Writes everything below the staging directory; returns the entries by their path."""
    packs = document["packs"]
    lists = {}
    for pack in packs:
        if pack["holds"] == "lists":
            lists.update(blobs_of(backup, pack))
    entries = entries_of(document, lists)
    with opened(staging) as root:
        missing = make(root, entries)
        for pack in packs:
            if pack["holds"] == "files":
                for digest, content in blobs_of(backup, pack):
                    fill(root, missing.pop(digest, ()), content)
        if missing:
            raise Damaged(f"{len(missing)} pieces of files are in no pack, {min(missing)} among them")
        finish(root, entries, "file")
        # After all content: nothing has been written through a link.
        finish(root, entries, "link")
    return entries


def manifest_of(backup, sha256):
    """Returns the manifest, as the document that it is."""
    path = os.path.join(backup.root, backup.name)
    if sha256 and digest_of(path) != sha256.lower():
        raise Damaged(f"the manifest {backup.name} has another sha256 than the one given")
    with unpacked(path) as plain:
        text = plain.read(MOST_MANIFEST)
    document = json.loads(text.decode("utf-8", "surrogateescape"))
    if (document["format"], document["version"]) != ("dormouse-backup", 1):
        raise Damaged(f"the manifest {backup.name} is of another form than this program reads")
    return document


def blobs_of(backup, pack):
    """Yields (sha256, content) of everything in a pack, after the pack and then each of them was checked."""
    name = pack["name"]
    path = os.path.join(backup.root, name)
    if not (PACK.fullmatch(name) and os.path.isfile(path)):
        raise Damaged(f"the pack {name} is missing")
    if os.path.getsize(path) != pack["size"] or digest_of(path) != pack["sha256"]:
        raise Damaged(f"the pack {name} is damaged: its size or sha256 is not what the manifest says")
    with unpacked(path) as plain:
        # Not by tarfile, which reads a header of any length into memory.
        while (header := plain.read(512)).strip(b"\0"):
            digest, size = header[:64].decode("ascii"), int(header[124:135], 8)
            if header[156:157] != b"0" or size > MOST_BLOB:
                raise Damaged(f"the pack {name} holds something that is no blob")
            content = plain.read(size + -size % 512)[:size]
            if hashlib.sha256(content).hexdigest() != digest:
                raise Damaged(f"in the pack {name}, {digest} is damaged")
            yield digest, content


@contextmanager
def unpacked(path):
    """Opens what zstd makes of a file, which must be read to its end, or nearly."""
    command = [shutil.which("zstd"), "-dcq", "--", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
        try:
            yield process.stdout
            if len(process.stdout.read(AT_ONCE)) == AT_ONCE:
                raise Damaged(f"{path} holds more than it should")
            problem = process.stderr.read().decode(errors="replace").strip()
            if process.wait() != 0:
                raise Damaged(problem)
        finally:
            process.kill()


def digest_of(path):
    """Returns the sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def entries_of(document, lists):
    """Returns {path: entry} in the order of the lists, after everything in them was checked."""
    entries = {}
    for digest in document["lists"]:
        for line in lists[digest].splitlines():
            entry = json.loads(line)
            path = bytes_of(entry, "path")
            check_path(path, entries)
            entries[path] = checked(entry)
    if len(entries) != document["entries"]:
        raise Damaged(f"the lists hold {len(entries)} entries, the manifest says {document['entries']}")
    return entries


def check_path(path, entries):
    """Refuses whatever could lie outside of the target: a path goes through directories of the backup alone."""
    if any(name in (b"", b".", b"..") or b"\0" in name for name in path.split(b"/")):
        raise Damaged(f"a path leads out of the target: {path!r}")
    parent = path.rpartition(b"/")[0]
    if path in entries or (parent and entries.get(parent, {}).get("type") != "directory"):
        raise Damaged(f"a path is there twice, or not within a directory of the backup: {path!r}")


def checked(entry):
    """Returns an entry; that of a file with `pieces` as [[sha256, size], ...], however it was written."""
    if entry["type"] == "file":
        if "sha256" in entry:
            entry["pieces"] = [[entry["sha256"], entry["size"]]]
        if sum(size for _, size in entry.setdefault("pieces", [])) != entry["size"]:
            raise ValueError("the pieces of a file are not the file")
    elif entry["type"] == "link":
        entry["target"] = bytes_of(entry, "target")
    elif entry["type"] != "directory":
        raise ValueError(f"no file, directory or link: {entry['type']!r}")
    return entry


def bytes_of(entry, name):
    """Returns a text of an entry as the bytes that the file system has."""
    encoded = entry.get(f"{name}Base64")
    return entry[name].encode() if encoded is None else base64.b64decode(encoded, validate=True)


@contextmanager
def opened(path, parent=None):
    """Opens a directory for as long as it is needed."""
    descriptor = os.open(path, os.O_DIRECTORY | (0 if parent is None else os.O_NOFOLLOW), dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def within(root, path):
    """Opens the directory that a path is in, and yields it with the last name; no link is followed on the way."""
    first, _, rest = path.partition(b"/")
    if not rest:
        yield root, first
        return
    with opened(first, root) as inner, within(inner, rest) as found:
        yield found


def make(root, entries):
    """Makes every directory and file, ours alone until it is whole; returns {sha256: [(path, offset, size), ...]}."""
    missing = {}
    for path, entry in entries.items():
        with within(root, path) as (parent, name):
            if entry["type"] == "directory":
                os.mkdir(name, 0o700, dir_fd=parent)
            elif entry["type"] == "file":
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with open(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
                    file.truncate(entry["size"])
        offset = 0
        for digest, size in entry.get("pieces", ()):
            missing.setdefault(digest, []).append((path, offset, size))
            offset += size
    return missing


def fill(root, places, content):
    """Writes a piece wherever it belongs; one of zeros is there already, as a hole."""
    for path, offset, size in places:
        if len(content) != size:
            raise Damaged(f"a piece of {path!r} has another size than its list says")
        if not content.strip(b"\0"):
            continue
        with within(root, path) as (parent, name):
            descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=parent)
        with open(descriptor, "wb") as file:
            file.seek(offset)
            file.write(content)


def finish(root, entries, kind):
    """Makes every link, or gives every file or directory its mode; and its time, what is in a directory before it."""
    for path, entry in reversed(list(entries.items())):
        if entry["type"] == kind:
            with within(root, path) as (parent, name):
                if kind == "link":
                    os.symlink(entry["target"], name, dir_fd=parent)
                else:
                    os.chmod(name, entry["mode"] & 0o777, dir_fd=parent)
                os.utime(name, ns=(entry["mtime"], entry["mtime"]), dir_fd=parent, follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(main())
