"""The page on errors lists what the product says."""

import pytest

from shared.domain.breakdown import EXPLANATIONS, Cause
from tools.venv import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_on_the_page_in_the_words_of_the_product(cause: Cause) -> None:
    said = EXPLANATIONS[cause]

    assert f"| `{cause}` | `{said.reason}` | {said.summary} | {said.help} |" in PAGE.splitlines()
