"""What the URI of a PostgreSQL data source may tell the driver."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from insight_engine.adapters.sources.postgres_connect import URI_KEYS, conninfo
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceMisconfigured

CANARY = "CANARY"
URI = f"postgresql://reader:{CANARY}@db.example/shop"


@pytest.mark.parametrize(
    "key",
    [
        "service",
        "passfile",
        "options",
        "sslkey",
        "sslcert",
        "sslrootcert",
        "sslpassword",
        "hostaddr",
        "krbsrvname",
        "replication",
        "gssencmode",
    ],
)
@pytest.mark.parametrize("form", ["{uri}?{key}={secret}", "host=db.example password={secret} {key}={secret}"])
def test_a_key_that_is_not_allowed_is_named_and_nothing_else_is_told(key: str, form: str) -> None:
    uri = form.format(uri=URI, key=key, secret=CANARY)
    with pytest.raises(SourceMisconfigured) as refusal:
        conninfo("shop", SourceCredential(uri=uri))
    said = str(refusal.value)
    assert f" sets {key}, " in said
    assert all(allowed in said for allowed in URI_KEYS)
    assert CANARY not in said


def test_what_hosted_databases_hand_out_is_taken() -> None:
    uri = f"{URI}?sslmode=require&channel_binding=require&target_session_attrs=read-write&connect_timeout=9"
    parts = conninfo_to_dict(conninfo("shop", SourceCredential(uri=uri)))
    assert parts["host"] == "db.example"
    assert parts["dbname"] == "shop"
    assert (parts["user"], parts["password"]) == ("reader", CANARY)
    assert (parts["sslmode"], parts["channel_binding"]) == ("require", "require")
    assert parts["target_session_attrs"] == "read-write"


def test_a_password_that_reads_like_a_key_is_a_password() -> None:
    credential = SourceCredential(host="db.example", username="reader", password="x service=evil", port=5432)
    parts = conninfo_to_dict(conninfo("shop", credential))
    assert parts["password"] == "x service=evil"
    assert "service" not in parts
