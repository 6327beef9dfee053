"""The user table."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update

from insight_engine.adapters.store.database import Database, retried
from insight_engine.adapters.store.tables import users
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User


class StoredUsers:
    """Users in the metadata store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @retried
    async def by_name(self, username: str) -> User | None:
        """The user of that (normalised) name."""
        async with self._database.statement() as connection:
            row = (await connection.execute(select(users).where(users.c.username == username))).first()
        return None if row is None else _user(row)

    @retried
    async def by_id(self, user_id: UUID) -> User | None:
        """The user of that id."""
        async with self._database.statement() as connection:
            row = (await connection.execute(select(users).where(users.c.id == user_id))).first()
        return None if row is None else _user(row)

    @retried
    async def set_password(self, user_id: UUID, password_hash: str, *, end_sessions: bool) -> None:
        """Store a new hash; with `end_sessions` tokens issued before now stop working."""
        change: dict[str, Any] = {"password_hash": password_hash}
        if end_sessions:
            change["tokens_valid_from"] = datetime.now(UTC)
        async with self._database.transaction() as connection:
            await connection.execute(update(users).where(users.c.id == user_id).values(**change))

    async def add_first_admin(self, user: User) -> bool:
        """Add this admin unless there is one already; False when there was."""
        insert = self._database.insert(users)
        async with self._database.transaction() as connection:
            admins = await connection.scalar(
                select(func.count()).select_from(users).where(users.c.role == Role.ADMIN.value)
            )
            if admins:
                return False
            added = await connection.scalar(
                insert.values(
                    id=user.id,
                    username=user.username,
                    password_hash=user.password_hash,
                    role=user.role.value,
                    disabled=user.disabled,
                    tokens_valid_from=user.tokens_valid_from,
                    created_at=self._database.now(),
                )
                .on_conflict_do_nothing()
                .returning(users.c.id)
            )
        return added is not None

    async def all(self) -> list[User]:
        """Every user, by name."""
        async with self._database.statement() as connection:
            rows = (await connection.execute(select(users).order_by(users.c.username))).all()
        return [_user(row) for row in rows]


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        username=row.username,
        role=Role(row.role),
        disabled=row.disabled,
        tokens_valid_from=row.tokens_valid_from,
        password_hash=row.password_hash,
    )
