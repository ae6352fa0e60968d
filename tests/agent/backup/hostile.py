"""Backups that lie, made at random from what has broken readers of archives before: the same numbers, the same backup.

A sound backup is told one to three lies, each at one level; what lies above it is worked out from the lie, so that
no hash gives it away.
"""

import json
from functools import cache

from tests.agent.backup.hostile_packs import BOMBS, LENGTH, MEMBERS, PACKS, plain
from tests.agent.backup.oracle import (
    END,
    STEM,
    Pack,
    directory,
    file,
    frame,
    line,
    link,
    manifest,
    pack,
    sha256,
    store_of,
)

CONTENTS = [b"alpha", b"beta" * 300, bytes(5000), b"../outside/secret"]
NAMES = [
    *("a", "b", "c", "..", ".", "", "outside", "secret", "l", "x" * 255, "x" * 256, "é", "a\n", "a\0b", "/"),
    *("\udcff", ".dormouse-staging-1", ".dormouse-upload-1", "A", "~", "-rf", "a\\b", "d" * 4096, "e\u0301"),
]
TARGETS = [
    "..",
    "../outside",
    "../outside/secret",
    "/",
    "a",
    "l",
    ".",
    "x" * 4096,
    "",
    "a\0b",
    "/proc/self/root",
]
VALUES = [
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        1.5,
        "",
        "x",
        "../outside",
        "0",
        [],
        {},
        [[]],
        [{}],
        {"a": 1},
        0o7777,
        511,
    ),
    *(2**31, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**70), 10**400, 1e308, float("nan"), float("inf")),
    *("\ud800", "\0", "é", "a" * 64, "A" * 64, "0" * 63, " " + "0" * 64, sha256(b"nowhere"), 64 * 1024**3),
]
RAW = [
    *(
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"path":\n',
        b"\xff\n",
        b"NaN\n",
        b"1" * 5000 + b"\n",
        b"[" * 9000 + b"\n",
    ),
    *(b'{"a":' * 9000 + b"\n", b'{"path":"a","path":"../b","type":"file","mode":420,"mtime":1,"size":0}\n'),
    *(
        b'{"pathBase64":"Li4vYQ==","type":"file","mode":420,"mtime":1,"size":0}\n',
        b'"' + b"x" * 9000 + b'"\n',
    ),
]


RARELY = 0.003
"""Lies that take the generator longer than the reader."""


class Lies:
    """One backup in the making: its parts, which lies replace."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.entries = [
            directory("a", mtime=numbers.choice([0, -1, 10**18])),
            file("a/f", CONTENTS[0]),
            link("a/l", numbers.choice(TARGETS[:6])),
            directory("b", mode=numbers.choice([0o755, 0o500, 0])),
            directory("b/c"),
            file("b/c/g", *CONTENTS[1:3]),
            link("b/l", "../../outside"),
            file("c", *[CONTENTS[2]] * 3),
            file("d", CONTENTS[3]),
        ]
        self.lists = None
        self.packs = [pack(CONTENTS[:2]), pack(CONTENTS[2:])]
        self.list_packs = None
        self.told = {}
        self.document = None

    def store(self):
        """Return (store, sha256 of the manifest)."""
        told = self.numbers.choices(_kinds("lie_"), k=self.numbers.choice([1, 1, 2, 3]))
        if self.numbers.random() < RARELY:
            told.append(self.numbers.choice(_kinds("rare_")))
        # From the bottom up, as a level is worked out from those below it.
        for level in ("entry", "list", "pack", "manifest"):
            self._raise_to(level)
            for kind in told:
                if kind.partition("_")[2].startswith(level):
                    getattr(self, kind)()
        return store_of([*self.packs, *self.list_packs], self.document)

    def _raise_to(self, level):
        if level == "list":
            lines = [line(one) for one in self.entries]
            cut = self.numbers.choice([2, 4, 100])
            self.lists = [b"".join(lines[at : at + cut]) for at in range(0, len(lines), cut)]
        elif level == "pack":
            self.list_packs = [pack(self.lists, lists=True)]
        elif level == "manifest":
            self.document = manifest([*self.packs, *self.list_packs], self.lists, self.entries, **self.told)

    def _path(self):
        return "/".join(self.numbers.choices(NAMES, k=self.numbers.randint(1, 5)))

    def _insert(self, entry):
        self.entries.insert(self.numbers.randrange(len(self.entries) + 1), entry)
        if self.numbers.random() < 0.7:
            self.entries.sort(key=lambda one: one["path"].split("/") if isinstance(one, dict) else [])

    def lie_entry_of_an_odd_path(self):
        path = self._path().encode("utf-8", "surrogateescape")
        kind = self.numbers.randrange(3)
        if kind == 0:
            entry = file("x", self.numbers.choice(CONTENTS))
        elif kind == 1:
            entry = directory("x")
        else:
            entry = link("x", self.numbers.choice(TARGETS))
        entry["path"] = path.decode("utf-8", "replace")
        self._insert(entry)

    def lie_entry_beneath_another(self):
        above = self.numbers.choice([one for one in self.entries if isinstance(one, dict)])
        self._insert(
            file(f"{above['path']}/{self.numbers.choice(['secret', 'x'])}", self.numbers.choice(CONTENTS))
        )

    def lie_entry_that_is_a_link_where_a_directory_was(self):
        for number, one in enumerate(self.entries):
            if isinstance(one, dict) and one.get("type") == "directory" and self.numbers.random() < 0.5:
                self.entries[number] = link(one["path"], self.numbers.choice(TARGETS))

    def lie_entry_order(self):
        self.numbers.shuffle(self.entries)

    def lie_entry_twice(self):
        one = self.numbers.choice(self.entries)
        self._insert(dict(one) if isinstance(one, dict) else one)

    def lie_entry_left_out(self):
        del self.entries[self.numbers.randrange(len(self.entries))]

    def lie_entry_of_raw_bytes(self):
        self.entries[self.numbers.randrange(len(self.entries))] = self.numbers.choice(RAW)

    def lie_entry_of_an_odd_value(self):
        one = self.numbers.choice([one for one in self.entries if isinstance(one, dict)])
        one[self.numbers.choice([*one, "uid", "sha256", "pieces", "target", "pathBase64"])] = (
            self.numbers.choice(VALUES)
        )
        if "path" not in one or not isinstance(one["path"], str):
            one["path"] = "odd"

    def lie_entry_without_a_field(self):
        one = self.numbers.choice([one for one in self.entries if isinstance(one, dict)])
        one.pop(self.numbers.choice(["type", "mode", "mtime", "size", "sha256", "pieces", "target"]), None)

    def lie_entry_of_pieces(self):
        size = self.numbers.choice([0, 1, 5, 4 * 2**20, 4 * 2**20 + 1, -5, 2**40])
        id_ = sha256(self.numbers.choice([*CONTENTS, b"nowhere"]))
        pieces = [[id_, size]] * self.numbers.choice([1, 2, 3, 5000])
        total = self.numbers.choice([sum(one for _, one in pieces), 0, 5, 64 * 1024**3])
        self._insert({**file("pieces"), "pieces": pieces, "size": total})

    def rare_entry_of_one_piece_a_thousand_times(self):
        self._insert(
            {**file("huge"), "size": 5000 * 20_000, "pieces": [[sha256(CONTENTS[2]), 5000]] * 20_000}
        )

    def lie_list_changed(self):
        at = self.numbers.randrange(len(self.lists))
        one = self.lists[at]
        self.lists[at] = self.numbers.choice(
            [one[:-1], one + b"\n", one * 2, b"", one[:-20], b"\xff" + one, one + b"x"]
        )

    def lie_list_order(self):
        self.numbers.shuffle(self.lists)

    def rare_list_that_is_a_bomb(self):
        self.lists.append(self.numbers.choice(_bombs())())

    def lie_pack_of_an_odd_member(self):
        parts, content = plain(self.numbers.choice(list(MEMBERS.values())))
        self._insert_pack(Pack(parts, content, lists=self.numbers.random() < 0.5))

    def lie_pack_of_odd_frames(self):
        self._insert_pack(Pack(*self.numbers.choice(list(PACKS.values())), lists=self.numbers.random() < 0.5))

    def lie_pack_that_is_a_bomb(self):
        bomb = self.numbers.choice(list(BOMBS.values()))
        content = self.numbers.choice([LENGTH, 2**20, 256 * 2**20])
        self._insert_pack(Pack([bomb, frame(END)], content, lists=self.numbers.random() < 0.5))

    def lie_pack_of_many_frames(self):
        frames = [frame(b"")] if self.numbers.random() < 0.3 else plain(MEMBERS["no content"])[0][:1]
        self._insert_pack(Pack([*frames * 20_000, frame(END)], 512 * 20_000 + len(END)))

    def lie_pack_of_garbage(self):
        garbage = self.numbers.randbytes(self.numbers.choice([0, 1, 9, 600]))
        self._insert_pack(Pack([garbage], self.numbers.choice([0, 1024, LENGTH])))

    def lie_pack_left_out(self):
        packs = self.numbers.choice([self.packs, self.list_packs])
        if len(self.packs) + len(self.list_packs) > 1 and packs:
            del packs[self.numbers.randrange(len(packs))]

    def lie_pack_of_the_other_kind(self):
        one = self.numbers.choice([*self.packs, *self.list_packs])
        one.told["holds"] = self.numbers.choice(["lists", "files", "both"])

    def lie_pack_of_an_odd_value(self):
        one = self.numbers.choice([*self.packs, *self.list_packs])
        name = self.numbers.choice(list(one.told))
        value = one.told[name]
        near = [value + 1, value - 1, value + 512] if isinstance(value, int) else []
        one.told[name] = self.numbers.choice([*VALUES, *near])

    def lie_pack_of_an_odd_name(self):
        one = self.numbers.choice([*self.packs, *self.list_packs])
        one.name = self.numbers.choice(
            [
                "../../outside/secret",
                f"{STEM}-0000.tar.zst\n",
                f"/{STEM}-0000.tar.zst",
                f"{STEM}-0000.tar.zst",
                "x",
            ]
        )

    def _insert_pack(self, one):
        self.packs.insert(self.numbers.randrange(len(self.packs) + 1), one)

    def lie_manifest_of_an_odd_value(self):
        if isinstance(self.document, dict):
            self.document[self.numbers.choice([*self.document, "more"])] = self.numbers.choice(VALUES)

    def lie_manifest_of_an_odd_value_within(self):
        if isinstance(self.document, dict):
            name = self.numbers.choice(["packs", "lists", "skipped", "changed"])
            found = self.document.get(name)
            if isinstance(found, list):
                found.insert(self.numbers.randrange(len(found) + 1), self.numbers.choice(VALUES))

    def lie_manifest_of_wrong_sums(self):
        name = self.numbers.choice(["entries", "files", "bytes"])
        if isinstance(self.document, dict) and isinstance(self.document.get(name), int):
            self.document[name] += self.numbers.choice([-1, 1, 1000, 2**40])

    def lie_manifest_without_a_field(self):
        if isinstance(self.document, dict):
            del self.document[self.numbers.choice(list(self.document))]

    def lie_manifest_that_names_twice(self):
        if isinstance(self.document, dict):
            found = self.document.get(self.numbers.choice(["packs", "lists"]))
            if isinstance(found, list) and found:
                found.append(found[0])

    def lie_manifest_of_raw_bytes(self):
        plain_text = json.dumps(self.document).encode() if isinstance(self.document, dict) else b"{}"
        self.document = self.numbers.choice(
            [
                b"",
                plain_text,
                frame(b""),
                frame(plain_text, write_content_size=False),
                frame(plain_text) + b"x",
                frame(plain_text) * 2,
                frame(plain_text)[:-5],
                frame(plain_text + b"}"),
                frame(b"\xff" + plain_text),
                frame(b'{"format":"x",' + plain_text[1:]),
                frame(b"[" * 100_000),
                frame(plain_text.replace(b'"version": 1', b'"version": ' + b"1" * 5000)),
                self.numbers.choice(list(BOMBS.values())),
            ]
        )

    def rare_manifest_that_is_a_bomb(self):
        self.document = _framed(self.numbers.randrange(len(_bombs())))


def hostile_backup(numbers):
    """Return (store, sha256 of the manifest)."""
    return Lies(numbers).store()


@cache
def _kinds(prefix):
    return sorted(name for name in dir(Lies) if name.startswith(prefix))


@cache
def _bombs():
    """Return functions that make 15 MiB of JSON which takes far more once it is parsed."""
    size = 15 * 2**20
    return [
        lambda: b"[" + b"[]," * (size // 3) + b"[]]\n",
        lambda: b'{"path":"a","pieces":[' + b'["",0],' * (size // 7) + b"[]]}\n",
        lambda: b"[" + b"{}," * (size // 3) + b"{}]\n",
        lambda: b"[" * size + b"\n",
        lambda: b'{"path":"' + b"a/" * (size // 2) + b'","type":"directory"}\n',
        lambda: b"\n" * size,
        lambda: b'{"mtime":' + b"9" * size + b"}\n",
    ]


@cache
def _framed(number):
    return frame(_bombs()[number]())
