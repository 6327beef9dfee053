"""What a login may be."""

import pytest
from pydantic import ValidationError

from insight_engine.api.schemas import TokenRequest


@pytest.mark.parametrize("username", ["ad\x00min", "admin\n", "\x1b[2J", "\x7f", ""])
def test_control_characters_in_a_username_are_refused_before_the_store_sees_them(username: str) -> None:
    with pytest.raises(ValidationError):
        TokenRequest(username=username, password="x")


@pytest.mark.parametrize("username", ["admin", "anna.müller@example.com", "two words"])
def test_other_usernames_may_log_in(username: str) -> None:
    assert TokenRequest(username=username, password="x").username == username
