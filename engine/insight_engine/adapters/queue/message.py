"""A ring as Celery writes it: its protocol 2, in the envelope of kombu's Redis transport.

Written by hand because Celery's own client blocks: it needs a thread, and a millisecond of processor time per
query. A test compares what stands here with what the installed Celery writes.
"""

import os
import socket
from base64 import b64encode
from typing import Any, Final
from uuid import uuid4

import orjson

TASK: Final = "insight.run"
QUEUE: Final = "queries"
CORRELATION_HEADER: Final = "x_correlation_id"
_EMBEDDED: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_HEADERS: Final[dict[str, Any]] = {
    "lang": "py",
    "task": TASK,
    "shadow": None,
    "eta": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "retries": 0,
    "timelimit": [None, None],
    "parent_id": None,
    "kwargsrepr": "{}",
    "ignore_result": None,
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}


def queue_key(instance: str) -> str:
    """The Redis list that an instance's workers take their tasks from."""
    return f"insight:{instance}:{QUEUE}"


def task_message(query_id: str, correlation_id: str) -> bytes:
    """The task that runs a query."""
    headers = {
        **_HEADERS,
        "id": query_id,
        "root_id": query_id,
        "argsrepr": f"['{query_id}']",
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        CORRELATION_HEADER: correlation_id,
    }
    properties = {
        "correlation_id": query_id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    message = {
        "body": b64encode(orjson.dumps([[query_id], {}, _EMBEDDED])).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties,
    }
    return orjson.dumps(message)
