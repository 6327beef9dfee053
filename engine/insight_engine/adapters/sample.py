"""Made-up data about a shop, so that an embedded engine has something to be asked about.

`sample` is a SQLite file with customers, products and orders; `lake` is a folder of files that DuckDB reads:
each day's visits to the shop's site as Parquet, and sales targets as CSV.
"""

import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Final

CUSTOMERS: Final = 40
PRODUCTS: Final = (("Desk", 240.0), ("Chair", 95.5), ("Lamp", 32.25), ("Shelf", 120.0), ("Rug", 78.9))
ORDERS: Final = 1000
COUNTRIES: Final = ("Chile", "Ghana", "Japan", "Norway")
FIRST_DAY: Final = date(2026, 1, 1)
DAYS: Final = 300

_SCHEMA: Final = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL,
  ordered_on TEXT NOT NULL
);
"""


def write_sample(path: Path) -> None:
    """Write the SQLite file unless it exists; a crash leaves none behind."""
    _once(path, _write_database)


def write_lake(folder: Path) -> None:
    """Write the folder's files unless they exist."""
    folder.mkdir(exist_ok=True, mode=0o700)
    _once(folder / "visits.parquet", _write_visits)
    _once(folder / "targets.csv", _write_targets)


def _once(path: Path, write: Callable[[Path], None]) -> None:
    if path.exists():
        return
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    write(fresh)
    fresh.replace(path)


def _write_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)",
            ((n, f"Customer {n}", COUNTRIES[n % len(COUNTRIES)]) for n in range(1, CUSTOMERS + 1)),
        )
        connection.executemany(
            "INSERT INTO products VALUES (?, ?, ?)", ((n, *product) for n, product in enumerate(PRODUCTS, 1))
        )
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", map(_order, range(1, ORDERS + 1)))


def _order(n: int) -> tuple[int, int, int, int, str]:
    day = FIRST_DAY + timedelta(days=n % DAYS)
    return n, 1 + n % CUSTOMERS, 1 + n % len(PRODUCTS), 1 + n % 7, day.isoformat()


def _write_visits(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    days, countries, visits, seconds = zip(*_visits(), strict=True)
    pq.write_table(
        pa.table(
            {
                "day": pa.array(days, pa.date32()),
                "country": pa.array(countries, pa.string()),
                "visits": pa.array(visits, pa.int64()),
                "mean_seconds": pa.array(seconds, pa.float64()),
            }
        ),
        path,
    )


def _visits() -> Iterator[tuple[date, str, int, float]]:
    for n in range(DAYS):
        for m, country in enumerate(COUNTRIES):
            yield FIRST_DAY + timedelta(days=n), country, 50 + (n * 7 + m * 31) % 200, 20 + (n + m) % 90 / 2


def _write_targets(path: Path) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("country", "month", "orders"))
        rows.writerows(
            (country, f"2026-{month:02}-01", 20 + (month + n) % 5)
            for n, country in enumerate(COUNTRIES)
            for month in range(1, 13)
        )
