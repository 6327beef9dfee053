"""Starting wrongly: an exit code and one sentence, for each process; no traceback, no secret."""

from collections.abc import Callable, Iterator

import pytest

from support.engine_process import EngineHome


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with EngineHome() as home:
        server = {"host": "127.0.0.1", "port": "1"}
        home.put("database", **server, dbname="insight", username="x", password="CANARY")
        home.put("broker", **server, username="x", password="CANARY")
        yield home


def _remove(home: EngineHome, name: str) -> None:
    for file in (home.secrets / name).iterdir():
        file.unlink()


MISTAKES: dict[str, tuple[Callable[[EngineHome], object], str]] = {
    "no keyset": (lambda home: _remove(home, "jwt"), "Secret set jwt is not mounted"),
    "short key": (
        lambda home: home.put(
            "jwt",
            **{
                "keyset.json": '{"signing": "kid-0001", "keys": [{"kid": "kid-0001", "alg": "HS256",'
                ' "secret": "Q0FOQVJZ"}]}'
            },
        ),
        "shorter than 256 bits",
    ),
    "no database": (lambda home: _remove(home, "database"), "Secret set database is not mounted"),
    "no broker": (lambda home: _remove(home, "broker"), "Secret set broker is not mounted"),
    "broken sources": (lambda home: (home.path / "sources.json").write_text("{"), "is not readable JSON"),
    "a source without schemas": (
        lambda home: home.put_sources({"name": "a", "dialect": "postgres", "roles": []}),
        "sources[0] ('a') is not usable: schemas",
    ),
}


@pytest.mark.parametrize(("mistake", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_configuration_stops_the_api_with_a_sentence(
    home: EngineHome, mistake: Callable[[EngineHome], object], sentence: str
) -> None:
    mistake(home)
    code, log = home.run("serve")
    assert code == 78
    assert sentence in log
    assert "Traceback" not in log
    assert "CANARY" not in log


def test_a_worker_needs_no_signing_keys_but_its_broker(home: EngineHome) -> None:
    _remove(home, "jwt")
    _remove(home, "broker")
    code, log = home.run("worker")
    assert (code, "Secret set broker is not mounted" in log, "jwt" in log) == (78, True, False)


def test_a_wrong_setting_is_named(home: EngineHome) -> None:
    code, log = home.run("serve", INSIGHT_API_PROCESSES="many")
    assert (code, log.strip()) == (
        78,
        "insight-engine: INSIGHT_API_PROCESSES is 'many': set it to a whole number from 1 to 64",
    )


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("serve", "--nonsense")])
def test_wrong_usage_is_exit_2(home: EngineHome, arguments: tuple[str, ...]) -> None:
    code, log = home.run(*arguments) if arguments else home.run("--")
    assert code == 2
    assert "usage: insight-engine" in log


def test_the_api_starts_without_its_database_and_says_so(home: EngineHome) -> None:
    import httpx

    home.start_api()
    answer = httpx.get(f"{home.url}/health", timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
