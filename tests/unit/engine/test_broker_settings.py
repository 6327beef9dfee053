"""How Celery is told to treat its broker."""

from pathlib import Path
from typing import Any

from insight_engine.adapters.queue.broker import celery_app, monitor_app
from insight_engine.settings import Settings


def test_an_error_that_redis_answers_does_not_end_the_worker(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "uri").write_text("redis://127.0.0.1:1")
    conf: Any = celery_app(Settings(secrets_dir=tmp_path)).conf
    assert conf.broker_channel_error_retry


def test_workers_tell_a_monitor_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "uri").write_text("redis://127.0.0.1:1")
    quiet: Any = celery_app(Settings(secrets_dir=tmp_path)).conf
    telling: Any = celery_app(Settings(secrets_dir=tmp_path, worker_events=True)).conf
    assert (quiet.worker_send_task_events, telling.worker_send_task_events) == (False, True)
    assert telling.worker_enable_remote_control is False


def test_a_monitor_gets_the_login_and_does_not_show_it(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "uri").write_text("rediss://ie:p%40ss%2Fword@broker.example:6380/2")
    app: Any = monitor_app(Settings(secrets_dir=tmp_path))
    with app.connection() as connection:
        assert (connection.hostname, connection.password) == ("broker.example", "p@ss/word")
        assert "word" not in connection.as_uri()
