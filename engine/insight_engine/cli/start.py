"""What `serve` and `worker` do alike when they start: a run folder that never outlives them, port 9090."""

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from insight_engine import runtime
from insight_engine.domain.errors import ConfigurationError
from insight_engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from insight_engine.internal import Drain, InternalServer


@contextmanager
def loading() -> "Iterator[None]":
    """Load modules without collecting garbage in between: there is none, and looking for it takes long.

    What was loaded stays out of the collector's way for good.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def run_folder(settings: Settings) -> "Iterator[runtime.RunFolder]":
    """The run folder, removed at the end whatever happens.

    Raises:
        ConfigurationError: INSIGHT_TMP_DIR cannot be written to.
    """
    try:
        folder = runtime.prepare(settings.tmp_dir)
    except OSError as error:
        raise ConfigurationError(
            "tmp_dir_unusable",
            f"INSIGHT_TMP_DIR is {settings.tmp_dir}, which cannot be used ({error.strerror}): "
            "mount a writable folder there",
        ) from None
    owner = os.getpid()
    try:
        yield folder
    finally:
        if os.getpid() == owner:  # a forked child that ends must not take the folder from the others
            folder.remove()


def internal_server(
    settings: Settings, folder: "runtime.RunFolder", drain: "Drain | None" = None
) -> "InternalServer":
    """The server of metrics, health and load, bound but not yet serving.

    Raises:
        ConfigurationError: its port is taken.
    """
    from insight_engine.internal import InternalServer

    try:
        return InternalServer(folder, settings.internal_port, drain=drain)
    except OSError as error:
        raise ConfigurationError(
            "port_taken",
            f"INSIGHT_INTERNAL_PORT is {settings.internal_port}, which cannot be opened ({error.strerror}): "
            "end what holds it or choose another",
        ) from None
