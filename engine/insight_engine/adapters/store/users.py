"""The user table."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, func, select, update

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
        one = self._database.built("user", lambda: select(users).where(users.c.id == bindparam("user")))
        row = await self._database.first(one, {"user": user_id})
        return None if row is None else _user(row)

    @retried
    async def set_password(self, user_id: UUID, password_hash: str, *, end_sessions: bool) -> None:
        """Store a new hash; with `end_sessions` tokens issued before now stop working."""
        change: dict[str, Any] = {"password_hash": password_hash}
        if end_sessions:
            change["tokens_valid_from"] = datetime.now(UTC)
        async with self._database.transaction() as connection:
            await connection.execute(update(users).where(users.c.id == user_id).values(**change))

    async def set_disabled(self, user_id: UUID, *, disabled: bool) -> bool:
        """Let a user in or keep them out; False when that would leave no admin who may log in.

        A user who is let in again has to log in anew: older tokens stay refused.
        """
        admins = (users.c.role == Role.ADMIN.value, users.c.disabled.is_(False))
        change: dict[str, Any] = {"disabled": disabled, "tokens_valid_from": datetime.now(UTC)}
        async with self._database.transaction() as connection:
            # The admins' rows are locked: two of them may not disable each other at the same time.
            active = select(users.c.id).where(*admins).with_for_update()
            others = set((await connection.execute(active)).scalars()) - {user_id}
            role = await connection.scalar(select(users.c.role).where(users.c.id == user_id))
            if disabled and role == Role.ADMIN.value and not others:
                return False
            await connection.execute(update(users).where(users.c.id == user_id).values(**change))
        return True

    async def add(self, user: User) -> bool:
        """Add a user; False when the name is taken."""
        async with self._database.transaction() as connection:
            return await connection.scalar(self._insert(user)) is not None

    def _insert(self, user: User) -> Any:
        return (
            self._database.insert(users)
            .values(
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

    async def add_first_admin(self, user: User) -> bool:
        """Add this admin unless there is one already; False when there was."""
        async with self._database.transaction() as connection:
            admins = await connection.scalar(
                select(func.count()).select_from(users).where(users.c.role == Role.ADMIN.value)
            )
            if admins:
                return False
            return await connection.scalar(self._insert(user)) is not None

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
