"""./dev image [TEMPLATE ...] [--base python=IMAGE] [--base node=IMAGE]    builds what is not there; all by default
./dev image --list                                                      what is there
./dev image --sbom TEMPLATE                                             what is in it, as CycloneDX JSON
"""

import argparse
import json
import sys

from tools.engine import why_no_engine
from tools.image.bases import RELEASES
from tools.image.build import Built, build, built, engine
from tools.image.contents import bill
from tools.template import NAMES
from tools.venv import SetupFailed


def main() -> int:
    """Does what the arguments say; 1, and what to do, when it cannot."""
    arguments = _parse()
    if without := why_no_engine():
        print(f"Images need an engine: {without}", file=sys.stderr)
        return 1
    try:
        _run(arguments)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    if arguments.list:
        for _, reference in built():
            print(reference)
    elif arguments.sbom:
        print(json.dumps(bill(engine(), build(arguments.sbom).reference), indent=1))
    else:
        for template in arguments.templates or NAMES:
            print(_line(build(template, dict(arguments.base))), flush=True)


def _line(image: Built) -> str:
    done = "built" if image.is_new else "there"
    starts = ", ".join(f"{base.name} ({base.why})" for base in image.bases)
    return f"{done}  {image.reference}  {image.size >> 20} MiB  {image.seconds:.1f} s  from {starts}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev image", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("templates", nargs="*", metavar="TEMPLATE", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--base", action="append", default=[], type=_base, metavar="NAME=IMAGE")
    parser.add_argument("--list", action="store_true", help="only say which images are there")
    parser.add_argument("--sbom", choices=NAMES, metavar="TEMPLATE", help="print the bill of materials")
    arguments = parser.parse_args()
    if unknown := set(arguments.templates) - set(NAMES):
        parser.error(f"there is no template {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return arguments


def _base(text: str) -> tuple[str, str]:
    role, equals, image = text.partition("=")
    if role not in RELEASES or not equals or not image:
        raise argparse.ArgumentTypeError(f"{text!r} must read python=IMAGE or node=IMAGE")
    return role, image


if __name__ == "__main__":
    sys.exit(main())
