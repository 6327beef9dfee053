"""A pool child whose loop ends makes room for a new one."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from insight_engine import wiring
from insight_engine.runtime import RunFolder
from insight_engine.settings import Settings
from insight_engine.worker import child as child_module
from insight_engine.worker.child import Child


def exits(monkeypatch: pytest.MonkeyPatch, services: Any) -> list[int]:
    codes: list[int] = []

    @asynccontextmanager
    async def worker(settings: Settings) -> AsyncIterator[Any]:
        del settings
        if isinstance(services, Exception):
            raise services
        yield services

    monkeypatch.setattr(wiring, "worker", worker)
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(child_module, "RESTART_PAUSE_S", 0.0)
    return codes


async def ends_at_once() -> None:
    """What a loop that should run for ever must not do."""


async def answers() -> bool:
    return True


def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "ticks").mkdir()
    return RunFolder(tmp_path)


def test_a_child_whose_polling_ended_exits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = SimpleNamespace(
        slot=SimpleNamespace(poll_forever=ends_at_once),
        control=SimpleNamespace(run_forever=ends_at_once),
        housekeeper=SimpleNamespace(run_forever=ends_at_once),
        database=SimpleNamespace(healthy=answers),
    )
    codes = exits(monkeypatch, services)
    Child(Settings(), folder(tmp_path))._run()
    assert codes == [1]


def test_a_child_that_cannot_start_exits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = exits(monkeypatch, RuntimeError("a fault"))
    Child(Settings(), folder(tmp_path))._run()
    assert codes == [1]


def test_a_fault_while_draining_leaves_the_exit_to_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = exits(monkeypatch, RuntimeError("a fault"))
    draining = folder(tmp_path)
    draining.mark_draining()
    Child(Settings(), draining)._run()
    assert codes == []
