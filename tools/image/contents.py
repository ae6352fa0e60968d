"""What is inside an image? Its Debian, Python and npm packages with their versions, as a CycloneDX bill of materials.

The image is asked, not its recipe: each package system keeps its own records, and no tool of ours has to be in there.
"""

import json
from typing import Any
from urllib.parse import quote

import docker

from tools.venv import SetupFailed

_ASK = """
import glob, importlib.metadata, json, subprocess, sys
sys.path.append("/opt/dormouse")
listed = ["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\n"]
deb = [line.split("\\t") for line in subprocess.check_output(listed, text=True).splitlines()]
pypi = [[found.name, found.version] for found in importlib.metadata.distributions()]
node = "/usr/local/lib/node_modules/"
npm = [json.load(open(path)) for path in glob.glob(node + "**/package.json", recursive=True)]
npm = [[one["name"], one["version"]] for one in npm if "name" in one and "version" in one]
try:
    generic = [["node", subprocess.check_output(["node", "--version"], text=True).strip().lstrip("v")]]
except FileNotFoundError:
    generic = []
print(json.dumps({"deb/debian": deb, "pypi": pypi, "npm": npm, "generic": generic}))
"""


def bill(engine: docker.DockerClient, reference: str) -> dict[str, Any]:
    """The CycloneDX 1.6 document of an image; raises SetupFailed when it cannot be asked."""
    try:
        command = ["-c", _ASK]
        # By its id alone: by a name with a digest, the client asks a registry when the run fails.
        image = reference.partition("@")[2]
        said = engine.containers.run(image, command, entrypoint="python3", network_mode="none", remove=True)
    except docker.errors.DockerException as failure:
        raise SetupFailed(f"{reference} cannot be asked for its contents: {failure}") from failure
    return document(reference, json.loads(said))


def document(reference: str, found: dict[str, list[tuple[str, str]]]) -> dict[str, Any]:
    """The document for packages by kind, each once."""
    kinds = ((kind, {tuple(package) for package in packages}) for kind, packages in found.items())
    components = [_component(kind, *package) for kind, packages in kinds for package in sorted(packages)]
    subject = {"type": "container", "name": reference}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": subject},
        "components": components,
    }


def _component(kind: str, name: str, version: str) -> dict[str, str]:
    purl = f"pkg:{kind}/{quote(name, safe='/')}@{quote(version, safe=':')}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
