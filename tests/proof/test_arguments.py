"""What ./dev kill is asked for must be possible: a run of nothing would end as clean."""

import pytest

from proof.__main__ import main


@pytest.mark.parametrize("asked", [("--rounds", "0"), ("--rounds", "-3"), ("--lanes", "0"), ("--only", "x")])
def test_what_cannot_be_played_is_refused(
    asked: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["./dev kill", *asked])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "is not a number from 1 on" in capsys.readouterr().err
