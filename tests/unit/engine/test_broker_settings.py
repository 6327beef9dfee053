"""How Celery is told to treat its broker."""

from pathlib import Path
from typing import Any

from insight_engine.adapters.queue.broker import celery_app
from insight_engine.settings import Settings


def test_an_error_that_redis_answers_does_not_end_the_worker(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "uri").write_text("redis://127.0.0.1:1")
    conf: Any = celery_app(Settings(secrets_dir=tmp_path)).conf
    assert conf.broker_channel_error_retry
