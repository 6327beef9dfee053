"""The lexer's patterns mean the same on every Python that is supported."""

import re
import time

import pytest

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard import lexer
from insight_engine.sqlguard.policies import POLICIES


@pytest.mark.parametrize("dialect", Dialect)
def test_no_pattern_is_possessive(dialect: Dialect) -> None:
    """Python before 3.11.5 mistakes a possessive group of alternatives; Debian 12 ships 3.11.2."""
    pattern = lexer._compiled(POLICIES[dialect]).pattern
    assert re.findall(r"[*+?}]\+", re.sub(r"\\.|\[[^\]]*\]", "x", pattern)) == []


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("unit", ["''", "/*", "* ", "/ ", "'\\", '""', "a''b", "/**"])
def test_unclosed_text_is_given_up_in_linear_time(dialect: Dialect, unit: str) -> None:
    pattern = lexer._compiled(POLICIES[dialect])
    for opening in ("'", "E'", "/*", '"'):
        started = time.process_time()
        pattern.match(opening + unit * 30_000)
        assert time.process_time() - started < 0.5
