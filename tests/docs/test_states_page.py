"""The drawn diagram is the table's."""

from tools.diagram import PAGE, page


def test_the_page_is_drawn_from_the_table() -> None:
    """Run `python -m tools.diagram` after changing the table."""
    assert PAGE.read_text(encoding="utf-8") == page()
