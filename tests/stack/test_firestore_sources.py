"""Only the pinned Firestore emulator is run, by a Java that is new enough."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from emulators.stack.firestore_jar import MAIN_CLASS, Release, download
from emulators.stack.java import NoJava, java_for, required_version

CONTENT = b"a jar"


def release(tmp_path: Path, sha256: str) -> Release:
    source = tmp_path / "published" / "emulator-v1.jar"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(CONTENT)
    return Release(source.as_uri(), sha256, len(CONTENT))


def jar_for_java(tmp_path: Path, version: int) -> Path:
    """A jar whose main class was compiled for this Java."""
    jar = tmp_path / "emulator.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        header = b"\xca\xfe\xba\xbe\x00\x00" + (version + 44).to_bytes(2, "big")
        archive.writestr(MAIN_CLASS.replace(".", "/") + ".class", header)
    return jar


def test_the_pinned_release_is_downloaded_once(tmp_path: Path) -> None:
    pinned = release(tmp_path, hashlib.sha256(CONTENT).hexdigest())

    jar = download(pinned, tmp_path / "downloads")
    (tmp_path / "published" / "emulator-v1.jar").unlink()

    assert jar.read_bytes() == CONTENT
    assert download(pinned, tmp_path / "downloads") == jar


def test_another_content_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another sha256"):
        download(release(tmp_path, "0" * 64), tmp_path / "downloads")

    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.parametrize("version", [17, 21])
def test_a_jar_says_which_java_it_needs(tmp_path: Path, version: int) -> None:
    assert required_version(jar_for_java(tmp_path, version), MAIN_CLASS) == version


def test_a_jar_for_a_java_that_cannot_be_had_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoJava, match=r"needs Java 99\. Install Java"):
        java_for(jar_for_java(tmp_path, 99), MAIN_CLASS)
