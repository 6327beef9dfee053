"""Counts placeholders against values. Pure; values themselves are bound by the driver, never read here."""

from collections.abc import Iterator

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.sealed import Scalar
from insight_engine.sqlguard.text import Positions


def check_parameters(
    tokens: tuple[Token, ...], values: tuple[Scalar, ...], where: Positions
) -> Iterator[Reason]:
    """Yield a reason when the statement asks for other values than are given."""
    placeholders = [token for token in tokens if token.kind is Kind.PARAMETER]
    numbers = {token.text[1:] for token in placeholders}
    if "" in numbers and len(numbers) > 1:
        message = "Numbered and bare placeholders are mixed: use one kind."
        yield where.reason(ReasonCode.PARAMETERS_MISMATCH, message, placeholders[0].start)
        return
    wanted = {str(n) for n in range(1, len(values) + 1)}
    fits = len(placeholders) == len(values) if "" in numbers else numbers == wanted
    if not fits:
        message = (
            f"The statement's placeholders do not fit the {len(values)} values given: number them from 1."
        )
        offset = placeholders[0].start if placeholders else tokens[0].start
        yield where.reason(ReasonCode.PARAMETERS_MISMATCH, message, offset)
