"""Tells secrets made for development, and values copied from examples, from real ones."""

import json
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from insight_engine.adapters.config.secrets import read_set
from insight_engine.domain.errors import ConfigurationError

DEVELOPMENT_PREFIX: Final = "development-"
"""What docker/make-secrets.sh puts before every secret it makes for development."""
EXAMPLES: Final = frozenset(
    {"admin", "change-me", "change_me", "changeme", "example", "insight", "password", "postgres", "redis"}
    | {"secret", "test"}
)
_SECRET_FILES: Final = frozenset({"password", "token", "secret", "uri", "keyset.json"})


def refuse_development_secrets(root: Path) -> None:
    """Look through every mounted set.

    Raises:
        ConfigurationError: naming the file of the first secret that must not be used in production.
    """
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        for file, text in sorted((read_set(root, folder.name) or {}).items()):
            if file in _SECRET_FILES and any(map(is_example, _secrets_in(file, text))):
                raise ConfigurationError(
                    "development_secret",
                    f"Secret set {folder.name}: {file} was made for development or copied from an example: "
                    "make a real one, for Compose with `docker/make-secrets.sh prod` (or stage)",
                )


def is_example(secret: str) -> bool:
    """Whether a secret is one that anybody may know."""
    return secret.startswith(DEVELOPMENT_PREFIX) or secret.casefold() in EXAMPLES


def _secrets_in(file: str, text: str) -> list[str]:
    """The passwords and keys that a file holds; none in what cannot be read, which its reader will refuse."""
    try:
        if file == "uri":
            return [unquote(urlsplit(text).password or "")]
        if file == "keyset.json":
            return [str(key["secret"]) for key in json.loads(text)["keys"]]
    except (ValueError, TypeError, KeyError):
        return []
    return [text]
