"""`insight-engine flower` before it serves: what it refuses."""

from pathlib import Path

import pytest

from insight_engine.__main__ import main
from insight_engine.cli import exits


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "Secret set flower is not mounted. It needs username, password."),
        ({"username": "flower"}, "Secret set flower has no password."),
    ],
)
def test_there_is_no_flower_without_a_login(
    files: dict[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in files.items():
        (tmp_path / "flower").mkdir(exist_ok=True)
        (tmp_path / "flower" / name).write_text(text)
    monkeypatch.setenv("INSIGHT_SECRETS_DIR", str(tmp_path))
    assert main(["flower"]) == exits.CONFIGURATION
    assert said in capsys.readouterr().err
