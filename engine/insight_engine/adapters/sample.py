"""A small made-up shop as a SQLite file, so that an embedded engine has something to be asked about."""

import sqlite3
from datetime import date, timedelta
from pathlib import Path
from typing import Final

CUSTOMERS: Final = 40
PRODUCTS: Final = (("Desk", 240.0), ("Chair", 95.5), ("Lamp", 32.25), ("Shelf", 120.0), ("Rug", 78.9))
ORDERS: Final = 1000
COUNTRIES: Final = ("Chile", "Ghana", "Japan", "Norway")

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
    """Write the file unless it exists; a crash leaves none behind."""
    if path.exists():
        return
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    connection = sqlite3.connect(fresh)
    with connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)",
            ((n, f"Customer {n}", COUNTRIES[n % len(COUNTRIES)]) for n in range(1, CUSTOMERS + 1)),
        )
        connection.executemany(
            "INSERT INTO products VALUES (?, ?, ?)", ((n, *product) for n, product in enumerate(PRODUCTS, 1))
        )
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", map(_order, range(1, ORDERS + 1)))
    connection.close()
    fresh.replace(path)


def _order(n: int) -> tuple[int, int, int, int, str]:
    day = date(2026, 1, 1) + timedelta(days=n % 300)
    return n, 1 + n % CUSTOMERS, 1 + n % len(PRODUCTS), 1 + n % 7, day.isoformat()
