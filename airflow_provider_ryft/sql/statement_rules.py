"""What kind of statement a text holds: one rule for each word that a statement begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

from airflow_provider_ryft.ingest.fields import QueryType
from airflow_provider_ryft.sql.dialects import LexicalRules
from airflow_provider_ryft.sql.first_word import SETTLED, SETTLED_IN, T_SQL, is_several
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
    BLOCK = "a procedural block: what it does is not looked into, so the text has no type"


_Kind = QueryType | NonDeciding | None


def type_of(sql: str, lexicon: LexicalRules, dialect: str, max_tokens: int) -> QueryType | None:
    """Return the type of a text as a dialect reads it, ``None`` if it has none.

    :param lexicon: what the dialect takes for words, names and literals
    :param dialect: in small letters, empty if it is not known
    :param max_tokens: how much is read; a type that is not settled by then is none
    """
    reader = TokenReader(sql, lexicon, dialect, max_tokens)
    several = is_several(sql)
    kinds: set[_Kind] = set()
    try:
        while reader.peek():
            kinds.add(_statement(reader))
            if dialect == "mssql":
                kinds.update(_without_semicolons(reader))
            if not several or NonDeciding.BLOCK in kinds:
                break
            reader.skip_statement()
    except TooLongError:
        # What follows cannot outrank these, or hardly: the values of a large INSERT may well hold a semicolon.
        kinds &= {QueryType.INSERT, QueryType.MERGE}
    if NonDeciding.BLOCK in kinds:
        return None
    for kind in _RANKS:
        if kind in kinds:
            return kind
    return QueryType.DATA_DEFINITION if NonDeciding.SESSION in kinds else None


def _statement(reader: TokenReader, depth: int = 0) -> _Kind:
    """Read as much of a statement as tells its type.

    :param depth: how many statements this one is in
    """
    while reader.take_if("{"):
        if reader.take_if("?", "CALL"):  # of JDBC and ODBC: {? = call f(?)}
            return QueryType.DATA_DEFINITION
        if reader.take_if("%"):
            reader.take_if("-", "+")
            if reader.peek() in _JINJA_CONTROL:
                return NonDeciding.BLOCK
        reader.skip_group("{", "}")
    word = reader.take()
    if word == "(":
        return _in_parentheses(reader)
    if word == "<":
        return NonDeciding.BLOCK  # a label
    return _statement_from(word, reader, depth)


def _statement_from(word: str, reader: TokenReader, depth: int) -> _Kind:
    if depth > _DEEPEST:
        return None
    rule = _rule(reader.dialect, word)
    return rule(reader, depth) if callable(rule) else rule


def _rule(dialect: str, word: str) -> _Rule | None:
    """Return what is known of a statement that begins with a word."""
    return _RULES_OF.get(dialect, {}).get(word) or SETTLED_IN.get(dialect, {}).get(word) or _RULES.get(word)


_JINJA_CONTROL = frozenset({"CALL", "FILTER", "FOR", "IF", "INCLUDE", "MACRO", "RAW"})
_DEEPEST = 8  # EXPLAIN ANALYZE EXPLAIN ANALYZE ...


# --- queries


_QUERIES = frozenset({"FROM", "PIVOT", "SEL", "SELECT", "TABLE", "UNPIVOT", "VALUES", "WITH"})


def _in_parentheses(reader: TokenReader) -> _Kind:
    while reader.take_if("("):
        pass
    return QueryType.SELECT if reader.peek() in _QUERIES else None


def _select(reader: TokenReader, _depth: int) -> _Kind:
    """Tell a query from ``SELECT ... INTO table``."""
    before = ""
    for term in reader.outside(until=_starts if reader.dialect == "mssql" else None):
        if term == "INTO":
            target = reader.peek()
            is_table = target in ('"', "{") or target[:1].isalpha() or target[:1] in ("_", "#")
            return QueryType.INSERT if is_table and target not in _NO_TABLES else QueryType.SELECT
        if term == "FROM" and before != "DISTINCT":
            break
        before = term
    return QueryType.SELECT


_NO_TABLES = frozenset({"DUMPFILE", "OUTFILE"})


def _from(reader: TokenReader, _depth: int) -> _Kind:
    """Tell a query that begins with its table from Hive's ``FROM ... INSERT``."""
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
        asked = _analyze_option(reader)
        if asked is None:
            return None
        analyzes = analyzes or asked
    return _analyzed(reader, depth) if analyzes else QueryType.EXPLAIN


def _analyze_option(reader: TokenReader) -> bool | None:
    """Read PostgreSQL's ``(ANALYZE, BUFFERS)``; ``None`` if ``ANALYZE`` has a literal for a value."""
    asked: bool | None = False
    while (term := reader.take()) and term != ")":
        if term in ("ANALYZE", "ANALYSE"):
            asked = None if reader.peek() == "?" else reader.peek() not in ("FALSE", "OFF")
    return asked


def _analyzed(reader: TokenReader, depth: int) -> _Kind:
    """Find the statement behind ``ANALYZE`` and its options."""
    while (term := reader.peek()) and term != ";":
        if term == "(" or term in _RULES:
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


def _analyze(reader: TokenReader, depth: int) -> _Kind:
    """Tell statistics from MariaDB's ``ANALYZE [FORMAT=JSON] statement``, which is its EXPLAIN ANALYZE."""
    if reader.take_if("FORMAT") and reader.take_if("="):
        return _analyzed(reader, depth)
    if reader.peek() in ("DELETE", "INSERT", "REPLACE", "SELECT", "UPDATE", "WITH"):
        return _statement(reader, depth + 1)
    return QueryType.ANALYZE


def _set(reader: TokenReader, depth: int) -> _Kind:
    """Tell a setting from MariaDB's ``SET STATEMENT name=value FOR statement``."""
    if reader.take_if("STATEMENT") and any(term == "FOR" for term in reader.outside()):
        return _statement(reader, depth + 1)
    return NonDeciding.SESSION


# --- changes of data


def _update(reader: TokenReader, _depth: int) -> _Kind:
    if reader.take_if("STATISTICS") and reader.peek() not in ("AS", "SET"):
        return QueryType.ANALYZE
    return QueryType.UPDATE


def _replace(reader: TokenReader, depth: int) -> _Kind:
    """Tell MySQL's kind of INSERT from ``REPLACE VIEW``, and the like."""
    if reader.peek() in _ROUTINES or reader.peek() in ("TABLE", "VIEW", "DICTIONARY"):
        return _create(reader, depth)
    return QueryType.INSERT


def _load(reader: TokenReader, _depth: int) -> _Kind:
    return QueryType.INSERT if reader.take_if("DATA", "XML") else None


def _import(reader: TokenReader, _depth: int) -> _Kind:
    return QueryType.INSERT if reader.take_if("INTO") else None


def _bulk(reader: TokenReader, _depth: int) -> _Kind:
    return QueryType.INSERT if reader.take_if("INSERT") else None


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
    """Tell a load into a table from Snowflake's unload into a stage or an address."""
    target = reader.take()
    if target == "@" or (target == "?" and reader.peek() != "."):
        return QueryType.SELECT
    return None if target in ("", "{") else QueryType.INSERT


def _export(reader: TokenReader, _depth: int) -> _Kind:
    return QueryType.SELECT if reader.take_if("DATA", "TO") else None


def _refresh(reader: TokenReader, _depth: int) -> _Kind:
    return QueryType.INSERT if reader.take_if("MATERIALIZED") else None


# --- definitions


_BEFORE_OBJECT = frozenset(
    {
        "AGGREGATE", "ALTER", "BLOCKCHAIN", "CACHED", "COLUMN", "COLUMNSTORE", "DEFINER", "DUPLICATED", "EDITIONABLE",
        "EXTERNAL", "FLEX", "FLEXIBLE", "FORCE", "GLOBAL", "HYBRID", "ICEBERG", "IMMUTABLE", "INVOKER", "JAVA",
        "LOCAL", "LUA", "MANAGED", "MEMORY", "MULTISET", "NONEDITIONABLE", "OR", "PRIVATE", "PYTHON", "PYTHON3", "R",
        "REFERENCE", "REPLACE", "ROW", "ROWSTORE", "SCALAR", "SECURE", "SET", "SHARDED", "TEMP", "TEMPORARY",
        "TRANSIENT", "UNLOGGED", "VOLATILE", "=", "@", "()",
    }
)  # fmt: skip
_ROUTINES = frozenset(
    {
        "EVENT", "FUNCTION", "MACRO", "PACKAGE", "PROC", "PROCEDURE", "SCRIPT", "TASK", "TRIGGER", "TYPE",
    }
)  # fmt: skip


def _create(reader: TokenReader, _depth: int) -> _Kind:
    """Read ``CREATE`` and ``ALTER`` of what may hold a query or statements."""
    before = ""
    for term in reader.outside():
        if term in ("MACRO", "RULE"):
            reader.skip_groups()  # they may hold statements
        elif term in _ROUTINES:
            _skip_body(reader, term)
        elif term == "TABLE":
            return QueryType.INSERT if _has_query(reader) else QueryType.DATA_DEFINITION
        elif term in _BEFORE_OBJECT or before in ("=", "@"):  # DEFINER=root@localhost
            before = term
            continue
        break
    return QueryType.DATA_DEFINITION


def _skip_body(reader: TokenReader, routine: str) -> None:
    """Go past a routine; to the end of the text if its body may hold semicolons."""
    in_one_text = reader.dialect in ("mssql", "oracle") or routine == "SCRIPT"
    if in_one_text or any(term == "BEGIN" for term in reader.outside()):
        reader.skip_text()


def _has_query(reader: TokenReader) -> bool:
    """Tell ``CREATE TABLE`` from ``CREATE TABLE ... AS SELECT``, where some dialects leave out AS."""
    if reader.peek() == "FUNCTION":
        return False
    before, in_t_sql = "", reader.dialect == "mssql"
    while not (in_t_sql and _starts(reader.peek(), before)) and (term := reader.take()):
        if term == "SELECT" or (before == "AS" and term in _CREATES_FROM):
            return True
        if term == "(":
            may_be_query = before == "AS" or reader.dialect in ("mariadb", "mysql")
            while may_be_query and reader.take_if("("):
                pass
            if may_be_query and reader.peek() in _QUERIES:
                return True
            reader.skip_group("(", ")")
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
    _skip_name(reader)
    if reader.take_if("ON") and reader.take_if("CLUSTER"):
        _skip_name(reader)
    reader.take_if("(")  # ClickHouse's, around each of several
    return _ALTERATIONS.get(reader.peek(), QueryType.DATA_DEFINITION)


def _skip_name(reader: TokenReader) -> None:
    """Go past ``a.b.c``, whatever its parts are: ``{{ Jinja }}_x`` and ``IDENTIFIER(...)`` too."""
    while part := reader.take():
        if part == "{":
            reader.skip_group("{", "}")
        while reader.peek().startswith(("_", "{")) or (part == "IDENTIFIER" and reader.peek() == "("):
            opening = reader.take()
            reader.skip_group(opening, _CLOSING.get(opening, ""))
        if not reader.take_if("."):
            break


_CLOSING = {"{": "}", "(": ")"}
_ALTERATIONS = {
    "EXECUTE": QueryType.ALTER_TABLE_EXECUTE,
    "UPDATE": QueryType.UPDATE,  # ClickHouse's
    "DELETE": QueryType.DELETE,
}


def _execute(reader: TokenReader, _depth: int) -> _Kind:
    """Read T-SQL's call of a procedure; what runs a statement given as text has no type."""
    if reader.take_if("AS"):
        return NonDeciding.SESSION
    name = ""
    while (term := reader.peek()) and term not in (";", "("):
        quoted = reader.name
        reader.take()
        if term not in (".", "@", "=") and reader.peek() not in (".", "="):
            name = quoted.upper() if term == '"' else term
            break
    return None if name == "SP_EXECUTESQL" or (not name and reader.peek() == "(") else QueryType.DATA_DEFINITION


def _statistics(reader: TokenReader, _depth: int) -> _Kind:
    reader.take_if("INCREMENTAL")
    return QueryType.ANALYZE if reader.take_if("STAT", "STATISTICS", "STATS") else None


# --- settings, transactions, and what stands before a statement


def _pragma(reader: TokenReader, _depth: int) -> _Kind:
    return NonDeciding.SESSION if "=" in reader.outside() else QueryType.DESCRIBE


def _start(reader: TokenReader, _depth: int) -> _Kind:
    return NonDeciding.SESSION if reader.take_if("TRANSACTION") else None


def _begin(reader: TokenReader, _depth: int) -> _Kind:
    if reader.take_if("NOT"):  # DEFERRABLE, or MariaDB's ATOMIC
        return NonDeciding.SESSION if reader.peek() == "DEFERRABLE" else NonDeciding.BLOCK
    return NonDeciding.SESSION if reader.peek() in _TRANSACTIONS else NonDeciding.BLOCK


_TRANSACTIONS = frozenset(
    {
        "", ";", "CONCURRENT", "DEFERRABLE", "DEFERRED", "DISTRIBUTED", "EXCLUSIVE", "IMMEDIATE", "ISOLATION", "NAME",
        "READ", "TRAN", "TRANSACTION", "WORK",
    }
)  # fmt: skip
_FOLLOWING = frozenset(
    {
        "ALTER", "CREATE", "DEL", "DELETE", "DROP", "EXEC", "EXECUTE", "GRANT", "IF", "INS", "INSERT", "MERGE", "SEL",
        "SELECT", "TRUNCATE", "UPD", "UPDATE", "WHILE", "WITH",
    }
)  # fmt: skip


def _before(otherwise: _Kind) -> Callable[[TokenReader, int], _Kind]:
    """Make a rule for what may be followed by a statement without a semicolon between."""

    def rule(reader: TokenReader, depth: int) -> _Kind:
        before = ""
        for term in reader.outside():
            if term == "CURSOR":
                return None
            if term in _FOLLOWING and before != "=" and _rule(reader.dialect, term):
                return _statement_from(term, reader, depth + 1)
            before = term
        return otherwise

    return rule


def _begin_t_sql(reader: TokenReader, depth: int) -> _Kind:
    begun = _begin(reader, depth)
    return _before(begun)(reader, depth) if begun is NonDeciding.SESSION else begun


# --- T-SQL, where a semicolon between statements may be left out


_CLAUSE_FOLLOWS = frozenset(
    {
        ",", ".", "=", "@", "AFTER", "AS", "DENY", "FOR", "FULL", "GRANT", "INNER", "LEFT", "OF", "OUTER", "REVOKE",
        "RIGHT", "THEN",
    }
)  # fmt: skip


def _without_semicolons(reader: TokenReader) -> Iterator[_Kind]:
    """Read the statements that follow one with no more than white space between."""
    before = reader.last
    for term in reader.outside():
        if not _starts(term, before, reader.peek()):
            before = term
        elif term == "IF" and reader.take_if("EXISTS") and reader.peek() != "(":
            before = "EXISTS"  # DROP TABLE IF EXISTS t
        else:
            yield _statement_from(term, reader, 1)
            before = reader.last


def _starts(term: str, before: str, after: str = "") -> bool:
    """Tell a statement of T-SQL from a clause of one, such as ``ON DELETE CASCADE``."""
    if term not in T_SQL or before in _CLAUSE_FOLLOWS or (term == "MERGE" and after == "JOIN"):
        return False
    return before != "ON" or term not in ("DELETE", "UPDATE") or after not in ("CASCADE", "NO", "SET")


_Rule = Callable[[TokenReader, int], _Kind] | QueryType | NonDeciding

_RULES: dict[str, _Rule] = {
    **SETTLED,
    "ABORT": NonDeciding.SESSION,
    "ALTER": _alter,
    "ANALYSE": _analyze,
    "ANALYZE": _analyze,
    "BEGIN": _begin,
    "BULK": _bulk,
    "CASE": NonDeciding.BLOCK,
    "COLLECT": _statistics,
    "COMMIT": NonDeciding.SESSION,
    "COMPUTE": _statistics,
    "COPY": _copy,
    "CREATE": _create,
    "DEALLOCATE": NonDeciding.SESSION,
    "DO": NonDeciding.BLOCK,
    "END": NonDeciding.SESSION,
    "EXEC": _execute,
    "EXPLAIN": _explain,
    "EXPORT": _export,
    "FOR": NonDeciding.BLOCK,
    "FROM": _from,
    "IF": NonDeciding.BLOCK,
    "IMPORT": _import,
    "LOAD": _load,
    "LOOP": NonDeciding.BLOCK,
    "PRAGMA": _pragma,
    "PREPARE": NonDeciding.SESSION,
    "REFRESH": _refresh,
    "REPEAT": NonDeciding.BLOCK,
    "REPLACE": _replace,
    "RESET": NonDeciding.SESSION,
    "ROLLBACK": NonDeciding.SESSION,
    "SELECT": _select,
    "SET": _set,
    "START": _start,
    "UNSET": NonDeciding.SESSION,
    "UPDATE": _update,
    "USE": NonDeciding.SESSION,
    "WHILE": NonDeciding.BLOCK,
    "WITH": _with,
}
_MYSQL: dict[str, _Rule] = dict.fromkeys(("EXPLAIN", "DESCRIBE", "DESC"), _explain_mysql)
_RULES_OF: dict[str, dict[str, _Rule]] = {
    "mariadb": _MYSQL,
    "mssql": {
        "BEGIN": _begin_t_sql,
        "DECLARE": _before(None),
        "EXECUTE": _execute,
        "PRINT": _before(None),
        "SET": _before(NonDeciding.SESSION),
        "USE": _before(NonDeciding.SESSION),
    },
    "mysql": _MYSQL,
    "teradata": {
        "BT": NonDeciding.SESSION,
        "ET": NonDeciding.SESSION,
        "LOCK": _before(None),
        "LOCKING": _before(None),
        "USING": _before(None),
    },
    "vertica": {"AT": _before(None)},
    "ydb": {"PRAGMA": NonDeciding.SESSION},
}
