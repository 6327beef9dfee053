"""When a maintenance window is open, and when it opens next. Pure: the time is an argument.

A window opens once on each of its days, at a time of its own zone's clocks, and lasts real time: a day on
which clocks are set makes it neither longer nor shorter, nor opens it twice.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from insight_operator.crd.base import seconds
from insight_operator.crd.upgrade import Weekday, Window

_DAYS = tuple(Weekday)
# An opening begun yesterday may last until today, and the next one is at most a week away.
_LOOK_BACK, _LOOK_AHEAD = 2, 8


def is_open(window: Window, now: datetime) -> bool:
    """Tell whether `now`, with its zone, lies in an opening."""
    length = timedelta(seconds=seconds(window.duration))
    return any(opening <= now < opening + length for opening in _openings(window, now))


def opens_in(window: Window, now: datetime) -> float:
    """Return the seconds until the next opening begins, however long the present one lasts."""
    coming = (opening for opening in _openings(window, now) if opening > now)
    return (min(coming) - now).total_seconds()


def _openings(window: Window, now: datetime) -> Iterator[datetime]:
    zone: tzinfo = UTC if window.time_zone == "UTC" else ZoneInfo(window.time_zone)
    today = now.astimezone(zone).date()
    start = time.fromisoformat(window.start)
    for offset in range(-_LOOK_BACK, _LOOK_AHEAD + 1):
        day = today + timedelta(days=offset)
        if _DAYS[day.weekday()] in window.days:
            # In UTC: two times of one zone are compared by their clocks, not by the time between them.
            yield datetime.combine(day, start, zone).astimezone(UTC)
