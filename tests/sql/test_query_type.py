"""The type of a text: limits, unknown dialects, laws for any text, and PostgreSQL as the judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.ingest.fields import QueryType
from airflow_provider_ryft.sql import query_type as module, tokenizer
from airflow_provider_ryft.sql.masking import mask_literals
from airflow_provider_ryft.sql.query_type import query_type
from support.services import require
from support.sql_texts import DIALECTS, TEXTS, UNTIMED

SELECT, EXPLAIN, DESCRIBE, INSERT = QueryType.SELECT, QueryType.EXPLAIN, QueryType.DESCRIBE, QueryType.INSERT
UPDATE, DELETE, MERGE, ANALYZE = QueryType.UPDATE, QueryType.DELETE, QueryType.MERGE, QueryType.ANALYZE
DDL = QueryType.DATA_DEFINITION

KNOWN = st.sampled_from([dialect for dialect in DIALECTS if dialect])


def test_the_dialect_may_be_in_any_letters() -> None:
    for dialect in ("Postgres", "POSTGRES"):
        assert query_type(r"SELECT 'C:\'; DELETE FROM t; --'", dialect) == DELETE


def test_where_dialects_read_a_text_differently_an_unknown_one_has_no_type() -> None:
    for dialect in (None, "", "jdbc", "odbc", "generic", "something_new"):
        assert query_type(r"SELECT 'C:\'; DELETE FROM t; --'", dialect) is None
        assert query_type("DELETE FROM t WHERE a = 'x'", dialect) == DELETE


def test_a_text_is_read_only_as_far_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    read = _count_tokens(monkeypatch)
    assert query_type("-- load\nINSERT INTO t VALUES " + ", ".join(["(1, 'a')"] * 20_000), "postgres") == INSERT
    assert 0 < len(read) < 5


def test_what_is_not_settled_within_the_limit_has_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    read = _count_tokens(monkeypatch)
    deep = f"WITH a AS (SELECT {'1, ' * module.MAX_TOKENS} 1) INSERT INTO t SELECT * FROM a"
    assert query_type(deep, "postgres") is None
    assert query_type(f"SELECT 1; SELECT {'1, ' * module.MAX_TOKENS}; DELETE FROM t", "postgres") is None
    assert len(read) <= 2 * (module.MAX_TOKENS + 1)


def test_a_large_insert_is_one_even_if_its_values_hold_semicolons() -> None:
    assert query_type("INSERT INTO t VALUES " + ", ".join(["(';', 1)"] * 20_000), "postgres") == INSERT


def test_a_statement_in_a_statement_in_a_statement_ends_somewhere() -> None:
    assert query_type("EXPLAIN ANALYZE " * 5_000 + "SELECT 1", "postgres") is None
    assert query_type("LOCKING t FOR ACCESS " * 5_000 + "SELECT 1", "teradata") is None


def _count_tokens(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Count the tokens that the tokenizer is asked for."""
    read: list[object] = []
    tokens = tokenizer.tokens

    def counted(*arguments: Any) -> Iterator[Any]:
        for token in tokens(*arguments):
            read.append(token)
            yield token

    monkeypatch.setattr(tokenizer, "tokens", counted)
    return read


@UNTIMED
@given(TEXTS, KNOWN)
def test_masking_changes_the_type_of_no_text_whatever(sql: str, dialect: str) -> None:
    assert query_type(mask_literals(sql, dialect), dialect) == query_type(sql, dialect)


@UNTIMED
@given(TEXTS)
def test_masking_leaves_or_takes_the_type_where_the_dialect_is_unknown(sql: str) -> None:
    before = query_type(sql)
    assert before is None or query_type(mask_literals(sql)) in (before, None)


# --- PostgreSQL as the judge

POSTGRES = {
    "SELECT": SELECT,
    "INSERT": INSERT,
    "UPDATE": UPDATE,
    "DELETE": DELETE,
    "MERGE": MERGE,
    "ANALYZE": ANALYZE,
    "SHOW": DESCRIBE,
    "EXPLAIN": EXPLAIN,
    "DO": None,
    "LOCK TABLE": None,
    "SAVEPOINT": None,
    "DECLARE CURSOR": None,
    "LISTEN": None,
    "EXECUTE": None,
}
"""The type for the first word or words of PostgreSQL's command tag; what is not here is a definition."""

JUDGED = [
    "SELECT 1",
    "(SELECT 1) UNION (SELECT 2)",
    "VALUES (1)",
    "TABLE ryft_t",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "WITH insert AS (SELECT 1 AS update) SELECT update FROM insert",
    "WITH a AS (SELECT 1) INSERT INTO ryft_t SELECT * FROM a",
    "WITH a AS (INSERT INTO ryft_t VALUES (1) RETURNING x) SELECT * FROM a",
    "WITH a AS (DELETE FROM ryft_t RETURNING x) UPDATE ryft_t SET x = 1",
    "WITH RECURSIVE a(n) AS (SELECT 1 UNION SELECT n + 1 FROM a WHERE n < 3) SEARCH DEPTH FIRST BY n SET s TABLE a",
    "WITH a AS NOT MATERIALIZED (SELECT 1) DELETE FROM ryft_t USING a",
    "MERGE INTO ryft_t USING (VALUES ('1')) s(x) ON ryft_t.x = s.x WHEN MATCHED THEN DELETE",
    "INSERT INTO ryft_t SELECT 'DELETE FROM x; --'",
    "INSERT INTO ryft_t VALUES (1) ON CONFLICT DO NOTHING",
    "UPDATE ryft_t SET x = (SELECT 1)",
    "DELETE FROM ryft_t WHERE x IN (SELECT '1')",
    "SELECT $$;DELETE$$, $a$ $$ ' $a$, E'\\';', '\\', U&'\\0061', B'01', X'1F', N'x', 'a'\n'b'",
    "SELECT /* /* nested */ ; DELETE */ 1 -- ; DELETE",
    'SELECT 1 AS "; DELETE FROM t"',
    "SELECT 5 # 3, 5 - -3, 1.5e-3, .5, 1.",
    "EXPLAIN SELECT 1",
    "EXPLAIN (COSTS OFF, FORMAT JSON) INSERT INTO ryft_t VALUES (1)",
    "SHOW search_path",
    "ANALYZE ryft_t",
    "ANALYZE (VERBOSE) ryft_t",
    "CREATE TABLE ryft_u (a int, b int GENERATED ALWAYS AS (a + 1) STORED, CHECK (a > 0))",
    "CREATE TABLE ryft_u (LIKE ryft_t INCLUDING ALL)",
    "CREATE TEMP TABLE ryft_u (a int) ON COMMIT DROP",
    "CREATE VIEW ryft_v AS SELECT 1",
    "CREATE MATERIALIZED VIEW ryft_v AS SELECT 1 AS a WITH NO DATA",
    "CREATE INDEX ON ryft_t (x)",
    "CREATE FUNCTION ryft_f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",
    "CREATE FUNCTION ryft_f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
    "CREATE PROCEDURE ryft_p() LANGUAGE plpgsql AS 'BEGIN DELETE FROM ryft_t; END'",
    "ALTER TABLE ryft_t ADD COLUMN execute int",
    "ALTER TABLE ryft_t RENAME TO update",
    "DROP TABLE ryft_t",
    "TRUNCATE ryft_t",
    "COMMENT ON TABLE ryft_t IS 'SELECT'",
    "GRANT SELECT, INSERT ON ryft_t TO PUBLIC",
    "REVOKE ALL ON ryft_t FROM PUBLIC",
    "SET search_path = public",
    "SET LOCAL TIME ZONE 'UTC'",
    "RESET search_path",
    "PREPARE ryft_s AS SELECT 1",
    "DEALLOCATE ALL",
    "DO $$ BEGIN PERFORM 1; DELETE FROM ryft_t; END $$",
    "LOCK TABLE ryft_t",
    "SAVEPOINT s",
    "DECLARE c CURSOR FOR SELECT 1",
    "CREATE RULE ryft_r AS ON INSERT TO ryft_t DO INSTEAD (SELECT 1; DELETE FROM ryft_t)",
    "LISTEN ryft",
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Any]:
    psycopg2 = pytest.importorskip("psycopg2")
    try:
        connection = psycopg2.connect(host="127.0.0.1", port=5432, user="postgres", dbname="test", connect_timeout=3)
    except psycopg2.OperationalError as error:
        require(f"there is no PostgreSQL on loopback: {error}")
    yield connection
    connection.close()


@pytest.mark.services
@pytest.mark.parametrize("sql", JUDGED)
def test_postgresql_calls_the_statement_the_same(postgres: Any, sql: str) -> None:
    with postgres.cursor() as cursor:
        try:
            cursor.execute("CREATE TEMP TABLE ryft_t (x text)")
            cursor.execute(sql)
            tag = cursor.statusmessage
            described = None if cursor.description is None else cursor.description[0].name
        finally:
            postgres.rollback()
    words = "".join(letter for letter in tag if not letter.isdigit()).strip()
    expected = EXPLAIN if described == "QUERY PLAN" else POSTGRES.get(words, DDL)
    assert query_type(sql, "postgres") == expected, tag


@pytest.mark.services
@pytest.mark.parametrize(
    ("sql", "tag"),
    [
        ("CREATE TABLE ryft_u AS SELECT 1 AS a", "SELECT 1"),
        ("SELECT 1 AS a INTO ryft_u", "SELECT 1"),
        ("CREATE TABLE ryft_u AS VALUES (1)", "SELECT 1"),
        ("CREATE TABLE ryft_u AS (TABLE ryft_t) WITH NO DATA", "CREATE TABLE AS"),
        ("EXPLAIN ANALYZE INSERT INTO ryft_t VALUES (1)", "EXPLAIN"),
        ("EXPLAIN (ANALYZE, COSTS OFF) INSERT INTO ryft_t VALUES (1)", "EXPLAIN"),
    ],
)
def test_where_trino_and_postgresql_differ_it_is_as_trino_has_it(postgres: Any, sql: str, tag: str) -> None:
    with postgres.cursor() as cursor:
        try:
            cursor.execute("CREATE TEMP TABLE ryft_t (x text)")
            cursor.execute(sql)
            assert cursor.statusmessage == tag
        finally:
            postgres.rollback()
    assert query_type(sql, "postgres") == INSERT
