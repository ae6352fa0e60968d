"""Is each check one that can be looked up and argued with, and are there as many as were promised?"""

from tools.conformance import FEWEST, claims, offences


def test_every_check_has_a_name_of_its_own_a_claim_and_a_source() -> None:
    assert list(offences(claims())) == []


def test_there_are_as_many_checks_as_were_promised() -> None:
    assert len(claims()) >= FEWEST
