"""The settings: defaults, parsing, and the sentence for each mistake."""

from pathlib import Path

import pytest

from insight_engine.domain.errors import ConfigurationError
from insight_engine.settings import Settings


def test_defaults_are_those_of_a_pod() -> None:
    settings = Settings.from_env({})
    assert settings.secrets_dir == Path("/var/run/insight")
    assert settings.sources_file == Path("/etc/insight/sources.json")
    assert (settings.api_port, settings.internal_port) == (8000, 9090)


def test_every_field_is_read_from_its_variable() -> None:
    settings = Settings.from_env(
        {
            "INSIGHT_INSTANCE": "vanna",
            "INSIGHT_LOG_LEVEL": "debug",
            "INSIGHT_API_PROCESSES": "3",
            "INSIGHT_DRAIN_TIMEOUT_S": "20",
            "INSIGHT_TMP_DIR": "/scratch",
            "INSIGHT_RESULT_STORE": "folder",
            "INSIGHT_RESULT_DIR": "/results",
            "INSIGHT_RESULT_TTL_S": "60",
            "INSIGHT_HISTORY_DAYS": "7",
            "INSIGHT_WORKER_EVENTS": "true",
        }
    )
    assert (settings.instance, settings.log_level, settings.api_processes) == ("vanna", "DEBUG", 3)
    assert (settings.drain_timeout_s, settings.tmp_dir) == (20, Path("/scratch"))
    assert (settings.result_store, settings.result_dir) == ("folder", Path("/results"))
    assert (settings.result_ttl_s, settings.history_days) == (60, 7)
    assert settings.worker_events is True


def test_foreign_variables_are_ignored() -> None:
    assert Settings.from_env({"PATH": "x", "INSIGHT_OPERATOR_RESYNC_S": "30"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("INSIGHT_API_PORT", "0"),
        ("INSIGHT_API_PORT", "65536"),
        ("INSIGHT_API_PORT", "8000.5"),
        ("INSIGHT_INTERNAL_PORT", ""),
        ("INSIGHT_API_PROCESSES", "many"),
        ("INSIGHT_WORKER_CONCURRENCY", "-1"),
        ("INSIGHT_ACCESS_TOKEN_TTL_S", "1"),
        ("INSIGHT_DRAIN_TIMEOUT_S", "٣"),
        ("INSIGHT_LOG_LEVEL", "LOUD"),
        ("INSIGHT_WORKER_EVENTS", "yes"),
        ("INSIGHT_SECRETS_DIR", "secrets"),
        ("INSIGHT_INSTANCE", "a b"),
        ("INSIGHT_INSTANCE", ""),
        ("INSIGHT_RESULT_STORE", "S3"),
        ("INSIGHT_RESULT_DIR", "results"),
        ("INSIGHT_RESULT_TTL_S", "59"),
        ("INSIGHT_RESULT_TTL_S", "604801"),
        ("INSIGHT_HISTORY_DAYS", "0"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_env({variable: value})
    assert refused.value.message.startswith(f"{variable} is {value!r}: ")
