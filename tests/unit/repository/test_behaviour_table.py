"""docs/operator-behaviour.md names tests that exist."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TABLE = (REPOSITORY / "docs" / "operator-behaviour.md").read_text()
NAMED = sorted({*re.findall(r"`([a-z0-9_/]+\.py)::(test_\w+)`", TABLE)})


def test_every_promise_names_a_test() -> None:
    promises = [line for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(promises) >= 15
    assert [line for line in promises if "::test_" not in line] == []


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_the_test_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (REPOSITORY / "tests" / file).read_text(), re.MULTILINE)
