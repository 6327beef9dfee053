"""How to reach Redis, for Celery and redis-py alike. Bounded everywhere: a dead broker may cost a second.

The login is read from its files for every new connection, so a rotated password needs no restart.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from insight_engine.adapters.config.endpoints import BrokerLogin, broker_login
from insight_engine.adapters.queue.message import QUEUE
from insight_engine.settings import PREFIX, Settings

if TYPE_CHECKING:
    from celery import Celery

CONNECT_TIMEOUT_S: Final = 1.0
SOCKET_TIMEOUT_S: Final = 5.0
TASK_LIMIT_S: Final = 4 * 3600


class FileCredentials(CredentialProvider):
    """The broker's login, from its secret set as it is now. Celery makes one by its dotted name."""

    def __init__(self, secrets_dir: Path | None = None) -> None:
        self._secrets_dir = (
            secrets_dir
            or Settings.from_env(
                {key: value for key, value in os.environ.items() if key == f"{PREFIX}SECRETS_DIR"}
            ).secrets_dir
        )

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """(user, password), or the password alone."""
        login = broker_login(self._secrets_dir)
        password = login.password or ""
        return (login.username, password) if login.username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same; reading a small file from memory does not block."""
        return self.get_credentials()


def channel_name(instance: str) -> str:
    """The channel that carries the ids of queries that changed."""
    return f"insight:{instance}:ended"


def control_channel_name(instance: str) -> str:
    """The channel on which workers are called beside their queries."""
    return f"insight:{instance}:control"


def celery_app(settings: Settings) -> "Celery":
    """The Celery application: how ids travel, and nothing about what is done with them.

    Raises:
        ConfigurationError: the broker set is missing or wrong.
    """
    from celery import Celery  # heavy, and only workers have one

    login = broker_login(settings.secrets_dir)
    app = Celery("insight", set_as_current=False)
    app.conf.update(**_connection(login, settings.instance), **_tasks(), **_pool(settings))
    return app


def monitor_app(settings: Settings) -> "Celery":
    """The same for a monitor, which knows no credential provider: the login is in the address, in memory.

    Raises:
        ConfigurationError: the broker set is missing or wrong.
    """
    app = celery_app(settings)
    app.conf.update(broker_url=_address_with_login(broker_login(settings.secrets_dir)))
    return app


def _connection(login: BrokerLogin, instance: str) -> dict[str, Any]:
    """How the broker is reached, and that losing it ends nothing."""
    return {
        "broker_url": _celery_url(login),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": CONNECT_TIMEOUT_S,
        # An error that Redis answers (loading, read-only, no permission) ends the worker without this.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            "socket_keepalive": True,
            "retry_on_timeout": False,
            "visibility_timeout": 2 * TASK_LIMIT_S + 600,
            "global_keyprefix": f"insight:{instance}:",
        },
        "broker_use_ssl": {"ssl_cert_reqs": "required"} if login.tls else None,
    }


def _tasks() -> dict[str, Any]:
    """A task is a query's id: it may be lost, doubled and late, as the store decides."""
    return {
        "task_default_queue": QUEUE,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_time_limit": TASK_LIMIT_S,
        "task_publish_retry": False,
        "enable_utc": True,
    }


def _pool(settings: Settings) -> dict[str, Any]:
    """A worker takes what it can run at once, and is steered by the store alone."""
    return {
        "worker_concurrency": settings.worker_concurrency,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_enable_remote_control": False,
        "worker_send_task_events": settings.worker_events,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
    }


def _celery_url(login: BrokerLogin) -> str:
    provider = f"{FileCredentials.__module__}.{FileCredentials.__qualname__}"
    suffix = f"?credential_provider={provider}" if login.password is not None else ""
    return _address(login) + suffix


def _address_with_login(login: BrokerLogin) -> str:
    if login.password is None:
        return _address(login)
    return _address(login, f"{quote(login.username or '', safe='')}:{quote(login.password, safe='')}@")


def _address(login: BrokerLogin, credentials: str = "") -> str:
    scheme = "rediss" if login.tls else "redis"
    return f"{scheme}://{credentials}{login.host}:{login.port}/{login.database}"


def redis_client(secrets_dir: Path, *, socket_timeout_s: float | None) -> "Redis":
    """A redis-py client with the same login; connects at first use.

    Raises:
        ConfigurationError: the broker set is missing or wrong.
    """
    login = broker_login(secrets_dir)
    options: dict[str, Any] = {"ssl": True} if login.tls else {}
    if login.password is not None:
        options["credential_provider"] = FileCredentials(secrets_dir)
    return Redis(
        host=login.host,
        port=login.port,
        db=login.database,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=socket_timeout_s,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1),
        **options,
    )
