"""Labels of metrics: callers must not be able to make new ones."""

import pytest

from insight_engine.api.middleware import method_label


@pytest.mark.parametrize(
    ("method", "label"), [("GET", "GET"), ("POST", "POST"), ("BREW", "other"), ("get", "other")]
)
def test_invented_methods_share_one_label(method: str, label: str) -> None:
    assert method_label(method) == label
