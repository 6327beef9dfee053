"""Second looks: soon after something happened, ever rarer in a quiet world, and never dear."""

from insight_operator.handlers.looks import CHEAP_S, LONGEST_S, Rhythm


def looks(rhythm: Rhythm, until_s: float, cost_s: float = 0.01) -> list[float]:
    """Return when it is looked in a quiet world, judged every 30 seconds."""
    found = []
    for now_s in range(30, int(until_s), 30):
        if rhythm.is_due(now_s):
            found.append(float(now_s))
            rhythm.looked(now_s, cost_s, news=False)
    return found


def test_quiet_makes_looks_rare() -> None:
    assert looks(Rhythm(30, 0, 0.01), 1000) == [30, 90, 210, 450, 930]


def test_after_a_quiet_day_it_is_looked_every_ten_minutes() -> None:
    found = looks(Rhythm(30, 0, 0.01), 86_400)
    assert found[-1] - found[-2] == LONGEST_S == 600


def test_whatever_happens_brings_the_next_look_near() -> None:
    rhythm = Rhythm(30, 0, 0.01)
    looks(rhythm, 1000)
    assert not rhythm.is_due(1000)
    rhythm.stir()
    assert rhythm.is_due(1000)


def test_a_look_that_showed_what_no_watch_told_is_soon_followed_by_another() -> None:
    rhythm = Rhythm(30, 0, 0.01)
    looks(rhythm, 1000)
    rhythm.looked(1000, 0.01, news=True)
    assert rhythm.is_due(1030)


def test_what_is_dear_is_done_rarely_even_when_much_happens() -> None:
    rhythm = Rhythm(30, 0, 10 * CHEAP_S)
    rhythm.stir()
    assert not rhythm.is_due(290)
    assert rhythm.is_due(300)


def test_nothing_is_so_dear_that_it_is_not_done_every_ten_minutes() -> None:
    assert Rhythm(30, 0, 60.0).is_due(LONGEST_S)


def test_a_moment_that_comes_a_little_early_is_not_passed_over() -> None:
    """Otherwise the look that was due comes with the next moment, after twice the time."""
    assert Rhythm(30, 0, 0.01).is_due(27.5)
    assert not Rhythm(30, 0, 0.01).is_due(26.5)
