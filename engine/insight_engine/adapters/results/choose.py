"""Opens the configured result store, and those that older results may still be in."""

from insight_engine.adapters.config.secrets import stamp
from insight_engine.adapters.results.folder import FolderChunks
from insight_engine.adapters.results.routed import RoutedChunks
from insight_engine.adapters.results.s3 import SECRET_SET, S3Chunks, s3_login, watched_store
from insight_engine.ports import Chunks
from insight_engine.settings import Settings


def check_results(settings: Settings) -> None:
    """See to it that the configured store can be opened.

    Raises:
        ConfigurationError: its secret set is missing or wrong.
    """
    if settings.result_store == "s3":
        s3_login(settings.secrets_dir)


def open_results(settings: Settings, stored: Chunks) -> Chunks:
    """The store that results are written to; `stored` is the one in the metadata store.

    Raises:
        ConfigurationError: the secret set of a store is missing or wrong.
    """
    stores = {"database": stored}
    if settings.result_store == "folder" or settings.result_dir.is_dir():
        stores["folder"] = FolderChunks(settings.result_dir)
    if settings.result_store == "s3" or stamp(settings.secrets_dir, SECRET_SET):
        stores["s3"] = S3Chunks(watched_store(settings.secrets_dir))
    return RoutedChunks(stores.pop(settings.result_store), *stores.values())
