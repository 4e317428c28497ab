"""What kind of statement a text holds: one rule for each word that a statement begins with."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from airflow_provider_ryft.ingest.fields import QueryType
from airflow_provider_ryft.sql.dialects import LexicalRules
from airflow_provider_ryft.sql.first_word import SETTLED, SETTLED_IN, is_several
from airflow_provider_ryft.sql.token_reader import TokenReader, TooLongError

_RANKS = (
    QueryType.MERGE,
    QueryType.INSERT,
    QueryType.UPDATE,
    QueryType.DELETE,
    QueryType.ALTER_TABLE_EXECUTE,
    QueryType.ANALYZE,
    QueryType.DATA_DEFINITION,
    QueryType.SELECT,
    QueryType.DESCRIBE,
    QueryType.EXPLAIN,
)


class NonDeciding(Enum):
    """What a statement may be that does not decide the type of a text."""

    SESSION = "a setting or a transaction: DATA_DEFINITION if there is nothing else in the text"
    OPAQUE = "a block, a template, or rarely seen: what it does is not looked into, so the text has no type"


_Kind = QueryType | NonDeciding | None


def type_of(sql: str, rules: LexicalRules, dialect: str, max_tokens: int) -> QueryType | None:
    """Return the type of a text as a dialect reads it, ``None`` if it has none.

    :param rules: what the dialect takes for words, names and literals
    :param dialect: in small letters, empty if it is not known
    :param max_tokens: how much is read; a type that is not settled by then is none
    """
    reader = TokenReader(sql, rules, dialect, max_tokens)
    several = dialect == "mssql" or is_several(sql)
    kinds: set[_Kind] = set()
    try:
        while reader.peek():
            kinds.add(_statement(reader))
            if NonDeciding.OPAQUE in kinds:
                return None
            if not several:
                break
            reader.skip_statement()
    except TooLongError:
        # What follows cannot outrank these, or hardly: the values of a large INSERT may well hold a semicolon.
        kinds &= {QueryType.INSERT, QueryType.MERGE}
    for kind in _RANKS:
        if kind in kinds:
            return kind
    return QueryType.DATA_DEFINITION if NonDeciding.SESSION in kinds else None


def _statement(reader: TokenReader, depth: int = 0) -> _Kind:
    """Read as much of a statement as its type takes.

    :param depth: how many statements this one is in
    """
    return _statement_from(reader.take(), reader, depth)


def _statement_from(word: str, reader: TokenReader, depth: int) -> _Kind:
    if depth > _MAX_DEPTH:
        return None
    dialect = reader.dialect
    rule = _RULES_OF.get(dialect, {}).get(word) or SETTLED_IN.get(dialect, {}).get(word) or _RULES.get(word)
    return rule(reader, depth) if callable(rule) else rule


_MAX_DEPTH = 8  # EXPLAIN ANALYZE EXPLAIN ANALYZE ...


def _if_followed_by(*words: str, then: _Kind) -> Callable[[TokenReader, int], _Kind]:
    """Make a rule for a first word that has a type only before some others."""
    return lambda reader, _depth: then if reader.take_if(*words) else None


# --- queries


_QUERIES = frozenset({"FROM", "PIVOT", "SEL", "SELECT", "TABLE", "UNPIVOT", "VALUES", "WITH"})


def _in_parentheses(reader: TokenReader, _depth: int) -> _Kind:
    while reader.take_if("("):
        pass
    return QueryType.SELECT if reader.peek() in _QUERIES else None


def _select(reader: TokenReader, _depth: int) -> _Kind:
    """Distinguish a query from ``SELECT ... INTO table``."""
    before = ""
    for term in reader.outside():
        if term == "INTO":
            target = reader.peek()
            is_table = target[:1].isalpha() or target[:1] in ('"', "{", "_", "#")
            return QueryType.INSERT if is_table and target not in _NO_TABLES else QueryType.SELECT
        if term == "FROM" and before != "DISTINCT":
            break
        before = term
    return QueryType.SELECT


_NO_TABLES = frozenset({"DUMPFILE", "OUTFILE"})


def _from(reader: TokenReader, _depth: int) -> _Kind:
    """Distinguish a query that begins with its table from Hive's ``FROM ... INSERT``."""
    return QueryType.INSERT if any(term == "INSERT" for term in reader.outside()) else QueryType.SELECT


_AFTER_WITH = frozenset(
    {
        "CALL", "DELETE", "FROM", "INSERT", "MERGE", "PIVOT", "REPLACE", "SELECT", "TABLE", "UNPIVOT", "UPDATE",
        "UPSERT", "VALUES",
    }
)  # fmt: skip


def _with(reader: TokenReader, depth: int) -> _Kind:
    """Find the statement that follows ``WITH name AS (...), ...``."""
    reader.take_if("RECURSIVE")
    if reader.take_if("FUNCTION") and reader.peek() not in ("AS", "("):
        reader.skip_text()  # the body may hold semicolons; only a query can follow
        return QueryType.SELECT
    before = ","
    for term in reader.outside():
        if term == "()" and before == "()":
            return QueryType.SELECT  # in parentheses
        is_name = before in (",", "AS")
        if term in _AFTER_WITH and not is_name and not (term == "REPLACE" and reader.peek() == "("):
            return _statement_from(term, reader, depth + 1)
        before = term
    return None


# --- statements about statements


def _explain(reader: TokenReader, depth: int) -> _Kind:
    analyzes = reader.take_if("ANALYZE", "ANALYSE")
    if reader.take_if("("):
        if reader.peek() in _QUERIES or reader.peek() == "(":
            return QueryType.SELECT if analyzes else QueryType.EXPLAIN
        while (option := reader.take()) and option != ")":
            if option in ("ANALYZE", "ANALYSE"):
                if reader.peek() not in (",", ")", "ON", "TRUE"):
                    return NonDeciding.OPAQUE
                analyzes = True
    return _analyzed(reader, depth) if analyzes else QueryType.EXPLAIN


def _analyzed(reader: TokenReader, depth: int) -> _Kind:
    """Find the statement behind ``ANALYZE`` and its options."""
    while (term := reader.peek()) and term != ";":
        if term in _RULES:
            return _statement(reader, depth + 1)
        reader.take()
    return None


def _explain_mysql(reader: TokenReader, depth: int) -> _Kind:
    """Read what MySQL calls EXPLAIN, DESCRIBE or DESC: each of them does both."""
    if reader.peek() in _EXPLAINABLE:
        return _explain(reader, depth)
    return QueryType.DESCRIBE


_EXPLAINABLE = frozenset(
    {
        "(", "ANALYZE", "DELETE", "EXTENDED", "FOR", "FORMAT", "INSERT", "INTO", "PARTITIONS", "REPLACE", "SELECT",
        "TABLE", "UPDATE", "VALUES", "WITH",
    }
)  # fmt: skip


def _analyze(reader: TokenReader, _depth: int) -> _Kind:
    """Distinguish statistics from MariaDB's ``ANALYZE [FORMAT=JSON] statement``, which is its EXPLAIN ANALYZE."""
    is_statement = reader.peek() in ("DELETE", "FORMAT", "INSERT", "REPLACE", "SELECT", "UPDATE", "WITH")
    return NonDeciding.OPAQUE if is_statement else QueryType.ANALYZE


def _set(reader: TokenReader, _depth: int) -> _Kind:
    """Distinguish a setting from MariaDB's ``SET STATEMENT name=value FOR statement``."""
    return NonDeciding.OPAQUE if reader.peek() == "STATEMENT" else NonDeciding.SESSION


# --- changes of data


def _update(reader: TokenReader, _depth: int) -> _Kind:
    if reader.take_if("STATISTICS") and reader.peek() not in ("AS", "SET"):
        return QueryType.ANALYZE
    return QueryType.UPDATE


def _replace(reader: TokenReader, depth: int) -> _Kind:
    """Distinguish MySQL's kind of INSERT from ``REPLACE VIEW``, and the like."""
    if reader.peek() in _ROUTINES or reader.peek() in ("TABLE", "VIEW", "DICTIONARY"):
        return _create(reader, depth)
    return QueryType.INSERT


def _copy(reader: TokenReader, _depth: int) -> _Kind:
    if reader.take_if("INTO"):
        return _copy_into(reader)
    if reader.peek() in ("FILES", "FROM"):
        return None  # from stage to stage, from database to database
    for term in reader.outside():
        if term == "FROM":
            return QueryType.INSERT
        if term == "TO":
            return QueryType.SELECT
    return None


def _copy_into(reader: TokenReader) -> _Kind:
    """Distinguish a load into a table from Snowflake's unload into a stage or an address."""
    target = reader.take()
    if target == "@" or (target == "?" and reader.peek() != "."):
        return QueryType.SELECT
    return None if target in ("", "{") else QueryType.INSERT


# --- definitions


_OBJECT_MODIFIERS = frozenset(
    {
        "AGGREGATE", "ALTER", "CACHED", "COLUMN", "COLUMNSTORE", "DEFINER", "DUPLICATED", "EDITIONABLE", "EXTERNAL",
        "FLEX", "FLEXIBLE", "FORCE", "GLOBAL", "HYBRID", "ICEBERG", "INVOKER", "LOCAL", "MANAGED", "MEMORY", "MULTISET",
        "NONEDITIONABLE", "OR", "PRIVATE", "REFERENCE", "REPLACE", "ROW", "ROWSTORE", "SECURE", "SET", "SHARDED",
        "TEMP", "TEMPORARY", "TRANSIENT", "UNLOGGED", "VOLATILE", "=", "@", "()",
    }
)  # fmt: skip
_ROUTINES = frozenset({"EVENT", "FUNCTION", "MACRO", "PACKAGE", "PROC", "PROCEDURE", "TASK", "TRIGGER", "TYPE"})


def _create(reader: TokenReader, _depth: int) -> _Kind:
    """Read ``CREATE`` and ``ALTER`` of what may hold a query or statements."""
    before = ""
    for term in reader.outside():
        if term in ("MACRO", "RULE"):
            reader.skip_groups()  # they may hold statements
        elif term in _ROUTINES:
            _skip_body(reader)
        elif term == "TABLE":
            return QueryType.INSERT if _has_query(reader) else QueryType.DATA_DEFINITION
        elif term in _OBJECT_MODIFIERS or before in ("=", "@"):  # DEFINER=root@localhost
            before = term
            continue
        break
    return QueryType.DATA_DEFINITION


def _skip_body(reader: TokenReader) -> None:
    """Go past a routine; to the end of the text if its body may hold semicolons."""
    if reader.dialect in ("mssql", "oracle") or any(term == "BEGIN" for term in reader.outside()):
        reader.skip_text()


def _has_query(reader: TokenReader) -> bool:
    """Distinguish ``CREATE TABLE`` from ``CREATE TABLE ... AS SELECT``, where some dialects leave out AS."""
    if reader.peek() == "FUNCTION":
        return False
    before = ""
    while term := reader.take():
        if term == "SELECT" or (before == "AS" and term in _CREATES_FROM):
            return True
        if term == "(":
            may_be_query = before == "AS" or reader.dialect in ("mariadb", "mysql")
            while may_be_query and reader.take_if("("):
                pass
            if may_be_query and reader.peek() in _QUERIES:
                return True
            reader.skip_group()
        elif before == "AS" and reader.dialect == "teradata":
            return all(later != "NO" for later in reader.outside())  # AS other_table WITH NO DATA
        before = term
    return False


_CREATES_FROM = _QUERIES | {"EXECUTE", "{"}


def _alter(reader: TokenReader, depth: int) -> _Kind:
    if reader.peek() == "SESSION":
        return NonDeciding.SESSION
    if not reader.take_if("TABLE"):
        return _create(reader, depth)
    while reader.take_if("IF", "EXISTS", "ONLY"):
        pass
    if "{" in (_skip_name(reader), reader.peek()):
        return NonDeciding.OPAQUE
    if reader.take_if("ON") and reader.take_if("CLUSTER"):
        _skip_name(reader)
    reader.take_if("(")  # ClickHouse's, around each of several
    return _ALTERATIONS.get(reader.peek(), QueryType.DATA_DEFINITION)


def _skip_name(reader: TokenReader) -> str:
    """Go past ``a.b.c``, and return its last part."""
    while (part := reader.take()) and reader.take_if("."):
        pass
    return part


_ALTERATIONS = {
    "EXECUTE": QueryType.ALTER_TABLE_EXECUTE,
    "UPDATE": QueryType.UPDATE,  # ClickHouse's
    "DELETE": QueryType.DELETE,
}


def _execute(reader: TokenReader, _depth: int) -> _Kind:
    """Read T-SQL's call of a procedure; what runs a statement given as text has no type."""
    if reader.take_if("AS"):
        return NonDeciding.SESSION
    while (part := reader.take()) and (reader.take_if(".", "..", "=") or part == "@"):
        pass
    return None if part.lstrip('"') in ("(", "SP_EXECUTESQL") else QueryType.DATA_DEFINITION


# --- settings, transactions, and what precedes a statement


def _pragma(reader: TokenReader, _depth: int) -> _Kind:
    return NonDeciding.SESSION if "=" in reader.outside() else QueryType.DESCRIBE


def _begin(reader: TokenReader, _depth: int) -> _Kind:
    return NonDeciding.SESSION if reader.peek() in _TRANSACTIONS else NonDeciding.OPAQUE


_TRANSACTIONS = frozenset(
    {
        "", ";", "CONCURRENT", "DEFERRABLE", "DEFERRED", "DISTRIBUTED", "EXCLUSIVE", "IMMEDIATE", "ISOLATION", "NAME",
        "READ", "TRAN", "TRANSACTION", "WORK",
    }
)  # fmt: skip


def _locking(reader: TokenReader, depth: int) -> _Kind:
    """Find the statement behind Teradata's ``LOCKING TABLE t [FOR] ACCESS [MODE]``."""
    if not any(term in _LOCKS for term in reader.outside()):
        return None
    while reader.take_if("MODE", "NOWAIT", "OVERRIDE"):
        pass
    return _statement(reader, depth + 1)


_LOCKS = frozenset({"ACCESS", "CHECKSUM", "EXCLUSIVE", "READ", "SHARE", "WRITE"})


_Rule = Callable[[TokenReader, int], _Kind] | QueryType | NonDeciding

_SESSION_WORDS = ("ABORT", "COMMIT", "DEALLOCATE", "END", "PREPARE", "RESET", "ROLLBACK", "UNSET", "USE")
_OPAQUE_WORDS = ("<", "{", "CASE", "DO", "FOR", "IF", "LOOP", "REPEAT", "WHILE")  # labels and templates among them

_RULES: dict[str, _Rule] = {
    **SETTLED,
    **dict.fromkeys(_SESSION_WORDS, NonDeciding.SESSION),
    **dict.fromkeys(_OPAQUE_WORDS, NonDeciding.OPAQUE),
    "(": _in_parentheses,
    "ALTER": _alter,
    "ANALYSE": _analyze,
    "ANALYZE": _analyze,
    "BEGIN": _begin,
    "BULK": _if_followed_by("INSERT", then=QueryType.INSERT),
    "COLLECT": _if_followed_by("STAT", "STATISTICS", "STATS", then=QueryType.ANALYZE),
    "COMPUTE": _if_followed_by("INCREMENTAL", "STATS", then=QueryType.ANALYZE),
    "COPY": _copy,
    "CREATE": _create,
    "EXEC": _execute,
    "EXPLAIN": _explain,
    "EXPORT": _if_followed_by("DATA", "TO", then=QueryType.SELECT),
    "FROM": _from,
    "IMPORT": _if_followed_by("INTO", then=QueryType.INSERT),
    "LOAD": _if_followed_by("DATA", "XML", then=QueryType.INSERT),
    "PRAGMA": _pragma,
    "REFRESH": _if_followed_by("MATERIALIZED", then=QueryType.INSERT),
    "REPLACE": _replace,
    "SELECT": _select,
    "SET": _set,
    "START": _if_followed_by("TRANSACTION", then=NonDeciding.SESSION),
    "UPDATE": _update,
    "WITH": _with,
}
_MYSQL_RULES: dict[str, _Rule] = dict.fromkeys(("EXPLAIN", "DESCRIBE", "DESC"), _explain_mysql)
_RULES_OF: dict[str, dict[str, _Rule]] = {
    "mariadb": _MYSQL_RULES,
    "mssql": {"EXECUTE": _execute},
    "mysql": _MYSQL_RULES,
    "teradata": {
        "BT": NonDeciding.SESSION,
        "ET": NonDeciding.SESSION,
        "LOCK": _locking,
        "LOCKING": _locking,
        "USING": NonDeciding.OPAQUE,  # before a statement
    },
    "vertica": {"AT": NonDeciding.OPAQUE},  # AT EPOCH LATEST SELECT
    "ydb": {"PRAGMA": NonDeciding.SESSION},
}
