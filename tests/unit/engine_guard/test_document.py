"""docs/sql-guard.md tells the truth about codes, limits and placeholders."""

import re
from pathlib import Path

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard import ReasonCode, effort, lexer, parameters, text
from insight_engine.sqlguard.policies import POLICIES

PAGE = (Path(__file__).parents[3] / "docs" / "sql-guard.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_reason_code_is_explained_in_order() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", section("Reason codes"), re.MULTILINE)
    assert listed == [code.value for code in ReasonCode]


def test_every_dialect_has_its_placeholders() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", section("Placeholders"), re.MULTILINE))
    for dialect in Dialect:
        for style in re.findall(r"[$?:]\w*", POLICIES[dialect].placeholders):
            assert f"`{style}`" in rows[dialect]


def test_every_file_of_the_order_exists_and_every_limit_is_the_codes() -> None:
    steps = section("In the order it judges")
    folder = Path(text.__file__).parent
    assert all((folder / name).exists() for name in re.findall(r"`(\w+\.py)`", steps))
    for limit in (lexer.MAX_TOKENS, effort.MOST, parameters.MAX_VALUES):
        assert f"{limit:,}" in steps
    assert f"{text.MAX_BYTES // 1024} KiB" in steps
