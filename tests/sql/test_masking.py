"""Text without its literals: tables of tricky texts, laws for any text, and real engines that say what a literal is."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from airflow_provider_ryft.sql import masking, tokenizer
from airflow_provider_ryft.sql.masking import literals, mask_literals
from support.services import require

UNTIMED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # machines are noisy

DIALECTS = [
    "postgres",
    "mysql",
    "sqlite",
    "trino",
    "snowflake",
    "gcpbigquery",
    "databricks",
    "hiveserver2",
    "clickhouse",
    "duckdb",
    "mssql",
    "oracle",
    "exasol",
    "vertica",
    "teradata",
    "redshift",
    "athena",
    "ydb",
    None,
]

TABLE: list[tuple[str, str, str]] = [
    # plain literals, everywhere
    ("*", "SELECT 'secret', 1, x FROM t", "SELECT ?, ?, x FROM t"),
    ("*", "SELECT '', 'it''s', ''''", "SELECT ?, ?, ?"),
    ("*", "WHERE a IN (1, 2, 3) AND b = 'x'", "WHERE a IN (?, ?, ?) AND b = ?"),
    ("*", "VALUES (1, 'a'), (2, 'b')", "VALUES (?, ?), (?, ?)"),
    ("*", "SELECT true, FALSE, null, current_date", "SELECT true, FALSE, null, current_date"),
    ("*", "SELECT 1e10, 1.5, .5, 1., 1.5e-3, 0x1F, 1_000, 1E+2", "SELECT ?, ?, ?, ?, ?, ?, ?, ?"),
    ("*", "SELECT -1, +2.5, a-1, 2*3", "SELECT -?, +?, a-?, ?*?"),
    ("*", "SELECT t1.c2, x3y, _4 FROM s5.t6", "SELECT t1.c2, x3y, _4 FROM s5.t6"),
    ("*", "CAST(a AS decimal(10, 2))", "CAST(a AS decimal(?, ?))"),
    ("*", "DATE '2024-01-01' + INTERVAL '1' DAY", "DATE ? + INTERVAL ? DAY"),
    ("*", "SELECT N'secret', X'53', x'53', B'01'", "SELECT ?, ?, ?, ?"),
    ("*", "SELECT\n  'a'\n  ,\t'b'\n", "SELECT\n  ?\n  ,\t?\n"),
    ("*", "", ""),
    ("*", "SELECT 10.0.0.1", "SELECT ?"),
    ("*", "SELECT.5, THEN.5", "SELECT?, THEN?"),
    (
        "*",
        "SELECT x GLOB.777, BETWEEN SYMMETRIC.777 AND.7, substring(a from.777 for.777)",
        "SELECT x GLOB?, BETWEEN SYMMETRIC? AND?, substring(a from? for?)",
    ),
    ("*", "SELECT a.b.1 FROM c.d.2", "SELECT a.b.1 FROM c.d.2"),
    ("postgres", "SELECT DISTINCT ON (a).5, t.1 FROM t", "SELECT DISTINCT ON (a)?, t? FROM t"),
    ("mysql", "SELECT t.1, t.2nd FROM db.3rd", "SELECT t.1, t.2nd FROM db.3rd"),
    ("*", "FOR i IN 1..10", "FOR i IN ?..?"),
    ("*", "SELECT 1é, é1", "SELECT ?, é1"),
    # placeholders
    ("*", "WHERE a = ? AND b = %s AND c = %(name)s", "WHERE a = ? AND b = %s AND c = %(name)s"),
    ("*", "WHERE a = :name AND b = :1 AND c IN (:2, :3)", "WHERE a = :name AND b = :1 AND c IN (:2, :3)"),
    ("*", "WHERE a = @var", "WHERE a = @var"),
    ("postgres", "WHERE a = $1 AND b = $2::int", "WHERE a = $1 AND b = $2::int"),
    ("sqlite", "WHERE a = ?1 AND b = $name", "WHERE a = ?1 AND b = $name"),
    ("*", "SELECT {{ ds }}, {{ params.x | upper }}", "SELECT {{ ds }}, {{ params.x | upper }}"),
    ("*", "SELECT {{ var.get('secret', 5) }}", "SELECT {{ var.get(?, ?) }}"),
    ("postgres", "SELECT a[1:2], b[:5], $123456", "SELECT a[?:?], b[:?], $?"),
    ("duckdb", "SELECT {'a':1, 'b': 2}", "SELECT {?:?, ?: ?}"),
    ("snowflake", "SELECT src:a[0].b::int", "SELECT src:a[?].b::int"),
    ("clickhouse", "SELECT t.1, f(x).2, a ? 1 : 2", "SELECT t.1, f(x).2, a ? ? : ?"),
    ("postgres", "SELECT a /* b */ :1, c -- d,\n:1", "SELECT a  ?, c \n?"),
    # comments
    ("*", "SELECT 1 -- secret\nFROM t", "SELECT ? \nFROM t"),
    ("*", "SELECT/* secret */x", "SELECT x"),
    ("*", "/*+ BROADCAST(secret) */ SELECT x", " SELECT x"),
    ("*", "SELECT x -- it's secret", "SELECT x "),
    ("*", "SELECT x /* it's secret */, 'y'", "SELECT x , ?"),
    ("*", "SELECT x /* secret", "SELECT x "),
    ("*", "SELECT 'a -- b', 'c /* d */'", "SELECT ?, ?"),
    ("*", "{# it's secret #}SELECT x", "SELECT x"),
    ("postgres", "SELECT x /* a /* b */ 'secret */ + 1", "SELECT x  + ?"),
    ("trino", "SELECT x /* a /* b */ 'secret */ + 1", "SELECT x  ?"),
    ("mysql", "SELECT x # it's secret\n, 'y'", "SELECT x \n, ?"),
    ("postgres", "SELECT x # 5, y #> '{a}'", "SELECT x # ?, y #> ?"),
    ("mysql", "SELECT 5--3, x -- secret", "SELECT ?--?, x "),
    ("mysql", "SELECT a--/* secret */b", "SELECT a--?b"),
    ("clickhouse", "SELECT a #/* secret */ b", "SELECT a #? b"),
    ("mysql", "/*!50001 SET x = 'secret' */; /*!40101 SET y=5 */", "/*!50001 SET x = ? */; /*!40101 SET y=? */"),
    ("mysql", "/*!99999 it's secret */ 'secret'", "/*!99999 it?"),
    ("snowflake", "SELECT x // it's secret\n, 'y'", "SELECT x \n, ?"),
    ("trino", "SELECT x // 5", "SELECT x // ?"),
    ("clickhouse", "SELECT x # it's secret\n, 'y' // secret", "SELECT x \n, ? "),
    ("databricks", "SELECT x -- secret \\\n it's secret\n, 'y'", "SELECT x \n, ?"),
    # backslashes
    ("postgres", r"SELECT 'C:\', 'secret'", "SELECT ?, ?"),
    ("trino", r"SELECT 'C:\', 'secret'", "SELECT ?, ?"),
    ("mssql", r"SELECT 'C:\', 'secret'", "SELECT ?, ?"),
    ("oracle", r"SELECT 'C:\', 'secret'", "SELECT ?, ?"),
    ("mysql", r"SELECT 'it\'s secret', x", "SELECT ?, x"),
    ("snowflake", r"SELECT 'it\'s secret', x", "SELECT ?, x"),
    ("databricks", r"SELECT 'it\'s secret', x", "SELECT ?, x"),
    ("gcpbigquery", r"SELECT 'it\'s secret', x", "SELECT ?, x"),
    ("clickhouse", r"SELECT 'it\'s secret', `a\`'b`", r"SELECT ?, `a\`'b`"),
    ("mysql", r"SELECT `a\`, 'secret'", r"SELECT `a\`, ?"),
    ("postgres", r"SELECT E'it\'s secret', x", "SELECT ?, x"),
    ("postgres", "SELECT E'a'\n  '\\'secret', x", "SELECT ?, x"),
    ("postgres", r"SELECT U&'\0061' UESCAPE '!', U&" + '"d\\0061t"', r"SELECT ? UESCAPE ?, U&" + '"d\\0061t"'),
    ("databricks", r"SELECT r'C:\', 'secret'", "SELECT ?, ?"),
    ("gcpbigquery", r"SELECT r'\'secret', rb'x', br" + '"y"', "SELECT ?, ?, ?"),
    # double quotes, backticks, brackets
    ("postgres", 'SELECT "a""1" FROM "t\'5"', 'SELECT "a""1" FROM "t\'5"'),
    ("mysql", r'SELECT "it\"s ""secret""", `a``5`', "SELECT ?, `a``5`"),
    ("gcpbigquery", 'SELECT "secret" FROM `p-1.d.t`', "SELECT ? FROM `p-1.d.t`"),
    ("gcpbigquery", "SELECT x-5 FROM my-project-123.d.t", "SELECT x-? FROM my-project-123.d.t"),
    ("hiveserver2", 'SELECT "secret" FROM `t`', "SELECT ? FROM `t`"),
    (
        "sqlite",
        'SELECT "t"."a", "b" AS "c" FROM "t" WHERE x = "secret"',
        'SELECT "t"."a", ? AS "c" FROM "t" WHERE x = ?',
    ),
    (
        "sqlite",
        'WHERE a IS NOT DISTINCT FROM "secret" OR b IS DISTINCT FROM "x"',
        "WHERE a IS NOT DISTINCT FROM ? OR b IS DISTINCT FROM ?",
    ),
    ("sqlite", 'SELECT DISTINCT a FROM "t"', 'SELECT DISTINCT a FROM "t"'),
    ("sqlite", 'INSERT OR IGNORE INTO "t" SELECT 1', 'INSERT OR IGNORE INTO "t" SELECT ?'),
    ("sqlite", 'VACUUM INTO "secret"; VACUUM "main" INTO "secret"', "VACUUM INTO ?; VACUUM ? INTO ?"),
    ("sqlite", 'WHERE a = "secret".5', "WHERE a = ?"),
    ("mssql", "SELECT [it's 5] FROM [a]]b] WHERE c = 'x'", "SELECT [it's 5] FROM [a]]b] WHERE c = ?"),
    ("duckdb", "SELECT ['secret', 5]", "SELECT [?, ?]"),
    ("gcpbigquery", "SELECT a['secret']", "SELECT a[?]"),
    # other quotes
    ("postgres", "SELECT $$it's$$, $a$ $$secret$$ $a$, x$1$y", "SELECT ?, ?, x$1$y"),
    ("snowflake", "SELECT $$it's secret$$, x", "SELECT ?, x"),
    ("oracle", "SELECT q'[it's]', Q'{a}b}', nq'!x'y!', q'xsecretx' FROM t", "SELECT ?, ?, ?, ? FROM t"),
    ("gcpbigquery", 'SELECT \'\'\'it\'s "secret"\'\'\', """a""b"""', "SELECT ?, ?"),
    ("ydb", "SELECT @@it's secret@@, x", "SELECT ?, x"),
    ("clickhouse", "SELECT \u2018secret\u2019, $tag$secret$tag$", "SELECT ?, ?"),
    ("mssql", "SELECT $5.00, $100 FROM #t1 WHERE @p1 = 2", "SELECT ?, ? FROM #t1 WHERE @p1 = ?"),
    # what is never closed
    ("*", "SELECT x, 'secret, y", "SELECT x, ?"),
    ("*", "SELECT x, `secret, y", "SELECT x, ?"),
    ("postgres", 'SELECT x, "secret, y', "SELECT x, ?"),
    ("mssql", "SELECT x, [secret, y", "SELECT x, ?"),
    ("postgres", "SELECT x, $a$secret, y", "SELECT x, ?"),
    ("oracle", "SELECT x, q'[secret', y", "SELECT x, ?"),
    ("gcpbigquery", "SELECT x, '''secret', y", "SELECT x, ?"),
    ("mysql", "SELECT 'secret\\", "SELECT ?"),
    # data that is not SQL
    ("clickhouse", "INSERT INTO t FORMAT CSV\n1,secret;\n2", "INSERT INTO t FORMAT CSV\n?"),
    ("clickhouse", 'INSERT INTO t FORMAT JSONEachRow {"a": "secret"}', "INSERT INTO t FORMAT JSONEachRow ?"),
    ("clickhouse", "INSERT INTO t FORMAT Values (1, 'a')", "INSERT INTO t FORMAT Values (?, ?)"),
    ("clickhouse", "SELECT x FORMAT CSV SETTINGS a = 1", "SELECT x FORMAT CSV SETTINGS a = ?"),
    ("postgres", "COPY t FROM STDIN;\n1\tsecret\n\\.\nSELECT 1", "COPY t FROM STDIN;\n?\n\\.\nSELECT ?"),
    ("postgres", "COPY t FROM STDIN;\n1\tsecret\n", "COPY t FROM STDIN;\n?\n"),
    ("postgres", "COPY t FROM STDIN WITH (FORMAT csv)", "COPY t FROM STDIN WITH (FORMAT csv)"),
    (
        "exasol",
        'CREATE PYTHON3 SCALAR SCRIPT s (a int) RETURNS int AS\nx = """secret"""\n# it\'s secret\ny = "secret";\n',
        "CREATE PYTHON3 SCALAR SCRIPT s (a int) RETURNS int AS\n?;\n",
    ),
    ("exasol", "CREATE LUA SCRIPT s AS\nquery([[secret]]); x = secret", "CREATE LUA SCRIPT s AS\n?"),
    (
        "exasol",
        "CREATE MYJAVA SET SCRIPT s(...) EMITS (a int) AS // it's",
        "CREATE MYJAVA SET SCRIPT s(...) EMITS (a int) AS ?",
    ),
    ("*", "CREATE TABLE script AS SELECT script", "CREATE TABLE script AS SELECT script"),
    # secrets that are no literals
    ("*", "CREATE USER bob IDENTIFIED BY 'secret'", "CREATE USER bob IDENTIFIED BY ?"),
    ("oracle", "CREATE USER bob IDENTIFIED BY secret$1 QUOTA 5 ON x", "CREATE USER bob IDENTIFIED BY ? QUOTA ? ON x"),
    ("oracle", 'ALTER USER bob IDENTIFIED BY "secret" REPLACE secret', "ALTER USER bob IDENTIFIED BY ? REPLACE ?"),
    (
        "oracle",
        "GRANT CONNECT TO a, b IDENTIFIED BY secret, secret#2",
        "GRANT CONNECT TO a, b IDENTIFIED BY ?, ?",
    ),
    ("teradata", "CREATE USER bob AS PASSWORD = (secret), PERM = 5", "CREATE USER bob AS PASSWORD = (?), PERM = ?"),
    ("postgres", "ALTER USER bob WITH PASSWORD secret-5; SELECT x", "ALTER USER bob WITH PASSWORD ?; SELECT x"),
    ("postgres", "CREATE TABLE u (password varchar(5))", "CREATE TABLE u (password varchar(?))"),
    ("postgres", "SELECT password FROM u WHERE token = x", "SELECT password FROM u WHERE token = x"),
    ("sqlite", "PRAGMA key = secret", "PRAGMA key = ?"),
    ("sqlite", "PRAGMA key(secret); PRAGMA main.rekey( secret )", "PRAGMA key(?); PRAGMA main.rekey( ? )"),
    ("sqlite", "PRAGMA table_info(t)", "PRAGMA table_info(t)"),
    ("sqlite", "ATTACH 'x' AS y KEY secret", "ATTACH ? AS y KEY ?"),
    ("sqlite", 'ATTACH DATABASE x AS y KEY "secret"', "ATTACH DATABASE x AS y KEY ?"),
    ("*", "CREATE SECRET s (TYPE s3, KEY_ID secret, SECRET secret)", "CREATE SECRET s (TYPE s3, KEY_ID ?, SECRET ?)"),
    (
        "duckdb",
        'CREATE OR REPLACE TEMPORARY SECRET (TYPE http, PROVIDER config, BEARER_TOKEN "secret", SCOPE (a, b))',
        "CREATE OR REPLACE TEMPORARY SECRET (TYPE http, PROVIDER config, BEARER_TOKEN ?, SCOPE ? ?)",
    ),
    ("duckdb", "CREATE SECRET (H MAP {a: 'b', secret: 'c'}) ; SELECT a", "CREATE SECRET (H ? ? ? ? ?) ; SELECT a"),
    ("duckdb", "CREATE TABLE secret (a int, b text)", "CREATE TABLE secret (a int, b text)"),
    ("duckdb", "ATTACH 'x' AS y (ENCRYPTION_KEY secret, TYPE duckdb)", "ATTACH ? AS y (ENCRYPTION_KEY ?, TYPE duckdb)"),
    ("clickhouse", "ATTACH TABLE t (a Int32, b String)", "ATTACH TABLE t (a Int32, b String)"),
    ("*", "SET s3_secret_access_key = secret", "SET s3_secret_access_key = ?"),
    ("postgres", "SET x.auth_token TO secret", "SET x.auth_token TO ?"),
    ("duckdb", "SET temp_directory = secret; SET SESSION a TO secret", "SET temp_directory = ?; SET SESSION a TO ?"),
    ("duckdb", 'SET a = "secret", b', "SET a = ?, b"),
    ("duckdb", "SET a = true; SET b = getenv('x'); RESET c", "SET a = true; SET b = getenv(?); RESET c"),
    ("duckdb", 'PRAGMA add_parquet_key(k, "secret")', "PRAGMA add_parquet_key(? ?)"),
    ("duckdb", "UPDATE t SET a = b", "UPDATE t SET a = b"),
    ("postgres", "SET search_path = public", "SET search_path = public"),
    (
        "oracle",
        "ADMINISTER KEY MANAGEMENT ALTER KEYSTORE PASSWORD IDENTIFIED BY secret SET secret WITH BACKUP",
        "ADMINISTER KEY MANAGEMENT ALTER KEYSTORE PASSWORD IDENTIFIED BY ? SET ? WITH BACKUP",
    ),
    (
        "oracle",
        "ADMINISTER KEY MANAGEMENT EXPORT KEYS WITH SECRET secret TO 'x' IDENTIFIED BY secret",
        "ADMINISTER KEY MANAGEMENT EXPORT KEYS WITH SECRET ? TO ? IDENTIFIED BY ?",
    ),
    ("mysql", "/*!50001 SET PASSWORD = secret */", "/*!50001 SET PASSWORD = ? */"),
    ("spark_sql", "SET fs.s3a.secret.key=AKIAsecret; SELECT x", "SET fs.s3a.secret.key=?; SELECT x"),
    ("hiveserver2", "SET a.password = it's secret", "SET a.password = ?"),
    # a dialect that is not known: whatever any of them hides
    (None, r"SELECT x, 'C:\', 'secret', y", "SELECT x, ?"),
    (None, 'SELECT "secret" FROM t', "SELECT ? FROM t"),
    (None, "SELECT x # it's secret\n, y", "SELECT x ?"),
    (None, "SELECT a, $$it's secret$$, b", "SELECT a, ?"),
    (None, "SELECT a, q'[it's secret]', b", "SELECT a, ?"),
    (None, "SELECT [it's secret], b", "SELECT ?"),
    (None, "INSERT INTO t FORMAT CSV 1,secret", "INSERT INTO t FORMAT CSV ?"),
    (
        "athena",
        "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b' COMMENT \"x\"",
        "CREATE EXTERNAL TABLE t (a int) LOCATION ? COMMENT ?",
    ),
    ("postgres", "SELECT x -- a\rsecret'\n, 'y'", "SELECT x ?"),
]

CASES = [
    pytest.param(one, sql, expected, id=f"{one}: {sql[:60]!r}")
    for dialect, sql, expected in TABLE
    for one in (DIALECTS if dialect == "*" else [dialect])
]


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_literals_become_question_marks_and_the_rest_stays(dialect: str | None, sql: str, expected: str) -> None:
    assert mask_literals(sql, dialect) == expected


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_an_unknown_dialect_hides_no_less(dialect: str | None, sql: str, expected: str) -> None:
    """The result is a part of what the dialect's own reading shows, in its order."""
    shown = iter(expected)
    assert all(letter in shown for letter in mask_literals(sql).replace("?", ""))


# --- laws

PIECES = st.sampled_from(json.loads(Path(__file__).with_name("fragments.json").read_text()))
TEXTS = st.lists(PIECES, max_size=25).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda separator: separator.join(parts))
)


@UNTIMED
@given(TEXTS, st.sampled_from(DIALECTS))
def test_masking_twice_is_masking_once(sql: str, dialect: str | None) -> None:
    once = mask_literals(sql, dialect)
    assert mask_literals(once, dialect) == once


@UNTIMED
@given(st.text(), st.sampled_from(DIALECTS))
def test_any_text_can_be_masked(sql: str, dialect: str | None) -> None:
    assert not set(mask_literals(sql, dialect)) - set(sql) - {"?", " "}


@UNTIMED
@given(TEXTS, st.sampled_from(DIALECTS))
def test_an_unknown_dialect_shows_nothing_that_a_known_one_hides(sql: str, dialect: str | None) -> None:
    marked = sql.replace("a", "s3cret")
    if "s3cret" not in mask_literals(marked, dialect):
        assert "s3cret" not in mask_literals(marked)


def test_literals_that_are_hidden_can_be_told() -> None:
    """They are told as they are in the text, so that they can be looked for in another one."""
    sql = "SELECT 'it''s', 4.2, \"name\" /* why */ FROM t -- end"
    assert list(literals(sql, "postgres")) == ["'it''s'", "4.2", "/* why */", "-- end"]
    assert list(literals("CREATE USER x IDENTIFIED BY secret", "oracle")) == ["secret"]
    assert list(literals("SELECT a FROM t", None)) == []


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_a_long_text_of_an_unknown_dialect_hides_no_less(
    monkeypatch: pytest.MonkeyPatch, dialect: str | None, sql: str, expected: str
) -> None:
    monkeypatch.setattr(masking, "_MAX_WORK", 0)
    shown = iter(expected)
    assert all(letter in shown for letter in re.sub(r"[?\s]", "", mask_literals(sql)))


@UNTIMED
@given(TEXTS, st.sampled_from(DIALECTS))
def test_a_long_text_of_an_unknown_dialect_shows_nothing_that_a_known_one_hides(sql: str, dialect: str | None) -> None:
    marked = sql.replace("a", "s3cret")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masking, "_MAX_WORK", 0)
        long = mask_literals(marked)
        assert mask_literals(long) == long
    assert mask_literals(long) == long
    if "s3cret" not in mask_literals(marked, dialect):
        assert "s3cret" not in long


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("(1, 'it''s C:\\\\', \"x\", `y`, NULL), ", "(?, ?, ?, `y`, NULL), "),
        ("(1, [a b], -- c\n 'd' /* e */), ", "(?, [a b], \n ? ), "),
        ("(1, 'C:\\'), ", None),
    ],
)
def test_a_long_text_of_an_unknown_dialect_keeps_what_all_agree_on(row: str, expected: str | None) -> None:
    count = 2 * masking._MAX_WORK // len(row) // 2
    head = "INSERT INTO t VALUES "
    masked = mask_literals(head + row * count)
    assert masked == (head + (expected * count if expected else "(?, ?"))


@pytest.mark.parametrize("dialect", ["postgres", "Postgres", "POSTGRES"])
def test_the_dialect_may_be_in_any_letters(dialect: str) -> None:
    assert mask_literals(r"SELECT 'C:\', x", dialect) == "SELECT ?, x"


ADVERSARIES = [
    "'", "/*", "$", "((", "\\", "$a$", "q'[", '"""', "/*!", "{#", "E'\\", "[", "`", "''", "a-", "1.", "1e", "-", "@@",
    ":1", "#", "--", "$1", "/*!*/", "*/", "E'\n", "''\n", "E''\n--\n", "\u2018", "r'", "set=", "copy from stdin;",
    "\\.\n", "insert format ", "identified by ", '"', '"".', "a.5", " ", "\r", "\n", "x'", "' '", "q'", "$$$", "1..",
    "{{", "[a ", "[a]", "''x", "/*/", "create secret (", "attach (", "pragma key(",
]  # fmt: skip


@pytest.mark.parametrize("unit", ADVERSARIES)
def test_the_work_is_linear_in_the_length_of_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the text takes no more than twice the steps; a step that scans on and on would not end in time here."""
    steps = _count_steps(monkeypatch)
    every_way = masking._MAX_WORK
    for dialect, limit in [("postgres", 0), ("mysql", 0), ("clickhouse", 0), (None, every_way), (None, 0)]:
        monkeypatch.setattr(masking, "_MAX_WORK", limit)
        counts, seconds = [], []
        for size in (20_000, 40_000):
            steps.clear()
            started = time.perf_counter()
            mask_literals(unit * (size // len(unit)), dialect)
            seconds.append(time.perf_counter() - started)
            counts.append(len(steps))
        assert counts[1] <= 2 * counts[0] + 50
        print(f"{dialect} {unit!r}: {counts[1]} steps, {seconds[1] / seconds[0]:.1f} times as long")


def _count_steps(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Let the scanner note each time that it matches a token or looks for the end of one."""
    steps: list[None] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            steps.append(None)
            return function(*arguments)

        return call

    grammar = tokenizer._grammar

    def counting_grammar(lexicon: tokenizer.LexicalRules) -> Any:
        match_at, forms = grammar(lexicon)
        return counted(match_at), [(kind, pattern, close and counted(close)) for kind, pattern, close in forms]

    monkeypatch.setattr(tokenizer, "_grammar", counting_grammar)
    return steps


# --- engines that say what a literal is

SECRET = "s3cret"
NASTY = st.lists(
    st.sampled_from(
        [
            "'",
            '"',
            "`",
            "\\",
            "$",
            "$$",
            "$a$",
            "--",
            "-- ",
            "/*",
            "*/",
            "#",
            "//",
            ";",
            "\n",
            " ",
            "]",
            "[",
            "x",
            "é",
            "?",
            "q'[",
        ]
    ),
    max_size=6,
).map("".join)
Made = tuple[str, str]
"""A literal as it is written, and the text that it stands for."""


def _doubled(text: str, quote: str = "'") -> str:
    return quote + text.replace(quote, quote * 2) + quote


def _escaped(text: str, quote: str = "'") -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _postgres_literals(text: str) -> list[Made]:
    return [
        (_doubled(text), text),
        ("N" + _doubled(text), text),
        ("e" + _escaped(text), text),
        ("E" + _doubled(text.replace("\\", "\\\\")), text),
        (f"E'x'\n -- it's\n {_escaped(text)}", "x" + text),
        (f"$q9x${text}$q9x$", text),
        ("U&" + _doubled(text.replace("\\", "\\\\")), text),
    ]


def _duckdb_literals(text: str) -> list[Made]:
    return [(_doubled(text), text), ("E" + _escaped(text), text), (f"$q9x${text}$q9x$", text)]


def _sqlite_literals(text: str) -> list[Made]:
    return [(_doubled(text), text), (f"CAST(x'{text.encode().hex()}' AS text)", text)]


def _mysql_literals(text: str) -> list[Made]:
    hidden = _doubled(text.replace("\\", "\\\\"))
    return [
        (hidden, text),
        (_escaped(text), text),
        (_escaped(text, '"'), text),
        (_doubled(text.replace("\\", "\\\\"), '"'), text),
        ("N" + hidden, text),
        (f"/*!50000 {_escaped(text.replace('*/', ''))} */", text.replace("*/", "")),
    ]


def _bracketed(text: str) -> str:
    return "[" + text.replace("]", "") + "]"


def _plain_comment(text: str) -> str:
    return f"/* {text.replace('*/', '')} {SECRET} */"


def _flat_comment(text: str) -> str:
    return f"/* {text.replace('*/', '').replace('/*', '')} {SECRET} */"


def _nested_comment(text: str) -> str:
    return _flat_comment(f"{text} ").replace(SECRET, f"/* {SECRET} */ '")


def _line_comment(opening: str) -> Callable[[str], str]:
    return lambda text: opening + text.replace("\n", "") + SECRET + "\n"


class Engine:
    """An engine, how it writes literals, names and comments, and what it says a statement selects."""

    literals: Callable[[str], list[Made]]
    names: Sequence[Callable[[str], str]] = (lambda text: _doubled(text, '"'),)
    comments: Sequence[Callable[[str], str]]
    dialect: str

    def select(self, sql: str) -> list[Any]:
        raise NotImplementedError


class Postgres(Engine):
    dialect = "postgres"
    literals = staticmethod(_postgres_literals)
    comments = (_flat_comment, _nested_comment, _line_comment("--"))

    def __init__(self) -> None:
        psycopg2 = pytest.importorskip("psycopg2")
        try:
            self.connection = psycopg2.connect(host="127.0.0.1", user="postgres", dbname="test", connect_timeout=5)
        except psycopg2.OperationalError as error:
            require(f"there is no PostgreSQL on loopback: {error}")
        self.connection.autocommit = True

    def select(self, sql: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchone())


class MariaDB(Engine):
    dialect = "mysql"
    literals = staticmethod(_mysql_literals)
    names = (lambda text: _doubled(text, "`"),)
    comments = (_plain_comment, _line_comment("#"), _line_comment("-- "))

    def __init__(self) -> None:
        pymysql = pytest.importorskip("pymysql")
        try:
            self.connection = pymysql.connect(host="127.0.0.1", user="root", database="test", charset="utf8mb4")
        except pymysql.Error as error:
            require(f"there is no MariaDB on loopback: {error}")

    def select(self, sql: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchone())


class DuckDB(Engine):
    dialect = "duckdb"
    literals = staticmethod(_duckdb_literals)
    comments = (_flat_comment, _nested_comment, _line_comment("--"))

    def __init__(self) -> None:
        self.connection = pytest.importorskip("duckdb").connect()

    def select(self, sql: str) -> list[Any]:
        return list(self.connection.execute(sql).fetchone())


class SQLite(Engine):
    dialect = "sqlite"
    literals = staticmethod(_sqlite_literals)
    names = (lambda text: _doubled(text, '"'), lambda text: _doubled(text, "`"), _bracketed)
    comments = (_plain_comment, _line_comment("--"))

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")

    def select(self, sql: str) -> list[Any]:
        return list(self.connection.execute(sql).fetchone())


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Postgres, marks=pytest.mark.services),
        pytest.param(MariaDB, marks=pytest.mark.services),
        DuckDB,
        SQLite,
    ],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = request.param()
    yield made
    made.connection.close()


@UNTIMED
@given(data=st.data())
def test_what_an_engine_takes_for_a_literal_is_hidden_and_nothing_else_is(engine: Engine, data: st.DataObject) -> None:
    """The engine returns each literal's text: so this is how it cut the statement, and masking must cut it so too."""
    written, expected, values = [], [], []
    for _ in range(data.draw(st.integers(1, 4), label="columns")):
        text = data.draw(NASTY) + SECRET + data.draw(NASTY)
        literal, value = data.draw(st.sampled_from(engine.literals(text)))
        name = data.draw(st.sampled_from(engine.names))("n" + data.draw(NASTY) + "n")
        comment = data.draw(st.sampled_from(engine.comments))(data.draw(NASTY))
        number = data.draw(st.sampled_from(["1", "2.5", "3e2", ".5", "1."]))
        written.append(f"{literal} AS {name} {comment} , {number}")
        shown = literal.replace(re.sub(r"^(CAST\(|/\*!50000 )|( AS text\)| \*/)$", "", literal), "?")
        expected.append(f"{shown} AS {name}  , ?")
        values.append(value)
    sql = "SELECT " + ", ".join(written)
    assert engine.select(sql)[::2] == values
    masked = mask_literals(sql, engine.dialect)
    assert SECRET not in masked
    assert _folded(masked) == _folded("SELECT " + ", ".join(expected))
    assert SECRET not in mask_literals(sql)


def _folded(sql: str) -> str:
    return re.sub(r"\s+", " ", sql)
