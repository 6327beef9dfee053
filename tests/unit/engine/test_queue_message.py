"""What the doorbell writes is what the installed Celery would write."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from celery import Celery

from insight_engine.adapters.queue.broker import celery_app
from insight_engine.adapters.queue.message import CORRELATION_HEADER, QUEUE, TASK, queue_key, task_message
from insight_engine.settings import Settings

QUERY = str(UUID(int=7))


def _by_celery() -> dict[str, Any]:
    app = Celery("insight", broker="memory://", set_as_current=False)
    app.conf.update(task_default_queue=QUEUE, task_serializer="json", task_ignore_result=True)
    with app.connection_for_write() as connection:
        app.send_task(
            TASK, args=[QUERY], task_id=QUERY, headers={CORRELATION_HEADER: "c0ffee"}, connection=connection
        )
        channel: Any = connection.default_channel
        found = channel._get(QUEUE)  # what the transport stores
    return dict(found)


def _shape(message: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from message to message or depends on where it was written."""
    properties = {k: v for k, v in message["properties"].items() if k not in {"delivery_tag", "reply_to"}}
    headers = {k: v for k, v in message["headers"].items() if k != "origin"}
    return {**message, "headers": headers, "properties": properties, "body": json.loads(_body(message))}


def _body(message: dict[str, Any]) -> bytes:
    assert message["properties"]["body_encoding"] == "base64"
    return b64decode(message["body"])


def test_a_ring_is_a_task_as_celery_writes_it() -> None:
    ours = json.loads(task_message(QUERY, "c0ffee"))
    assert _shape(ours) == _shape(_by_celery())
    assert (
        ours["properties"]["delivery_tag"]
        != json.loads(task_message(QUERY, ""))["properties"]["delivery_tag"]
    )


def test_the_list_is_the_one_that_celery_takes_from(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "uri").write_text("redis://127.0.0.1:1")
    conf: Any = celery_app(Settings(instance="one", secrets_dir=tmp_path)).conf
    assert queue_key("one") == conf.broker_transport_options["global_keyprefix"] + conf.task_default_queue


@pytest.mark.parametrize("told", ["", "x" * 128])
def test_any_correlation_id_travels(told: str) -> None:
    assert json.loads(task_message(QUERY, told))["headers"][CORRELATION_HEADER] == told
