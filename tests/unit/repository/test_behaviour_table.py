"""Documents whose promises each name a test name tests that exist."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TABLES = {"docs/operator-behaviour.md": 15, "SECURITY_CHECKLIST.md": 30}
NAMED = sorted(
    {
        found
        for table in TABLES
        for found in re.findall(r"`([a-z0-9_/]+\.py)::(test_\w+)`", (REPOSITORY / table).read_text())
    }
)


@pytest.mark.parametrize(("table", "at_least"), list(TABLES.items()))
def test_every_promise_names_a_test(table: str, at_least: int) -> None:
    lines = (REPOSITORY / table).read_text().splitlines()
    # A table's first line is followed by the rule below it.
    promises = [
        line
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("| ") and not line.startswith("| ---") and not below.startswith("| ---")
    ]
    assert len(promises) >= at_least
    assert [line for line in promises if "::test_" not in line] == []


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_the_test_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (REPOSITORY / "tests" / file).read_text(), re.MULTILINE)
