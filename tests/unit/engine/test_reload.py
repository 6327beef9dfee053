"""`--reload` runs the same command without itself."""

import argparse
from pathlib import Path

import pytest

from insight_engine.__main__ import parser
from insight_engine.cli import reload, serve, worker


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["serve", "--reload"], "serve"),
        (["serve", "--reload", "--port", "8080"], "serve --port 8080"),
        (
            ["serve", "--embedded", "--reload", "--data", "/a b", "--host", "::1"],
            "serve --embedded --data '/a b' --host ::1",
        ),
    ],
)
def test_the_api_is_started_as_it_was_asked_for(
    words: list[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _supervised(parser().parse_args(words), monkeypatch) == [command]


def test_a_worker_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _supervised(parser().parse_args(["worker", "--reload"]), monkeypatch) == ["worker"]


def test_the_engines_own_sources_are_watched() -> None:
    assert (reload.SOURCES / "cli" / "reload.py").samefile(Path(reload.__file__))


def _supervised(args: argparse.Namespace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    started: list[str] = []

    def supervise(command: str) -> int:
        started.append(command)
        return 0

    monkeypatch.setattr(reload, "supervise", supervise)
    assert args.run is (serve.run if args.command == "serve" else worker.run)
    assert args.run(args) == 0
    return started
