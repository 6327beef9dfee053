"""Which form of a result a caller wants: by the parameter `format`, else by Accept."""

from collections.abc import Mapping
from typing import Final

from insight_engine.services.formats import Format

ALIASES: Final[Mapping[str, Format]] = {
    "application/json": Format.JSON,
    "application/*": Format.JSON,
    "*/*": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "text/csv": Format.CSV,
    "text/*": Format.CSV,
    "application/vnd.apache.arrow.stream": Format.ARROW,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/x-parquet": Format.PARQUET,
}


def form_of(asked: Format | None, accept: str | None) -> Format | None:
    """The form to send; None when the caller takes none that there is."""
    if asked is not None:
        return asked
    if accept is None or not accept.strip():
        return Format.JSON
    ranges = [_range(part) for part in accept.split(",")]
    # The sort is stable: of equally welcome forms the one named first is sent.
    for weight, name in sorted(ranges, key=lambda found: -found[0]):
        if weight > 0 and name in ALIASES:
            return ALIASES[name]
    return None


def _range(part: str) -> tuple[float, str]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weight = next((text.removeprefix("q=") for text in parameters if text.startswith("q=")), "1")
    try:
        return float(weight), name
    except ValueError:
        return 0.0, name
