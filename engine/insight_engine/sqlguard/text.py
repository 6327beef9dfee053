"""Rules on the raw text, before any parser reads it: length and characters. Pure, linear in the text.

What two readers could see differently is refused here: NUL, byte order marks, invisible characters and
blanks that one database skips and another takes for part of a name.
"""

import unicodedata
from bisect import bisect_right

from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected

MAX_BYTES = 64 * 1024
_ALLOWED_CONTROLS = frozenset("\t\n\r")
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn", "Cs"})


class Positions:
    """Turns offsets of one text into lines and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(i + 1 for i, character in enumerate(text) if character == "\n")]

    def reason(self, code: ReasonCode, message: str, offset: int) -> Reason:
        """A reason that points at `offset`."""
        line = bisect_right(self._starts, offset)
        return Reason(code, message, line, offset - self._starts[line - 1] + 1)


def check_text(text: str) -> None:
    """Refuse text that is empty, too long, or holds a character that no statement needs.

    Raises:
        Rejected: with the first offence found.
    """
    if not text.strip():
        raise Rejected((Reason(ReasonCode.EMPTY, "There is no statement: write a SELECT."),))
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        message = (
            f"The statement is longer than {MAX_BYTES // 1024} KiB: shorten it, or move lists into a table."
        )
        raise Rejected((Reason(ReasonCode.TOO_LONG, message),))
    if text.isascii() and text.isprintable():
        return
    for offset, character in enumerate(text):
        if character in _ALLOWED_CONTROLS or " " <= character <= "~":
            continue
        if character < " " or unicodedata.category(character) == "Cs" or character in "\x7f\ufeff":
            raise Rejected((_character(text, offset),))


def check_outside_literals(text: str, start: int, end: int) -> None:
    """Refuse invisible characters and non-ASCII blanks in a stretch that is not inside quotes.

    Raises:
        Rejected: with the first offence found.
    """
    stretch = text[start:end]
    if stretch.isascii():
        return
    for offset, character in enumerate(stretch, start):
        if not character.isascii() and unicodedata.category(character) in _INVISIBLE:
            raise Rejected((_character(text, offset),))


def is_plain_word(word: str) -> bool:
    """Whether an unquoted name reads the same to all: ASCII, or letters that normalisation keeps."""
    if word.isascii():
        return True
    return word.replace("_", "").isalnum() and unicodedata.normalize("NFKC", word) == word


def _character(text: str, offset: int) -> Reason:
    name = f"U+{ord(text[offset]):04X}"
    message = f"The character {name} is not allowed here: delete it, or type an ordinary blank in its place."
    return Positions(text).reason(ReasonCode.FORBIDDEN_CHARACTER, message, offset)


def fold(name: str) -> str:
    """Lower-case ASCII letters only, which is how the databases fold names."""
    return name.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
