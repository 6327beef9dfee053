"""Nothing but prepare() makes a PreparedQuery, and nothing changes one."""

import ast
import contextlib
import copy
import pickle
from pathlib import Path

import pytest

import insight_engine
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import NotPreparedError, PreparedQuery, prepare
from insight_engine.sqlguard.sealed import claim_sealer, facts

SOURCE = DataSource("sample", Dialect.POSTGRES, ("public",), frozenset(Role))
ENGINE = Path(insight_engine.__file__).parent


def prepared() -> PreparedQuery:
    return prepare(
        "SELECT $1 FROM orders; -- end",
        source=SOURCE,
        grants=Grants(frozenset({"public"})),
        limits=QueryLimits(rows=5),
        parameters=[7],
    )


def test_it_carries_what_was_judged() -> None:
    query = prepared()
    assert (query.sql, query.parameters, query.tables) == ("SELECT $1 FROM orders", (7,), ("public.orders",))
    assert (query.source, query.limits.rows, len(query.policy_digest)) == (SOURCE, 5, 16)


def test_it_cannot_be_constructed() -> None:
    with pytest.raises(NotPreparedError):
        PreparedQuery()


def test_a_bare_instance_has_no_facts() -> None:
    with pytest.raises(NotPreparedError):
        facts(object.__new__(PreparedQuery))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied(how: "object") -> None:
    assert callable(how)
    with pytest.raises(NotPreparedError):
        how(prepared())


@pytest.mark.parametrize("name", ["sql", "source", "parameters", "limits", "tables", "other"])
def test_no_attribute_can_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(prepared(), name, "DROP TABLE orders")
    with pytest.raises(AttributeError):
        object.__setattr__(prepared(), name, "DROP TABLE orders")


@pytest.mark.parametrize("name", ["sql", "source", "__eq__", "__hash__", "__new__"])
def test_the_class_cannot_be_changed(name: str) -> None:
    with pytest.raises(NotPreparedError):
        setattr(PreparedQuery, name, property(lambda _: "DROP TABLE orders"))
    with pytest.raises(NotPreparedError):
        delattr(PreparedQuery, name)


def test_its_facts_cannot_be_changed() -> None:
    known = facts(prepared())
    with pytest.raises(AttributeError):
        object.__setattr__(known, "sql", "DROP TABLE orders")


def test_another_object_cannot_become_one() -> None:
    class Other:
        __slots__ = ("__weakref__",)

    other = Other()
    with contextlib.suppress(TypeError):
        other.__class__ = PreparedQuery  # type: ignore[assignment]
    with pytest.raises(NotPreparedError):
        facts(other)  # type: ignore[arg-type]


def test_it_cannot_be_extended() -> None:
    with pytest.raises(NotPreparedError):
        type("Forged", (PreparedQuery,), {})


def test_a_lookalike_is_refused() -> None:
    class Lookalike:
        sql = "DROP TABLE orders"

    with pytest.raises(NotPreparedError):
        facts(Lookalike())  # type: ignore[arg-type]


def test_the_stamp_is_handed_out_once() -> None:
    with pytest.raises(NotPreparedError):
        claim_sealer()


def test_only_the_judge_asks_for_the_stamp() -> None:
    users = {
        path.relative_to(ENGINE).as_posix()
        for path in ENGINE.rglob("*.py")
        if any(_name(node) in {"claim_sealer", "_registry"} for node in ast.walk(ast.parse(path.read_text())))
    }
    assert users == {"sqlguard/sealed.py", "sqlguard/prepare.py"}


@pytest.mark.parametrize("adapter", ["postgres", "sqlite", "duckdb"])
def test_an_adapter_runs_only_text_that_it_admitted(adapter: str) -> None:
    tree = ast.parse((ENGINE / "adapters" / "sources" / f"{adapter}.py").read_text())
    stream = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "stream")
    calls = [_name(node.func) for node in ast.walk(stream) if isinstance(node, ast.Call)]
    assert "admit" in calls
    texts = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "sql"}
    assert texts <= {"prepared.sql", "connection.sql"}


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
