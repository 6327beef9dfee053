"""Stored catalogs: one compressed document per data source, as the last worker that read it left it."""

from datetime import datetime

from sqlalchemy import select

from insight_engine.adapters.store.database import Database, retried
from insight_engine.adapters.store.tables import catalogs


class StoredCatalogs:
    """Catalogs in the metadata store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @retried
    async def stamp(self, datasource: str) -> tuple[str, datetime] | None:
        """(digest, time of reading) of what is stored."""
        asked = select(catalogs.c.digest, catalogs.c.fetched_at).where(catalogs.c.datasource == datasource)
        async with self._database.statement() as connection:
            row = (await connection.execute(asked)).first()
        return None if row is None else (row.digest, row.fetched_at)

    @retried
    async def load(self, datasource: str) -> tuple[str, datetime, bytes] | None:
        """(digest, time of reading, content)."""
        async with self._database.statement() as connection:
            row = (
                await connection.execute(select(catalogs).where(catalogs.c.datasource == datasource))
            ).first()
        return None if row is None else (row.digest, row.fetched_at, row.content)

    @retried
    async def save(self, datasource: str, digest: str, content: bytes) -> datetime:
        """Replace what is stored; the time of reading, by the store's clock."""
        row = {"digest": digest, "content": content, "fetched_at": self._database.now()}
        change = (
            self._database.insert(catalogs)
            .values(datasource=datasource, **row)
            .on_conflict_do_update(index_elements=[catalogs.c.datasource], set_=row)
            .returning(catalogs.c.fetched_at)
        )
        async with self._database.statement() as connection:
            fetched_at: datetime = (await connection.execute(change)).scalar_one()
        return fetched_at
