"""What is saved when a save is measured? Trees that are the same on every machine, for they are drawn from a seed."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random

SEED = 20_260_101
_MEDIAN, _SPREAD, _LARGEST = 3_500, 1.5, 6_000_000
_WORDS, _LINES = 2_500, 60_000
_SHAPES = (
    "import {a}\n",
    "from {a}.{b} import {c}, {d}\n",
    "def {a}({b}, {c}):\n",
    "    {a} = {b}.{c}({d})\n",
    "    if {a} is not {b} and {c} > {n}:\n",
    "        return {a}[{b}]\n",
    '        raise {a}Error(f"{b} {c}: {{{d}}}")\n',
    "    # {a} {b} {c} {d} {a}\n",
    '    "{a}-{b}": {{"{c}": {n}, "{d}": "{a}"}},\n',
    "  const {a} = await {b}.{c}({{ {d}: {n} }});\n",
    "  }}\n\n",
    '<div class="{a} {b}"><{c} id="{d}"/></div>\n',
)
_ENDINGS = {
    "text": (".py", ".ts", ".json", ".md", ".css"),
    "machine": (".so", ".pyc"),
    "noise": (".png", ".gz"),
}
_SHARES = (("text", 0.88), ("machine", 0.04), ("noise", 0.03), ("copy", 0.05))


@dataclass(frozen=True, slots=True)
class Size:
    """A tree of so many files that are so many bytes together."""

    files: int
    bytes: int


def plant(root: Path, size: Size, seed: int = SEED) -> None:
    """Make a tree as projects are: most files small and text, some machine code, some noise, some copies, a few links."""
    chance = Random(seed)  # noqa: S311 - chance that can be repeated
    author = _Author(chance)
    directories = _directories(root, size.files // 15, chance)
    sizes = _sizes(size, chance)
    kinds = chance.choices([kind for kind, _ in _SHARES], [share for _, share in _SHARES], k=size.files)
    planted: list[Path] = []
    for number, (kind, length) in enumerate(zip(kinds, sizes, strict=True)):
        if kind == "copy":
            kind = "text" if not planted else kind
        content = author.write(kind, length) if kind != "copy" else chance.choice(planted).read_bytes()
        ending = chance.choice(_ENDINGS.get(kind, (".txt",)))
        path = chance.choice(directories) / f"{author.word()}-{number}{ending}"
        path.write_bytes(content)
        planted.append(path)
    for number in range(size.files // 300):
        target = chance.choice(planted)
        (target.parent / f"latest-{number}").symlink_to(target.name)


def edit(root: Path, count: int, seed: int) -> None:
    """Change some text files as a person does: a line in the middle, and one at the end; other ones with each seed."""
    chance = Random(seed)  # noqa: S311
    texts = sorted(path for path in root.rglob("*.py") if path.is_file() and not path.is_symlink())
    for path in chance.sample(texts, count):
        lines = path.read_bytes().splitlines(keepends=True)
        line = f"    changed = {chance.getrandbits(64):x}\n".encode()
        path.write_bytes(b"".join([*lines[: len(lines) // 2], line, *lines[len(lines) // 2 :], line]))


def plant_large(path: Path, length: int, noise: int, seed: int = SEED) -> None:
    """Make one file of `length` bytes of which `noise` are random, in parts among holes."""
    chance, part, parts = Random(seed), 4 * 2**20, noise // (4 * 2**20)  # noqa: S311
    with path.open("wb") as file:
        file.truncate(length)
        for number in range(parts):
            file.seek(number * (length // parts))
            file.write(chance.randbytes(part))


def weight(root: Path) -> int:
    """The sizes of all files below, summed."""
    return sum((Path(place) / name).lstat().st_size for place, _, names in os.walk(root) for name in names)


class _Author:
    """Writes what source code and build output look like to a compressor."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "er", "on", "st")]
        self._words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(_WORDS)]
        self._lines = [self._line() for _ in range(_LINES)]
        # As in any text, some lines are everywhere and most hardly anywhere.
        self._weights = list(accumulate(1 / (rank + 30) for rank in range(_LINES)))
        self._code = [chance.randbytes(12) + bytes(4) for _ in range(20_000)]

    def word(self) -> str:
        return self._chance.choice(self._words)

    def write(self, kind: str, length: int) -> bytes:
        if kind == "noise":
            return self._chance.randbytes(length)
        if kind == "machine":
            return b"".join(self._chance.choices(self._code, k=length // 16 + 1))[:length]
        lines = self._chance.choices(self._lines, cum_weights=self._weights, k=length // 20 + 1)
        return b"".join(lines)[:length]

    def _line(self) -> bytes:
        shape, number = self._chance.choice(_SHAPES), self._chance.randrange(10_000)
        words = {name: self.word() for name in "abcd"}
        return shape.format(n=number, **words).encode()


def _sizes(size: Size, chance: Random) -> Sequence[int]:
    drawn = [min(chance.lognormvariate(math.log(_MEDIAN), _SPREAD), _LARGEST) for _ in range(size.files)]
    ends = [round(end * size.bytes / sum(drawn)) for end in accumulate(drawn, initial=0.0)]
    return [end - begin for begin, end in pairwise(ends)]


def _directories(root: Path, count: int, chance: Random) -> list[Path]:
    found = [root]
    root.mkdir(parents=True)
    for number in range(count):
        parent = chance.choice(found)
        path = parent / f"d{number}"
        path.mkdir()
        found.append(path)
    return found
