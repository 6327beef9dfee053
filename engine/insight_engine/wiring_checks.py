"""What a parent process checks before it starts children: all that would fail in every one of them."""

from insight_engine.adapters.config.endpoints import database_login
from insight_engine.adapters.identity.tokens import watched_keyset
from insight_engine.adapters.results.choose import check_results
from insight_engine.settings import Settings
from insight_engine.wiring_links import source_catalog


def check_api(settings: Settings) -> None:
    """Fail at once, in the parent process, on what would fail in every child.

    Raises:
        ConfigurationError: a secret set or the source list is missing or wrong.
    """
    from insight_engine.adapters.queue.broker import celery_app

    watched_keyset(settings.secrets_dir)
    database_login(settings.secrets_dir)
    celery_app(settings)
    source_catalog(settings)
    check_results(settings)


def check_worker(settings: Settings) -> None:
    """The same for a worker, which has no signing keys."""
    from insight_engine.adapters.queue.broker import celery_app

    database_login(settings.secrets_dir)
    celery_app(settings)
    source_catalog(settings)
    check_results(settings)
