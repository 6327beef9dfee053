"""When a maintenance window is open: by its own zone's clocks, once a day, also when clocks are set."""

from datetime import UTC, datetime, timedelta

import pytest

from insight_operator.crd.upgrade import Weekday, Window
from insight_operator.desired.windows import is_open, opens_in

ALL = tuple(Weekday)


def window(start: str, duration: str, *days: str, zone: str = "Europe/Berlin") -> Window:
    return Window(
        days=tuple(Weekday(day) for day in days) or ALL, start=start, duration=duration, time_zone=zone
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def opening(asked: Window, day: str) -> list[str]:
    """Return when it opens and closes between noon before and noon after a day, to the minute, in UTC."""
    start = at(f"{day}T12:00+00:00") - timedelta(days=1)
    minutes = [start + timedelta(minutes=count) for count in range(24 * 60)]
    states = [is_open(asked, minute) for minute in minutes]
    flips = [index for index in range(1, len(states)) if states[index] != states[index - 1]]
    return [minutes[index].strftime("%H:%M") for index in flips]


def test_it_is_open_from_its_start_until_its_length_has_passed() -> None:
    asked = window("02:00", "3h", "Wed")
    assert not is_open(asked, at("2026-05-06T01:59:59+02:00"))
    assert is_open(asked, at("2026-05-06T02:00:00+02:00"))
    assert is_open(asked, at("2026-05-06T04:59:59+02:00"))
    assert not is_open(asked, at("2026-05-06T05:00:00+02:00"))


def test_days_are_those_of_its_own_zone() -> None:
    asked = window("00:30", "1h", "Wed", zone="Pacific/Auckland")
    assert is_open(asked, at("2026-05-05T13:00:00+00:00"))  # still Tuesday in London
    assert not is_open(asked, at("2026-05-06T13:00:00+00:00"))


def test_it_reaches_over_midnight_into_a_day_that_is_not_listed() -> None:
    asked = window("23:00", "4h", "Sun")
    assert is_open(asked, at("2026-05-11T02:59:00+02:00"))  # a Monday
    assert not is_open(asked, at("2026-05-11T23:30:00+02:00"))
    assert not is_open(asked, at("2026-05-10T02:00:00+02:00"))


def test_a_whole_day_every_day_is_always_open() -> None:
    asked = window("06:00", "24h")
    assert all(is_open(asked, at("2026-03-27T00:00+00:00") + timedelta(hours=hour)) for hour in range(23))


def test_a_start_that_clocks_skip_is_not_skipped() -> None:
    # On 29 March 2026 at 02:00 clocks go to 03:00 in Berlin: 02:30 would have been 01:30 UTC.
    assert opening(window("02:30", "2h"), "2026-03-29") == ["01:30", "03:30"]


def test_a_start_that_clocks_show_twice_opens_once() -> None:
    # On 25 October 2026 at 03:00 clocks go back to 02:00: the first 02:30 is 00:30 UTC.
    assert opening(window("02:30", "30m"), "2026-10-25") == ["00:30", "01:00"]


def test_it_lasts_real_time_over_a_change_of_clocks() -> None:
    assert opening(window("01:00", "3h"), "2026-03-29") == ["00:00", "03:00"]
    assert opening(window("01:00", "3h"), "2026-10-25") == ["23:00", "02:00"]


@pytest.mark.parametrize(
    ("now", "expected_s"),
    [
        ("2026-05-06T01:00:00+02:00", 3600),
        ("2026-05-06T02:00:00+02:00", 7 * 24 * 3600),  # open now: the next one is meant
        ("2026-05-06T02:00:01+02:00", 7 * 24 * 3600 - 1),
        ("2026-10-21T02:00:00+02:00", 7 * 24 * 3600 + 3600),  # a week with an hour more
    ],
)
def test_the_next_opening_is_foreseen(now: str, expected_s: int) -> None:
    assert opens_in(window("02:00", "3h", "Wed"), at(now)) == expected_s


def test_the_zone_utc_needs_no_database() -> None:
    asked = window("02:00", "1h", "Wed", zone="UTC")
    assert is_open(asked, at("2026-05-06T02:30:00+00:00"))
    assert opens_in(asked, at("2026-05-06T01:00:00+00:00")) == 3600
