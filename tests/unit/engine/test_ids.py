"""Identifiers sort by when they were made."""

from insight_engine.domain.ids import uuid7


def test_ids_are_of_version_7_and_sort_by_when_they_were_made() -> None:
    made = [uuid7() for _ in range(5_000)]
    assert made == sorted(made)
    assert len({*made}) == len(made)
    assert {(made_id.version, made_id.variant) for made_id in made} == {(7, "specified in RFC 4122")}


def test_an_id_tells_the_millisecond_and_what_follows_it() -> None:
    first = uuid7(1_700_000_000_000_000_000, bytes(8))
    assert str(first) == "018bcfe5-6800-7000-8000-000000000000"
    assert str(uuid7(1_700_000_000_000_999_999, b"\xff" * 8)) == "018bcfe5-6800-7fff-bfff-ffffffffffff"
