"""The pulse of the watches: how old the last sign of life is, and when that is too old."""

from insight_operator.cluster.pulse import DEAF_S, SILENCE_S, Pulse


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_age_of_a_kind_is_that_of_its_most_silent_watch() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.heard("Pod", "a")
    clock.now += 5
    pulse.heard("Pod", "b")
    pulse.heard("Service", "a")
    assert pulse.ages() == {"Pod": 5.0, "Service": 0.0}


def test_a_watch_is_deaf_only_after_it_had_time_to_be_made_anew() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.heard("Pod", "a")
    clock.now += DEAF_S
    assert DEAF_S > SILENCE_S
    assert pulse.deaf() == []
    clock.now += 1
    assert pulse.deaf() == [("Pod", "a")]
    pulse.heard("Pod", "a")
    assert pulse.deaf() == []


def test_nothing_is_expected_of_a_watch_that_is_refused() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.heard("Pod", "a")
    pulse.excused("Pod", "a")
    clock.now += 1000
    assert (pulse.deaf(), pulse.ages()) == ([], {})
