"""The pages of the conformance checks say what the checks say."""

from dataclasses import replace

import pytest

from tools.conformance import BEGIN, END, Claim, offences, page, with_assumed

KNOWN = Claim(
    "Cloud Run", "RUN-001", "A service starts at generation 1.", "service.proto", False, "test_x.py::a"
)
BELIEVED = Claim("Cloud Run", "RUN-002", "A name | is kept.", "no page says so", True, "test_x.py::b")


def test_the_page_lists_every_check_with_its_claim_and_its_source() -> None:
    text = page([KNOWN, BELIEVED])

    assert "| RUN-001 | A service starts at generation 1. | service.proto |" in text
    assert "| RUN-002 (assumed) | A name \\| is kept. | no page says so |" in text
    assert "2 checks, run with the stock clients; 1 of them rest on belief" in text


def test_what_is_assumed_is_listed_among_our_beliefs_and_nothing_else() -> None:
    text = with_assumed("# Beliefs\n\nby hand\n", [KNOWN, BELIEVED])

    assert text.startswith("# Beliefs\n\nby hand\n")
    assert "RUN-002" in text
    assert "RUN-001" not in text


def test_the_list_is_replaced_where_it_stands() -> None:
    before = f"above\n{BEGIN}\nold\n{END}\nbelow\n"

    text = with_assumed(before, [BELIEVED])

    assert text.startswith("above\n")
    assert text.endswith("\nbelow\n")
    assert "old" not in text
    assert with_assumed(text, [BELIEVED]) == text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "RUN-001"}, "2 checks have this name"),
        ({"name": "run one"}, "a check is named like RUN-012"),
        ({"claim": ""}, "its docstring must say"),
        ({"source": " "}, "it names no source"),
    ],
)
def test_a_check_that_cannot_be_looked_up_is_named(changes: dict[str, str], said: str) -> None:
    found = list(offences([KNOWN, replace(BELIEVED, **changes)]))  # type: ignore[arg-type]

    assert any("test_x.py::b" in offence and said in offence for offence in found)


def test_checks_in_order_are_no_offence() -> None:
    assert list(offences([KNOWN, BELIEVED])) == []
