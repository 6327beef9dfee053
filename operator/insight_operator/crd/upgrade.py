"""When pods may be restarted for a change that nobody asked for in the spec, or that is to be timed."""

from enum import StrEnum
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from insight_operator.crd.base import SET, Duration, Model, Rule, Unique, seconds

_SHORTEST_S, _LONGEST_S = 600, 24 * 3600
_TIME_ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"


class Weekday(StrEnum):
    """A day of the week, in the window's time zone."""

    MONDAY = "Mon"
    TUESDAY = "Tue"
    WEDNESDAY = "Wed"
    THURSDAY = "Thu"
    FRIDAY = "Fri"
    SATURDAY = "Sat"
    SUNDAY = "Sun"


class Strategy(StrEnum):
    """What may restart pods without being asked again."""

    AUTOMATIC = "Automatic"
    SUPERVISED = "Supervised"


def zone_exists(name: str) -> bool:
    """Tell whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return name == "UTC"  # known without any time zone database
    return True


class Window(Model):
    """A time of the week in which restarts are welcome."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.duration) >= duration('10m') && duration(self.duration) <= duration('24h')",
            "must be between 10m and 24h",
            lambda window: _SHORTEST_S <= seconds(window.duration) <= _LONGEST_S,
            "duration",
        ),
        # The API server fails to evaluate it, and so refuses, where there is no such zone.
        Rule(
            "timestamp('2000-01-01T00:00:00Z').getFullYear(self.timeZone) > 0",
            "there is no such time zone: use a name such as Europe/Berlin or UTC",
            lambda window: zone_exists(window.time_zone),
            "timeZone",
        ),
    )

    days: Annotated[tuple[Weekday, ...], Unique, Field(min_length=1, max_length=7, json_schema_extra=SET)]
    """Days on which it opens."""
    start: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
    """When it opens, as `02:00`. Where clocks skip that time it opens when they would have shown it."""
    duration: Duration
    """How long it stays open, from 10m to 24h; it may reach into the next day."""
    time_zone: Annotated[str, Field(pattern=_TIME_ZONE, max_length=64)] = "UTC"
    """Time zone of days and start, by its IANA name."""


class Upgrade(Model):
    """When pods are restarted for a new operator, or for changed settings of it."""

    strategy: Strategy = Strategy.AUTOMATIC
    """`Supervised`: a change of the spec that restarts pods waits for approval or the window too."""
    window: Window | None = None
    """Time in which waiting restarts are made; absent, they wait for an approval or a change of the spec."""
