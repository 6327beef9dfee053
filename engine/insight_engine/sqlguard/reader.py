"""Reads which row sources each reference of a statement could mean. Pure; one walk over the tree.

A scope is a query and the queries around it. What a reference may see is taken generously (a subquery in FROM
sees its neighbours, as with LATERAL), because the judges of columns refuse what any reading would refuse.
A name that WITH defines hides a table only where every database would see it so; in doubt it counts as a
real table, which needs a grant.
"""

from collections.abc import Mapping

from sqlglot import exp

from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.scopes import Rows, RowSource, Scope, Scopes
from insight_engine.sqlguard.text import fold

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
_FROM_PARTS = frozenset({"this", "expression", "with_", "from_", "joins", "laterals"})
_REFERENCES = (exp.Column, exp.Dot, exp.Star, exp.Columns, exp.In)
Ctes = Mapping[str, Rows]


def read_scopes(tree: exp.Expr, names: Names) -> Scopes:
    """Read a statement's scopes; references outside any query see every row source of the statement."""
    reader = _Reader(names)
    reader.query(tree, None, {})
    seen = reader.seen
    missed = [node for node in tree.find_all(exp.Table, *_REFERENCES) if id(node) not in seen]
    missed.sort(key=lambda node: not isinstance(node, exp.Table))
    if missed:
        everything = Scope(None, [source for scope in reader.found.every for source in scope.sources])
        for node in missed:
            reader.record(node, everything, {})
    return reader.found


class _Reader:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.found = Scopes()
        self.seen: set[int] = set()

    def query(self, node: exp.Expr, parent: Scope | None, ctes: Ctes) -> Rows:
        """Read a query and what is in it; returns what it offers."""
        scope = Scope(parent)
        self.found.every.append(scope)
        ctes = self._with(node, parent, ctes)
        if isinstance(node, exp.Select):
            return self._select(node, scope, ctes)
        rows = Rows()
        if isinstance(node, exp.SetOperation):
            rows = self.query(node.this, parent, ctes)
            other = self.query(node.expression, parent, ctes)
            if node.args.get("by_name"):
                rows = Rows.of([*rows.columns, *other.columns], is_open=rows.is_open or other.is_open)
        elif isinstance(node, exp.Subquery) and _holds_query(node):
            rows = self.query(node.this, parent, ctes)
        elif isinstance(node, exp.Subquery):
            self.source(node, scope, ctes)
        scope.results.update(rows.columns)
        self._expressions(node, scope, ctes, skip=_FROM_PARTS)
        if isinstance(node, exp.Values):
            self._expressions(node.this, scope, ctes)
        return _renamed(rows, node, self.names)

    def _with(self, node: exp.Expr, parent: Scope | None, ctes: Ctes) -> Ctes:
        clause = node.args.get("with_")
        if not isinstance(clause, exp.With):
            return ctes
        inner = dict(ctes)
        for cte in clause.expressions:
            name = self.names.spelled_table(cte.args["alias"].this)
            body = cte.this
            recurses = clause.args.get("recursive") or self.names.policy.recurses_unasked
            if recurses and isinstance(body, exp.SetOperation):
                rows = self._recursive(cte, body, name, parent, inner)
            else:
                rows = self.query(body, parent, inner)
            self.seen.add(id(cte))
            inner[name] = _renamed(rows, cte, self.names)
        return inner

    def _recursive(
        self, cte: exp.Expr, body: exp.SetOperation, name: str, parent: Scope | None, ctes: Ctes
    ) -> Rows:
        """Only the right arm of WITH RECURSIVE's set operation sees the name being defined."""
        scope = Scope(parent)
        self.found.every.append(scope)
        ctes = self._with(body, parent, ctes)
        rows = self.query(body.this, parent, ctes)
        self.query(body.expression, parent, {**ctes, name: _renamed(rows, cte, self.names)})
        scope.results.update(rows.columns)
        self._expressions(body, scope, ctes, skip=_FROM_PARTS)
        return rows

    def _select(self, node: exp.Select, scope: Scope, ctes: Ctes) -> Rows:
        clause = node.args.get("from_")
        if isinstance(clause, exp.From):
            self.source(clause.this, scope, ctes)
        for join in node.args.get("joins") or ():
            self._join(join, scope, ctes)
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope, ctes)
        for projection in node.expressions:
            if isinstance(projection, exp.Alias | exp.Aliases):
                scope.results.update(self.names.spelled(name) for name in _aliases(projection))
        self._expressions(node, scope, ctes, skip=_FROM_PARTS)
        return self._results(node, scope)

    def _results(self, node: exp.Select, scope: Scope) -> Rows:
        columns: list[str] = []
        is_open = False
        for projection in node.expressions:
            if isinstance(projection, exp.Alias | exp.Aliases):
                columns += [self.names.spelled(name) for name in _aliases(projection)]
            elif isinstance(projection, exp.Column) and isinstance(projection.this, exp.Identifier):
                columns.append(self.names.spelled(projection.this))
            elif isinstance(projection, exp.Star) and not projection.args.get("rename"):
                for source in scope.sources:
                    columns += source.rows.columns
                    is_open = is_open or source.rows.is_open
            else:
                is_open = True
                if isinstance(projection, exp.Column) and projection.is_star:
                    columns += [c for source in scope.sources for c in source.rows.columns]
        return Rows.of(columns, is_open=is_open)

    def _join(self, join: exp.Join, scope: Scope, ctes: Ctes) -> None:
        scope.joins.append(join)
        self.source(join.this, scope, ctes)
        self._expressions(join, scope, ctes, skip=frozenset({"this"}))

    def source(self, node: exp.Expr, scope: Scope, ctes: Ctes) -> None:
        """Read one entry of FROM, and what is joined to it inside its brackets."""
        bracket = isinstance(node, exp.Subquery | exp.Paren) and not _holds_query(node)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            scope.sources.append(self.table(node, ctes))
            self.seen.add(id(node))
        elif bracket:
            self._bracket(node, node.this, scope, ctes)
        elif isinstance(node, exp.Subquery):
            rows = self.query(node, scope, ctes)
            scope.sources.append(RowSource(self._name(_alias(node)), rows))
        else:
            self._other(node, scope, ctes)
            return
        for join in node.args.get("joins") or ():
            self._join(join, scope, ctes)
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope, ctes)
        if not isinstance(node, exp.Subquery):
            self._expressions(node, scope, ctes, skip=_FROM_PARTS)

    def _bracket(self, node: exp.Expr, inner: exp.Expr, scope: Scope, ctes: Ctes) -> None:
        first = len(scope.sources)
        self.source(inner, scope, ctes)
        alias = _alias(node)
        if alias is None:
            return
        inside = scope.sources[first:]
        limited = any(source.readable is not None for source in inside)
        columns = [column for source in inside for column in source.rows.columns]
        is_open = any(source.rows.is_open for source in inside)
        rows = _aliased(Rows.of(columns, is_open=is_open), alias, self.names)
        nothing: frozenset[str] | None = frozenset() if limited else None
        place = alias.this.meta.get("start", 0) if alias.this is not None else 0
        scope.sources.append(RowSource(self._name(alias), rows, nothing, None, limited, place))

    def _other(self, node: exp.Expr, scope: Scope, ctes: Ctes) -> None:
        """A function, VALUES, UNNEST or LATERAL as a row source."""
        alias = _alias(node)
        rows = Rows()
        target = node.this if isinstance(node, exp.Lateral) else node
        is_function = not isinstance(target, exp.Subquery | exp.Values)
        if isinstance(target, exp.Subquery):
            rows = self.query(target, scope, ctes)
            self._expressions(node, scope, ctes, skip=frozenset({"this"}))
        else:
            self._expressions(node, scope, ctes)
            self.seen.add(id(node))
        if alias is not None:
            rows = _aliased(rows, alias, self.names)
        ordinal = target.args.get("offset")
        if isinstance(ordinal, exp.Identifier):
            # WITH ORDINALITY: the parser keeps the last column's name apart.
            rows = Rows((*rows.columns, self.names.spelled(ordinal)), rows.is_open)
        name = self._name(alias)
        if alias is None and is_function and self.names.policy.column_functions:
            name = _function_name(target)
        scope.sources.append(RowSource(name, rows, is_function=is_function))

    def table(self, node: exp.Table, ctes: Ctes) -> RowSource:
        """A named table: a WITH query where it hides the real one, else the real one."""
        names, alias = self.names, _alias(node)
        name = self._name(alias) or names.spelled(node.this)
        if node.args.get("db") is None:
            rows = ctes.get(names.spelled_table(node.this))
            if rows is not None:
                return RowSource(name, _aliased(rows, alias, names))
            if _is_dual(node, names):
                return RowSource(None, Rows((), is_open=False))
        self.found.tables.append(node)
        table = names.full_name(node)
        columns = names.columns_of(table)
        readable = names.readable(table)
        rows = Rows() if columns is None else Rows(columns, is_open=False)
        renamed = alias is not None and bool(alias.args.get("columns"))
        place = node.this.meta.get("start", 0)
        return RowSource(name, _aliased(rows, alias, names), readable, table, renamed, place)

    def _name(self, alias: exp.TableAlias | None) -> str | None:
        return None if alias is None or alias.this is None else self.names.spelled(alias.this)

    def _expressions(
        self, root: exp.Expr | None, scope: Scope, ctes: Ctes, skip: frozenset[str] = frozenset()
    ) -> None:
        """Record the references below `root`, without going down one call per level."""
        stack = _children(root, skip) if root is not None else []
        while stack:
            node = stack.pop()
            if isinstance(node, _QUERIES):
                self.query(node, scope, ctes)
                continue
            self.record(node, scope, ctes)
            stack += _children(node, frozenset())

    def record(self, node: exp.Expr, scope: Scope, ctes: Ctes) -> None:
        """Keep a node that the judges want to see."""
        if isinstance(node, exp.Table):
            self.seen.add(id(node))
            if isinstance(node.this, exp.Identifier):
                scope.sources.append(self.table(node, ctes))
        elif isinstance(node, exp.Join):
            scope.joins.append(node)
        elif isinstance(node, _REFERENCES):
            self.seen.add(id(node))
            self.found.references.append((node, scope))


def _function_name(node: exp.Expr) -> str | None:
    """What PostgreSQL calls the rows of a function without an alias."""
    function = node.this if isinstance(node, exp.Table) else node
    if not isinstance(function, exp.Func):
        return None
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    return fold(name).removeprefix("exploding_")


def _holds_query(node: exp.Expr) -> bool:
    """Whether brackets are around a query, and not around tables: `((t))`."""
    while isinstance(node, exp.Subquery | exp.Paren):
        node = node.this
    return isinstance(node, _QUERIES)


def _children(node: exp.Expr, skip: frozenset[str]) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for key, value in node.args.items():
        if key in skip:
            continue
        if isinstance(value, exp.Expr):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, exp.Expr)]
    return found


def _alias(node: exp.Expr) -> exp.TableAlias | None:
    alias = node.args.get("alias")
    return alias if isinstance(alias, exp.TableAlias) else None


def _aliases(projection: exp.Expr) -> list[exp.Expr]:
    names = projection.expressions if isinstance(projection, exp.Aliases) else [projection.args.get("alias")]
    return [name for name in names if isinstance(name, exp.Identifier)]


def _renamed(rows: Rows, node: exp.Expr, names: Names) -> Rows:
    return _aliased(rows, _alias(node), names)


def _aliased(rows: Rows, alias: exp.TableAlias | None, names: Names) -> Rows:
    """The columns under the names that an alias gives to the first of them."""
    given = alias.args.get("columns") if alias is not None else None
    if not given:
        return rows
    first = tuple(
        names.spelled(c.this if isinstance(c, exp.ColumnDef) else c)
        for c in given
        if isinstance(c, exp.Identifier | exp.ColumnDef)
    )
    return Rows((*first, *rows.columns[len(first) :]), rows.is_open)


def _is_dual(node: exp.Table, names: Names) -> bool:
    """Whether it is MySQL's DUAL, which stands for no table at all."""
    plain = not node.this.args.get("quoted") and "dual" in names.policy.keywords
    return plain and fold(node.this.name) == "dual"
