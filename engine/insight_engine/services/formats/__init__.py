"""The forms a result is given out in. Each writer turns Arrow batches into bytes, piece by piece."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa

from insight_engine.services.formats.as_csv import CsvWriter
from insight_engine.services.formats.as_json import JsonWriter, NdjsonWriter
from insight_engine.services.formats.columnar import ArrowWriter, ParquetWriter


class Format(StrEnum):
    """A form of a result, as the parameter `format` spells it."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """The media type it is sent as."""
        return MEDIA_TYPES[self]


MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}


class Writer(Protocol):
    """Writes one result. Every method blocks: call it from a thread."""

    def begin(self, schema: pa.Schema) -> bytes:
        """What comes before the rows; called once, first."""
        ...

    def write(self, batch: pa.Table) -> bytes:
        """Some rows; may hold them back to write more at once."""
        ...

    def end(self) -> bytes:
        """What comes after the rows; called once, last."""
        ...


_WRITERS: Final[Mapping[Format, Callable[[], Writer]]] = {
    Format.JSON: JsonWriter,
    Format.NDJSON: NdjsonWriter,
    Format.CSV: CsvWriter,
    Format.ARROW: ArrowWriter,
    Format.PARQUET: ParquetWriter,
}


def writer_of(form: Format) -> Writer:
    """A writer for one result."""
    return _WRITERS[form]()
