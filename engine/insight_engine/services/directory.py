"""Users by id, remembered for a few seconds: what changes about a user takes effect that soon everywhere."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from uuid import UUID

from insight_engine.domain.users import User
from insight_engine.ports import Users

FRESH_S: Final = 3.0
MAX_REMEMBERED: Final = 10_000


class UserDirectory:
    """Looks users up, asking the store at most every few seconds per user."""

    def __init__(self, users: Users, clock: Callable[[], float] = time.monotonic) -> None:
        self._users, self._clock = users, clock
        self._known: OrderedDict[UUID, tuple[float, User | None]] = OrderedDict()

    async def get(self, user_id: UUID) -> User | None:
        """The user, as of a few seconds ago at most."""
        remembered = self._known.get(user_id)
        if remembered is not None and self._clock() - remembered[0] < FRESH_S:
            return remembered[1]
        user = await self._users.by_id(user_id)
        self._known[user_id] = (self._clock(), user)
        self._known.move_to_end(user_id)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return user
