"""What people and programs do to a workspace: every kind of change, at random, and the sly ones among them."""

import contextlib
import os
import shutil
import stat

LARGE = 1_100_000
MOST_BYTES = 24_000_000
NAMES = (b"a", b"b.py", b"\xff\xfe", "ü".encode(), b"new\nline", b" ", b"-rf", b"~", b"x" * 200, b"...c")


class Changes:
    """Changes one workspace; what it does follows from the numbers alone and from what is there."""

    def __init__(self, root, numbers):
        self._root, self._numbers = os.fsencode(root), numbers
        self._kinds = sorted(name for name in dir(self) if name.startswith("do_"))

    def furnish(self):
        """Make the first files: many small ones, which share packs, and a few that are cut into pieces."""
        for number in range(self._numbers.randrange(20, 120)):
            if number % 12 == 0:
                self.do_make_directory()
            self.do_create()
        for _ in range(2):
            self.do_create_large()

    def some(self, most):
        """Make up to so many changes; returns what was done."""
        done = []
        for _ in range(self._numbers.randint(0, most)):
            kind = self._numbers.choice(self._kinds)
            # Where there is nothing of the kind to change, or a mode forbids it, nothing happens.
            with contextlib.suppress(IndexError, PermissionError):
                getattr(self, kind)()
                done.append(kind.removeprefix("do_"))
        return done

    def do_create(self):
        size = self._numbers.choice((0, 1, 511, 512, 513, 4096, self._numbers.randrange(20_000)))
        self._write(self._new_path(), self._bytes(size))

    def do_create_large(self):
        if self._size() < MOST_BYTES:
            self._write(self._new_path(), self._bytes(self._numbers.randrange(LARGE, 4 * LARGE)))

    def do_create_sparse(self):
        if self._size() < MOST_BYTES:
            with open(self._new_path(), "wb") as file:
                file.seek(self._numbers.randrange(1, 12_000_000))
                file.write(self._bytes(self._numbers.randrange(3)))
                file.truncate(file.tell() + self._numbers.choice((0, 1, 5_000_000)))

    def do_make_directory(self):
        os.mkdir(self._new_path())

    def do_edit(self):
        path = self._file()
        with open(path, "r+b") as file:
            file.seek(self._numbers.randrange(os.path.getsize(path) + 1))
            file.write(self._bytes(self._numbers.randrange(1, 200)))

    def do_edit_and_set_the_time_back(self):
        """The size and the time are as before: only the change time tells."""
        path = self._file()
        before = os.stat(path)
        self._write(path, self._bytes(before.st_size if before.st_size < LARGE else 100))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def do_replace_by_one_of_the_same_size_and_time(self):
        path, draft = self._file(), self._new_path()
        before = os.stat(path)
        self._write(draft, self._bytes(min(before.st_size, LARGE)))
        os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.replace(draft, path)

    def do_append(self):
        with open(self._file(), "ab") as file:
            file.write(self._bytes(self._numbers.randrange(1, 3000)))

    def do_cut_short(self):
        path = self._file()
        os.truncate(path, self._numbers.randrange(os.path.getsize(path) + 1))

    def do_insert_in_a_large_file(self):
        path = self._numbers.choice([path for path in self._files() if os.path.getsize(path) > LARGE])
        with open(path, "rb") as file:
            content = file.read()
        at = self._numbers.randrange(len(content))
        self._write(path, content[:at] + self._bytes(self._numbers.randrange(1, 99)) + content[at:])

    def do_rename(self):
        path, target = self._anything(), self._new_path()
        if not target.startswith(path + b"/"):
            os.rename(path, target)

    def do_swap_two_files(self):
        one, other, between = self._file(), self._file(), self._new_path()
        os.rename(one, between)
        if one != other:
            os.rename(other, one)
        os.rename(between, other)

    def do_delete(self):
        path = self._anything()
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def do_copy(self):
        if self._size() < MOST_BYTES:
            shutil.copyfile(self._file(), self._new_path())

    def do_link_hard(self):
        os.link(self._file(), self._new_path())

    def do_change_mode(self):
        path = self._numbers.choice([*self._files(), *self._directories()[1:]])
        always = 0o500 if os.path.isdir(path) else 0o400
        os.chmod(path, always | self._numbers.randrange(0o1000))

    def do_link(self):
        target = self._numbers.choice((b"a", b"../b", b"/etc/passwd", b"nowhere", b".", b"\xff", b"t" * 4000))
        os.symlink(target, self._new_path())

    def do_turn_a_file_into_a_directory(self):
        path = self._file()
        os.unlink(path)
        os.mkdir(path)
        self._write(os.path.join(path, b"inside"), self._bytes(9))

    def do_turn_a_directory_into_a_file(self):
        path = self._numbers.choice(self._directories()[1:])
        shutil.rmtree(path)
        self._write(path, self._bytes(9))

    def do_turn_a_file_into_a_link(self):
        path = self._file()
        os.unlink(path)
        os.symlink(b"a", path)

    def do_touch(self):
        os.utime(self._anything(), follow_symlinks=False)

    def do_set_any_time(self):
        time = self._numbers.choice((0, 1, -1_500_000_001, self._numbers.randrange(2**60)))
        os.utime(self._anything(), ns=(time, time), follow_symlinks=False)

    def do_change_nothing_but_the_change_time(self):
        path = self._file()
        os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))

    def _new_path(self):
        directory = self._numbers.choice(self._directories())
        path = os.path.join(directory, self._numbers.choice(NAMES))
        while os.path.lexists(path):
            path += b"%d" % self._numbers.randrange(10)
            if len(os.path.basename(path)) > 255:
                path = os.path.join(directory, self._numbers.randbytes(6).hex().encode())
        return path

    def _file(self):
        return self._numbers.choice(self._files())

    def _files(self):
        return [path for path in self._all() if os.path.isfile(path) and not os.path.islink(path)]

    def _directories(self):
        found = [path for path in self._all() if os.path.isdir(path) and not os.path.islink(path)]
        return [self._root, *(path for path in found if path.count(b"/") - self._root.count(b"/") < 6)]

    def _anything(self):
        return self._numbers.choice(self._all())

    def _all(self):
        found = []
        for directory, directories, files in os.walk(self._root):
            directories.sort()
            found += [os.path.join(directory, name) for name in sorted(directories + files)]
        return found

    def _size(self):
        return sum(os.lstat(path).st_size for path in self._files())

    def _bytes(self, size):
        return bytes(size) if self._numbers.random() < 0.05 else self._numbers.randbytes(size)

    def _write(self, path, content):
        with open(path, "wb") as file:
            file.write(content)
