"""Who asks. Pure."""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from insight_engine.domain.sources import DataSource, Role

_RANK = {Role.VIEWER: 0, Role.ANALYST: 1, Role.ADMIN: 2}


@dataclass(frozen=True, slots=True)
class User:
    """A person or program that may log in.

    Attributes:
        tokens_valid_from: tokens issued before this moment are refused.
    """

    id: UUID
    username: str
    role: Role
    disabled: bool
    tokens_valid_from: datetime
    password_hash: str = field(repr=False)

    def is_at_least(self, role: Role) -> bool:
        """Whether this user's role may do what `role` may."""
        return _RANK[self.role] >= _RANK[role]

    def may_query(self, source: DataSource) -> bool:
        """Whether this user's role is among those the source is open to."""
        return self.role in source.roles


def normalise_username(username: str) -> str:
    """One spelling per name, so that look-alikes of case and composition are the same user."""
    return unicodedata.normalize("NFKC", username).casefold().strip()
