"""`insight-engine user`, as an operator's person runs it: on both stores."""

import secrets

from support.engine_client import EngineClient
from support.users import Users


def test_a_user_is_added_once_and_can_log_in(users: Users) -> None:
    name = f"Ünal-{secrets.token_hex(4)}"
    client = users.add("viewer", name)
    assert client.http.get("/api/v1/auth/me").json()["role"] == "viewer"
    code, said = users.run("add", name.upper(), "--role", "admin", password="long enough a password")
    assert (code, "already" in said, "Traceback" in said) == (78, True, False)


def test_a_bad_name_or_password_is_refused_in_a_sentence(users: Users) -> None:
    for name, password in (
        ("", "long enough a password"),
        ("a\nb", "long enough a password"),
        ("n", "short"),
    ):
        code, said = users.run("add", name, "--role", "viewer", password=password)
        assert (code, said.count("\n"), password in said) == (78, 1, False), said


def test_the_last_admin_cannot_be_disabled(users: Users) -> None:
    code, said = users.run("disable", "admin")
    assert (code, "only admin" in said) == (78, True)
    second = f"second-{secrets.token_hex(4)}"
    users.add("admin", second)
    assert users.run("disable", second)[0] == 0
    assert users.run("disable", "admin")[0] == 78
    listed = users.run("list")[1]
    assert f"{second}\tadmin\tdisabled" in listed
    assert "admin\tadmin\tenabled" in listed


def test_a_new_password_replaces_the_old_one(users: Users) -> None:
    name, new = f"changing-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    users.add("viewer", name)
    assert users.run("set-password", name, password=new)[0] == 0
    assert EngineClient(users.home.url, name, new).http.get("/api/v1/auth/me").status_code == 200


def test_an_unknown_user_is_named(users: Users) -> None:
    code, said = users.run("disable", "nobody-here")
    assert (code, "nobody-here" in said) == (78, True)
