"""What a log line may hold."""

import pytest

from insight_engine.telemetry import REDACTED, redact, scrub


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach postgresql://ie:CANARY@db:5432/x",
        "redis://:CANARY@cache",
        "connection failed: password=CANARY host=db",
        "FATAL: Password: CANARY",
        "Authorization: Bearer CANARY",
        "got eyJhbGciOiJIUzI1NiJ9.CANARY.CANARY",
        "secret = CANARY",
        "password='CANARY'",
        'conninfo password = "CANARY"',
        '{"password": "CANARY", "user": "x"}',
        "postgresql://u:CAN@CANARY@host/db",
    ],
)
def test_secrets_in_text_are_scrubbed(text: str) -> None:
    assert "CANARY" not in scrub(text)
    assert REDACTED in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "Took the lead",
        "GET /api/v1/queries",
        "a://b",
        "12:34:56 user@example.com",
        "The database refuses the login of the mounted secret: check its username and password",
        "syntax error near token: foo",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    "key", ["password", "password_hash", "access_token", "client_secret", "conninfo", "uri"]
)
def test_secrets_by_name_are_redacted(key: str) -> None:
    assert redact(None, "info", {key: "CANARY", "event": "x"}) == {key: REDACTED, "event": "x"}


def test_secrets_inside_nested_values_are_redacted() -> None:
    event = {"event": "x", "given": {"password": "CANARY", "hosts": ["postgresql://u:CANARY@h"]}}
    assert "CANARY" not in str(redact(None, "info", event))
