"""Do the requirements files say what uv.lock says? They are its exports, for machines without uv.

python -m tools.requirements            lists every difference
python -m tools.requirements --write    exports them again (needs uv)
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping

from tools.venv import ROOT

EXPORTS: Mapping[str, tuple[str, ...]] = {
    "requirements.txt": ("--no-dev",),
    "workstation/requirements.txt": ("--only-group", "agent"),
    "requirements-dev.txt": ("--all-groups", "--no-group", "java"),
    "requirements-java.txt": ("--only-group", "java"),
}
_EXPORT = ("export", "--frozen", "--quiet", "--no-emit-project", "--no-header", "--no-annotate")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def export(uv: str, selection: tuple[str, ...]) -> str:
    """What uv.lock holds for this selection, hashed, without the name of any index."""
    return subprocess.run(
        [uv, *_EXPORT, *selection], cwd=ROOT, check=True, text=True, capture_output=True
    ).stdout


def pins(requirements: str) -> set[tuple[str, str]]:
    """The (name, version) pairs of a requirements file."""
    return {(name.lower().replace("_", "-"), version) for name, version in _PIN.findall(requirements)}


def locked_pins(lock: str) -> set[tuple[str, str]]:
    """The (name, version) pairs of a lock."""
    packages = tomllib.loads(lock)["package"]
    return {(package["name"], package["version"]) for package in packages if "version" in package}


def differences(name: str, text: str, uv: str | None, lock: str) -> list[str]:
    """How a requirements file differs from the lock: exactly where uv is there, else in names and versions."""
    if "--index-url" in text or "://" in text:
        return [f"{name} names a package index; that is for each machine's own settings"]
    if uv:
        # Not the text: its order and its markers differ between versions of uv.
        wanted = export(uv, EXPORTS[name])
        same = (pins(text), _hashes(text)) == (pins(wanted), _hashes(wanted))
        return [] if same else [f"{name} is not what uv.lock exports"]
    strangers = sorted(pins(text) - locked_pins(lock))
    return [f"{name} has {package}=={version}, which uv.lock has not" for package, version in strangers]


def _hashes(requirements: str) -> set[str]:
    return set(re.findall(r"--hash=(\S+)", requirements))


def main() -> int:
    """Prints every difference; 1 when there is one."""
    uv = shutil.which("uv")
    if "--write" in sys.argv[1:]:
        if uv is None:
            print("Exporting needs uv on PATH.")
            return 1
        for name, selection in EXPORTS.items():
            (ROOT / name).write_text(export(uv, selection))
        return 0
    lock = (ROOT / "uv.lock").read_text()
    found = [
        difference
        for name in EXPORTS
        for difference in differences(name, (ROOT / name).read_text(), uv, lock)
    ]
    for difference in found:
        print(f"{difference}. Run: uv run python -m tools.requirements --write")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
