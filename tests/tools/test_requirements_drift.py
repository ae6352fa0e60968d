"""The requirements files follow the lock."""

import pytest

from tools.requirements import EXPORTS, differences, locked_pins, pins
from tools.venv import ROOT

LOCK = """
version = 1
[[package]]
name = "starlette"
version = "1.10.0"
"""


def test_a_version_that_the_lock_has_not_is_named() -> None:
    found = differences("requirements.txt", "starlette==1.9.0 \\\n    --hash=sha256:00\n", None, LOCK)

    assert found == ["requirements.txt has starlette==1.9.0, which uv.lock has not"]


def test_equal_versions_pass_whatever_their_spelling() -> None:
    assert pins("Starlette==1.10.0 ; python_version > '3'\n") == locked_pins(LOCK)


def test_the_name_of_an_index_is_refused() -> None:
    text = "--index-url https://packages.example/simple\nstarlette==1.10.0\n"

    assert "names a package index" in differences("requirements.txt", text, None, LOCK)[0]


@pytest.mark.parametrize("name", EXPORTS)
def test_every_package_of_this_checkout_is_pinned_with_hashes_and_in_the_lock(name: str) -> None:
    text = (ROOT / name).read_text()

    assert differences(name, text, None, (ROOT / "uv.lock").read_text()) == []
    assert pins(text)
    assert text.count("==") <= text.count("--hash=sha256:")
