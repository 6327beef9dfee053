"""Passwords: every byte counts, nothing raises, unknown users cost the same work."""

import asyncio
import time

import bcrypt
import pytest

from insight_engine.adapters.identity.passwords import BcryptPasswords
from insight_engine.domain.errors import Busy


def passwords(max_waiting: int = 32) -> BcryptPasswords:
    return BcryptPasswords(rounds=4, max_waiting=max_waiting)


@pytest.mark.parametrize("password", ["x", "p" * 72, "p" * 73, "p" * 4096, "€" * 25, "pa\0ss", "né"])
async def test_a_password_of_any_length_verifies(password: str) -> None:
    hasher = passwords()
    assert await hasher.verify(password, await hasher.hash(password)) == (True, None)


async def test_the_73rd_byte_counts() -> None:
    hasher = passwords()
    stored = await hasher.hash("p" * 72 + "a")
    assert (await hasher.verify("p" * 72 + "b", stored))[0] is False


async def test_an_unknown_user_never_matches() -> None:
    assert (await passwords().verify("anything", None))[0] is False


async def test_an_unknown_user_costs_what_a_known_one_costs() -> None:
    hasher = BcryptPasswords(rounds=10)
    stored = await hasher.hash("right")
    costs = {}
    for name, compared in (("known", stored), ("unknown", None)):
        started = time.perf_counter()
        for _ in range(5):
            await hasher.verify("wrong", compared)
        costs[name] = time.perf_counter() - started
    assert 0.5 < costs["unknown"] / costs["known"] < 2


async def test_a_plain_bcrypt_hash_is_upgraded_when_it_matches() -> None:
    old = bcrypt.hashpw(b"secret phrase", bcrypt.gensalt(4)).decode()
    matches, better = await passwords().verify("secret phrase", old)
    assert matches
    assert better is not None
    assert better.startswith("$bcrypt-sha256$")


async def test_a_long_password_against_a_plain_bcrypt_hash_is_a_mismatch_not_a_fault() -> None:
    old = bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4)).decode()
    assert (await passwords().verify("p" * 100, old))[0] is False


async def test_a_stored_value_that_is_no_hash_is_a_mismatch() -> None:
    assert (await passwords().verify("x", "not a hash"))[0] is False


async def test_more_logins_than_may_wait_are_told_to_come_again() -> None:
    hasher = passwords(max_waiting=2)
    answers = await asyncio.gather(*(hasher.verify("x", None) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, Busy) for answer in answers) == 3
    assert (await hasher.verify("x", None))[0] is False
