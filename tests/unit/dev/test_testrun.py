"""The summary that continuous integration reads."""

from pathlib import Path

from dev.testrun import TIERS, Count, Outcome, read_junit, summary

JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="one"/>
<testcase classname="a" name="two"><failure message="no"/></testcase>
<testcase classname="a" name="three"><error message="no"/></testcase>
<testcase classname="a" name="four"><skipped message="NOT RUN: needs a cluster"/></testcase>
</testsuite></testsuites>"""


def test_counts_come_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT)
    count = read_junit(report)
    assert (count.passed, count.failed) == (1, 2)
    assert count.skipped == ["a::four: NOT RUN: needs a cluster"]


def test_a_missing_report_counts_as_nothing_run(tmp_path: Path) -> None:
    assert read_junit(tmp_path / "absent.xml") == Count()


def test_the_last_line_counts_everything() -> None:
    outcomes = [
        Outcome(TIERS[0], 60, Count()),
        Outcome(TIERS[1], 30, Count(passed=5, failed=1), "pytest ended with 1"),
    ]
    assert summary(outcomes).splitlines()[-1] == "5 passed, 1 failed, 0 skipped"


def test_a_failed_command_shows_as_a_failure_even_without_tests() -> None:
    last = summary([Outcome(TIERS[0], 1, Count(), "`mypy` failed")]).splitlines()[-1]
    assert last == "0 passed, 1 failed, 0 skipped"


def test_a_tier_that_this_machine_cannot_run_is_shown_as_such() -> None:
    text = summary([Outcome(TIERS[-1], 1, Count(skipped=["e2e::x: needs real pods"]))])
    assert "NOT RUN" in text.splitlines()[2]


def test_tests_that_did_not_run_are_named() -> None:
    text = summary([Outcome(TIERS[1], 1, Count(passed=1, skipped=["e2e::x: needs real pods"]))])
    assert "NOT RUN: e2e::x: needs real pods" in text
