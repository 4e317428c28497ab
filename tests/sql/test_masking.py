"""Text without its literals: tables of tricky texts, and laws for any text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.sql import masking
from airflow_provider_ryft.sql.masking import literals, mask_literals
from support.sql_texts import DIALECTS, TEXTS, UNTIMED, Case, check_each, expanded

CASES: dict[str, list[Case]] = {
    "plain literals, everywhere": [
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
    ],
    "placeholders": [
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
    ],
    "comments": [
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
    ],
    "backslashes": [
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
    ],
    "double quotes, backticks, brackets": [
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
    ],
    "other quotes": [
        ("postgres", "SELECT $$it's$$, $a$ $$secret$$ $a$, x$1$y", "SELECT ?, ?, x$1$y"),
        ("snowflake", "SELECT $$it's secret$$, x", "SELECT ?, x"),
        ("oracle", "SELECT q'[it's]', Q'{a}b}', nq'!x'y!', q'xsecretx' FROM t", "SELECT ?, ?, ?, ? FROM t"),
        ("gcpbigquery", 'SELECT \'\'\'it\'s "secret"\'\'\', """a""b"""', "SELECT ?, ?"),
        ("ydb", "SELECT @@it's secret@@, x", "SELECT ?, x"),
        ("clickhouse", "SELECT \u2018secret\u2019, $tag$secret$tag$", "SELECT ?, ?"),
        ("mssql", "SELECT $5.00, $100 FROM #t1 WHERE @p1 = 2", "SELECT ?, ? FROM #t1 WHERE @p1 = ?"),
    ],
    "what is never closed": [
        ("*", "SELECT x, 'secret, y", "SELECT x, ?"),
        ("*", "SELECT x, `secret, y", "SELECT x, ?"),
        ("postgres", 'SELECT x, "secret, y', "SELECT x, ?"),
        ("mssql", "SELECT x, [secret, y", "SELECT x, ?"),
        ("postgres", "SELECT x, $a$secret, y", "SELECT x, ?"),
        ("oracle", "SELECT x, q'[secret', y", "SELECT x, ?"),
        ("gcpbigquery", "SELECT x, '''secret', y", "SELECT x, ?"),
        ("mysql", "SELECT 'secret\\", "SELECT ?"),
    ],
    "data that is not SQL": [
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
    ],
    "a dialect that is not known: whatever any of them hides": [
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
    ],
}


@pytest.mark.parametrize("subject", CASES)
def test_literals_become_question_marks_and_the_rest_stays(subject: str) -> None:
    check_each(expanded(CASES[subject], DIALECTS), mask_literals)


@pytest.mark.parametrize("length", ["short", "long"])
@pytest.mark.parametrize("subject", CASES)
def test_an_unknown_dialect_hides_no_less(monkeypatch: pytest.MonkeyPatch, subject: str, length: str) -> None:
    """The result is a part of what the dialect's own reading shows, in its order."""
    if length == "long":
        monkeypatch.setattr(masking, "_MAX_WORK", 0)
    for _, sql, expected in CASES[subject]:
        shown = iter(expected)
        assert all(letter in shown for letter in re.sub(r"[?\s]", "", mask_literals(sql))), sql


# --- laws


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


def test_the_dialect_may_be_in_any_letters() -> None:
    for dialect in ("postgres", "Postgres", "POSTGRES"):
        assert mask_literals(r"SELECT 'C:\', x", dialect) == "SELECT ?, x"
