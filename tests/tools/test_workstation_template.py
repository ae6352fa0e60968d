"""The local python template is known by the digest of all that it is made of."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.template import build, content_digest, known


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """Requirements and an agent of two files."""
    requirements, agent = tmp_path / "requirements.txt", tmp_path / "agent"
    requirements.write_text("starlette==1.10.0\n")
    (agent / "relay").mkdir(parents=True)
    (agent / "__main__.py").write_text("print('agent')\n")
    (agent / "relay" / "http.py").write_text("")
    return requirements, agent


def test_equal_content_has_an_equal_digest_and_bytecode_does_not_count(sources: tuple[Path, Path]) -> None:
    before = content_digest(*sources)
    (sources[1] / "__pycache__").mkdir()
    (sources[1] / "__pycache__" / "x.pyc").write_bytes(b"x")

    assert content_digest(*sources) == before


@pytest.mark.parametrize("change", ["requirements", "content", "name", "addition"])
def test_any_change_changes_the_digest(sources: tuple[Path, Path], change: str) -> None:
    requirements, agent = sources
    before = content_digest(*sources)

    match change:
        case "requirements":
            requirements.write_text("starlette==1.11.0\n")
        case "content":
            (agent / "relay" / "http.py").write_text("x = 1\n")
        case "name":
            (agent / "relay" / "http.py").rename(agent / "relay" / "bytes.py")
        case "addition":
            (agent / "new.py").touch()

    assert content_digest(*sources) != before


def test_the_agent_of_this_checkout_starts_from_its_template_alone(tmp_path: Path) -> None:
    """Nothing of the project's own environment is on its path."""
    template = build()[0]
    command = shlex.split(template.command)

    assert known()[0] == template
    repository, _, digest = template.image.partition("@sha256:")
    assert (repository, len(digest)) == ("dormouse-python", 64)
    program = "import agent, sys; print(agent.__file__); import starlette; import functions"
    done = subprocess.run(
        [*command[:-2], "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        text=True,
        capture_output=True,
    )
    assert digest in done.stdout
    assert "No module named 'functions'" in done.stderr


def test_every_template_is_the_same_agent_under_a_name_of_its_own() -> None:
    """Those of node are offered where this machine has it."""
    offered = build()

    names = ["python", "nodejs", "react"] if shutil.which("node") else ["python"]
    assert [template.name for template in offered] == names
    assert [template.image.partition("@")[0] for template in offered] == [
        f"dormouse-{name}" for name in names
    ]
    assert len({template.command for template in offered}) == 1


def test_a_nodejs_workstation_as_a_process_finds_node_and_npm(tmp_path: Path) -> None:
    template = next((template for template in build() if template.name == "nodejs"), None)
    if template is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no node on PATH")
        pytest.skip("there is no node on PATH; install it for the nodejs and react templates")
    *environment, _python, _module, _agent = shlex.split(template.command)

    for program in ("node", "npm"):
        done = subprocess.run(
            [*environment, program, "--version"], cwd=tmp_path, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
