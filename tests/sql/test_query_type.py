"""Statements of many dialects, and the type that each has by Trino's mapping."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from airflow_provider_ryft.ingest.query import QueryType
from airflow_provider_ryft.sql import dialects, query_type as module, tokenizer
from airflow_provider_ryft.sql.dialects import possible_rules
from airflow_provider_ryft.sql.first_word import settled_by_first_word
from airflow_provider_ryft.sql.masking import mask_literals
from airflow_provider_ryft.sql.query_type import query_type
from airflow_provider_ryft.sql.statement_rules import type_of
from support.services import require

SELECT, EXPLAIN, DESCRIBE, INSERT = QueryType.SELECT, QueryType.EXPLAIN, QueryType.DESCRIBE, QueryType.INSERT
UPDATE, DELETE, MERGE, ANALYZE = QueryType.UPDATE, QueryType.DELETE, QueryType.MERGE, QueryType.ANALYZE
DDL, EXECUTE = QueryType.DATA_DEFINITION, QueryType.ALTER_TABLE_EXECUTE

UNTIMED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # machines are noisy

# What "*" in the table stands for: one dialect of each family, and an unknown one.
ALL = ["postgres", "mysql", "sqlite", "trino", "snowflake", "gcpbigquery", "databricks", "clickhouse", "oracle", None]

TABLE: list[tuple[str, str, QueryType | None]] = [
    # Trino's own statements, one of each that its mapping names
    ("trino", "SELECT 1", SELECT),
    ("trino", "VALUES (1, 'a'), (2, 'b')", SELECT),
    ("trino", "TABLE orders", SELECT),
    ("trino", "(SELECT 1) UNION ALL (SELECT 2)", SELECT),
    ("trino", "((SELECT 1))", SELECT),
    ("trino", "WITH a AS (SELECT 1) SELECT * FROM a", SELECT),
    ("trino", "WITH FUNCTION f(x int) RETURNS int BEGIN DECLARE y int; SET y = x; RETURN y; END SELECT f(1)", SELECT),
    ("trino", "EXPLAIN SELECT 1", EXPLAIN),
    ("trino", "EXPLAIN (TYPE LOGICAL, FORMAT JSON) INSERT INTO t SELECT 1", EXPLAIN),
    ("trino", "EXPLAIN ANALYZE SELECT 1", SELECT),
    ("trino", "EXPLAIN ANALYZE VERBOSE INSERT INTO t SELECT 1", INSERT),
    ("trino", "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1 AS x", INSERT),
    ("trino", "DESCRIBE orders", DESCRIBE),
    ("trino", "DESC orders", DESCRIBE),
    ("trino", "DESCRIBE INPUT p", DESCRIBE),
    ("trino", "SHOW TABLES FROM hive.web", DESCRIBE),
    ("trino", "SHOW CREATE TABLE t", DESCRIBE),
    ("trino", "SHOW STATS FOR (SELECT * FROM t)", DESCRIBE),
    ("trino", "ALTER TABLE iceberg.web.orders EXECUTE optimize(file_size_threshold => '128MB')", EXECUTE),
    ("trino", 'ALTER TABLE IF EXISTS "a"."b"."c" EXECUTE expire_snapshots', EXECUTE),
    ("trino", "alter table t execute remove_orphan_files(retention_threshold => '7d')", EXECUTE),
    ("trino", "ALTER TABLE t ADD COLUMN execute int", DDL),
    ("trino", "ALTER TABLE t SET PROPERTIES format_version = 2", DDL),
    ("trino", "ALTER MATERIALIZED VIEW mv RENAME TO mw", DDL),
    ("trino", "CREATE TABLE t WITH (format = 'ORC') AS SELECT * FROM s", INSERT),
    ("trino", "CREATE TABLE t AS (SELECT 1 AS x) WITH NO DATA", INSERT),
    ("trino", "CREATE TABLE IF NOT EXISTS t AS WITH a AS (SELECT 1 x) SELECT * FROM a", INSERT),
    ("trino", "CREATE TABLE t AS TABLE s", INSERT),
    ("trino", "CREATE TABLE t (a int, b varchar DEFAULT 'AS SELECT')", DDL),
    ("trino", "CREATE TABLE t (LIKE s INCLUDING PROPERTIES)", DDL),
    ("trino", "CREATE VIEW v AS SELECT 1 AS x", DDL),
    ("trino", "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 AS x", DDL),
    ("trino", "REFRESH MATERIALIZED VIEW v", INSERT),
    ("trino", "INSERT INTO t WITH a AS (SELECT 1) SELECT * FROM a", INSERT),
    ("trino", "UPDATE t SET a = 1 WHERE b IN (SELECT c FROM d)", UPDATE),
    ("trino", "DELETE FROM t WHERE a = 'INSERT'", DELETE),
    ("trino", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", MERGE),
    ("trino", "ANALYZE hive.web.orders WITH (partitions = ARRAY[ARRAY['1992-01-01']])", ANALYZE),
    ("trino", "DROP TABLE IF EXISTS t", DDL),
    ("trino", "TRUNCATE TABLE t", DDL),
    ("trino", "COMMENT ON TABLE t IS 'SELECT'", DDL),
    ("trino", "GRANT SELECT, INSERT ON t TO bob", DDL),
    ("trino", "REVOKE ALL PRIVILEGES ON t FROM bob", DDL),
    ("trino", "DENY DELETE ON t TO bob", DDL),
    ("trino", "CALL iceberg.system.rollback_to_snapshot('web', 'orders', 8954597067493422955)", DDL),
    ("trino", "USE hive.finance", DDL),
    ("trino", "SET SESSION optimize_hash_generation = true", DDL),
    ("trino", "RESET SESSION hive.optimized_reader_enabled", DDL),
    ("trino", "SET TIME ZONE LOCAL", DDL),
    ("trino", "START TRANSACTION READ ONLY", DDL),
    ("trino", "COMMIT", DDL),
    ("trino", "ROLLBACK WORK", DDL),
    ("trino", "PREPARE p FROM SELECT ?", DDL),
    ("trino", "DEALLOCATE PREPARE p", DDL),
    ("trino", "EXECUTE p USING 1, 2", None),
    ("trino", "EXECUTE IMMEDIATE 'SELECT 1'", None),
    # WITH
    ("postgres", "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", INSERT),
    ("postgres", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", SELECT),
    ("postgres", "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d", INSERT),
    ("postgres", "WITH RECURSIVE a(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM a) TABLE a", SELECT),
    ("postgres", "WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) UPDATE t SET x = 1", UPDATE),
    ("postgres", "WITH final AS (SELECT 1) DELETE FROM t USING final", DELETE),
    ("postgres", "WITH a AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DO NOTHING", MERGE),
    ("postgres", "WITH a AS (SELECT ')' || '(' FROM t) SELECT 1", SELECT),
    ("postgres", "WITH update AS (SELECT 1), replace AS (SELECT 2) SELECT * FROM update", SELECT),
    ("postgres", "WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY x SET y SELECT 1", SELECT),
    ("postgres", "WITH a AS (SELECT 1) (SELECT * FROM a)", SELECT),
    ("postgres", "WITH a AS (SELECT 1) SELECT * INTO b FROM a", INSERT),
    ("postgres", "WITH a AS (SELECT 1)", None),
    ("sqlite", "WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a", INSERT),
    ("clickhouse", "WITH 1 AS x, (SELECT max(y) FROM t) AS insert SELECT x", SELECT),
    ("clickhouse", "WITH replace(a, 'x', 'y') AS r, b AS c SELECT r", SELECT),
    ("clickhouse", "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", INSERT),
    ("mssql", "WITH XMLNAMESPACES ('urn:x' AS ns), a AS (SELECT 1 x) DELETE FROM a", DELETE),
    ("mssql", ";WITH a AS (SELECT 1 AS x) UPDATE a SET x = 2", UPDATE),
    ("hiveserver2", "WITH q AS (SELECT 1) FROM q INSERT OVERWRITE TABLE t SELECT *", INSERT),
    ("snowflake", "WITH p AS PROCEDURE () RETURNS int LANGUAGE SQL AS $$ BEGIN RETURN 1; END $$ CALL p()", DDL),
    # comments, Jinja, and nothing at all
    ("*", "", None),
    ("*", "  \n\t ; ;\n", None),
    ("*", "-- only a comment", None),
    ("*", "/* only a comment */", None),
    ("*", "-- INSERT\n/* DELETE */ SELECT 1", SELECT),
    ("*", "\ufeffSELECT 1", SELECT),
    ("*", "select/**/1", SELECT),
    ("*", "SELECT 1 -- ; DELETE FROM t", SELECT),
    ("*", "DELETE /* not a SELECT */ FROM t", DELETE),
    ("postgres", "/* outer /* inner */ DELETE */ SELECT 1", SELECT),
    ("mysql", "# DELETE\nSELECT 1", SELECT),
    ("mysql", "/*!40101 SET NAMES utf8 */", DDL),
    ("mysql", "/*!50001 DELETE */ FROM t", DELETE),
    ("snowflake", "// DELETE\nSELECT 1", SELECT),
    ("clickhouse", "#! DELETE\nSELECT 1", SELECT),
    ("*", "{{ config(materialized='table') }} SELECT 1", None),
    ("*", "{# DELETE, don't #}SELECT 1", SELECT),
    ("*", "{% set x = 'DELETE' %}INSERT INTO {{ t }} SELECT 1", None),
    ("*", "{% if x %}SELECT 1{% else %}DELETE FROM t{% endif %}", None),
    ("*", "{{ sql }}", None),
    ("*", "ALTER TABLE {{ params.table }}_{{ ds_nodash }} EXECUTE optimize", None),
    ("*", "CREATE TABLE {{ t }} AS {{ query }}", INSERT),
    ("*", "@script.sql", None),
    ("*", "nonsense", None),
    # EXPLAIN, DESCRIBE, SHOW elsewhere
    ("postgres", "EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t", DELETE),
    ("postgres", "EXPLAIN (ANALYZE FALSE) DELETE FROM t", None),
    ("postgres", "EXPLAIN (ANALYZE 0) DELETE FROM t", None),
    ("postgres", "EXPLAIN VERBOSE SELECT 1", EXPLAIN),
    ("postgres", "EXPLAIN ANALYZE EXECUTE p(1)", None),
    ("postgres", "SHOW search_path", DESCRIBE),
    ("mysql", "EXPLAIN FORMAT=TREE SELECT 1", EXPLAIN),
    ("mysql", "EXPLAIN ANALYZE FORMAT=TREE SELECT 1", SELECT),
    ("mysql", "EXPLAIN orders", DESCRIBE),
    ("mysql", "DESCRIBE SELECT 1", EXPLAIN),
    ("mysql", "DESC orders 'a%'", DESCRIBE),
    ("mysql", "ANALYZE FORMAT=JSON UPDATE t SET a = 1", None),
    ("mysql", "ANALYZE SELECT 1", None),
    ("mysql", "ANALYZE TABLE t", ANALYZE),
    ("sqlite", "EXPLAIN QUERY PLAN DELETE FROM t", EXPLAIN),
    ("sqlite", "PRAGMA table_info('t')", DESCRIBE),
    ("sqlite", "PRAGMA foreign_keys = ON", DDL),
    ("oracle", "EXPLAIN PLAN SET STATEMENT_ID = 'x' FOR DELETE FROM t", EXPLAIN),
    ("clickhouse", "EXPLAIN PIPELINE SELECT 1", EXPLAIN),
    ("clickhouse", "DESCRIBE TABLE (SELECT 1)", DESCRIBE),
    ("databricks", "DESCRIBE HISTORY t", DESCRIBE),
    ("duckdb", "SUMMARIZE t", DESCRIBE),
    ("duckdb", "EXPLAIN ANALYZE FROM t", SELECT),
    # what writes
    ("postgres", "SELECT * INTO TEMP t FROM s", INSERT),
    ("postgres", "SELECT a IS DISTINCT FROM b AS c INTO t", INSERT),
    ("postgres", "SELECT 'INTO x' FROM t", SELECT),
    ("mssql", "SELECT a, b INTO #t FROM s", INSERT),
    ("mssql", "SELECT * INTO [my table] FROM s", INSERT),
    ("mssql", "SELECT @x = a FROM t", SELECT),
    ("mysql", "SELECT a INTO @x FROM t", SELECT),
    ("mysql", "SELECT a INTO OUTFILE '/tmp/x' FROM t", SELECT),
    ("oracle", "SELECT a INTO v FROM t", SELECT),
    ("clickhouse", "SELECT 1 INTO OUTFILE 'x.csv'", SELECT),
    ("postgres", "COPY t (a, b) FROM '/tmp/x' WITH (FORMAT csv)", INSERT),
    ("postgres", "COPY t TO STDOUT", SELECT),
    ("postgres", "COPY (SELECT 1 FROM t) TO STDOUT", SELECT),
    ("postgres", "COPY t FROM STDIN;\nDELETE\tFROM\n\\.\n", INSERT),
    ("redshift", "COPY t FROM 's3://b/k' IAM_ROLE 'arn'", INSERT),
    ("redshift", "UNLOAD ('SELECT 1') TO 's3://b/k'", SELECT),
    ("snowflake", "COPY INTO t FROM @stage/path", INSERT),
    ("snowflake", "COPY INTO @stage/path FROM t", SELECT),
    ("snowflake", "COPY INTO 's3://b/k' FROM (SELECT 1)", SELECT),
    ("databricks", "COPY INTO delta.`/mnt/t` FROM '/mnt/s' FILEFORMAT = CSV", INSERT),
    ("mysql", "LOAD DATA LOCAL INFILE 'x' INTO TABLE t", INSERT),
    ("hiveserver2", "LOAD DATA INPATH 'x' OVERWRITE INTO TABLE t", INSERT),
    ("postgres", "LOAD 'auto_explain'", None),
    ("mysql", "REPLACE INTO t VALUES (1)", INSERT),
    ("ydb", "UPSERT INTO t SELECT 1", INSERT),
    ("exasol", "IMPORT INTO t FROM CSV AT 'x' FILE 'y'", INSERT),
    ("exasol", "EXPORT t INTO CSV AT 'x' FILE 'y'", SELECT),
    ("gcpbigquery", "EXPORT DATA OPTIONS (uri='gs://b/*') AS SELECT 1", SELECT),
    ("mssql", "BULK INSERT t FROM 'x'", INSERT),
    ("hiveserver2", "FROM s INSERT OVERWRITE TABLE t SELECT a INSERT INTO u SELECT b", INSERT),
    ("hiveserver2", "FROM s SELECT a", SELECT),
    ("duckdb", "FROM t", SELECT),
    ("duckdb", "PIVOT t ON a USING sum(b)", SELECT),
    ("druid", "REPLACE INTO t OVERWRITE ALL SELECT * FROM s PARTITIONED BY DAY", INSERT),
    ("teradata", "REPLACE VIEW v AS SELECT 1 AS x", DDL),
    ("clickhouse", "INSERT INTO t FORMAT CSV\n1,DELETE;\n", INSERT),
    ("clickhouse", "ALTER TABLE db.t ON CLUSTER c DELETE WHERE a = 1", DELETE),
    ("clickhouse", "ALTER TABLE t UPDATE a = 1 WHERE b = 2", UPDATE),
    ("clickhouse", "ALTER TABLE t DROP PARTITION '2024'", DDL),
    ("clickhouse", "CREATE TABLE t ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a", INSERT),
    ("clickhouse", "CREATE TABLE t AS s ENGINE = Memory", DDL),
    ("clickhouse", "ALTER TABLE t (DELETE WHERE a = 1)", DELETE),
    ("snowflake", "ALTER TABLE IDENTIFIER('t') ADD COLUMN a int", DDL),
    ("duckdb", "WITH a AS (SELECT 1 AS x) PIVOT a ON x USING sum(x)", SELECT),
    ("duckdb", "WITH pivot AS (SELECT 1 AS x) SELECT * FROM pivot", SELECT),
    # definitions
    ("duckdb", "CREATE TABLE t AS PIVOT s ON a USING sum(b)", INSERT),
    ("duckdb", "CREATE TABLE t AS (UNPIVOT s ON a, b)", INSERT),
    ("duckdb", "CREATE MACRO m(a) AS a + 1; INSERT INTO t SELECT m(1)", INSERT),
    ("teradata", "REPLACE MACRO m AS (SEL 1; DEL FROM t;);", DDL),
    ("postgres", "CREATE RULE r AS ON INSERT TO t DO INSTEAD (SELECT 1; DELETE FROM s)", DDL),
    ("postgres", "CREATE RULE r AS ON UPDATE TO t DO NOTHING; DELETE FROM s", DELETE),
    ("mysql", "CREATE TABLE t (SELECT 1 AS a)", INSERT),
    ("mysql", "CREATE TABLE t ((SELECT 1 AS a))", INSERT),
    ("mysql", "CREATE TABLE t (a int) (SELECT 1 AS a)", INSERT),
    ("vertica", "CREATE FLEX TABLE t AS SELECT 1 AS a", INSERT),
    ("vertica", "CREATE FLEX TABLE t()", DDL),
    ("mysql", "CREATE TABLE t SELECT * FROM s", INSERT),
    ("postgres", "CREATE TEMP TABLE t AS EXECUTE p", INSERT),
    ("postgres", "CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (10)", DDL),
    ("postgres", "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED)", DDL),
    ("snowflake", "CREATE OR REPLACE TRANSIENT TABLE t AS SELECT 1 AS x", INSERT),
    ("snowflake", "CREATE ICEBERG TABLE t EXTERNAL_VOLUME = 'v' AS SELECT 1 AS x", INSERT),
    ("snowflake", "CREATE DYNAMIC TABLE t TARGET_LAG = '1 minute' WAREHOUSE = w AS SELECT 1 AS x", DDL),
    ("snowflake", "CREATE TABLE t CLONE s", DDL),
    ("snowflake", "CREATE TABLE t USING TEMPLATE (SELECT array_agg(a) FROM s)", DDL),
    ("hiveserver2", "CREATE TABLE t STORED AS ORC AS SELECT 1", INSERT),
    ("hiveserver2", "CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://b'", DDL),
    ("databricks", "CREATE TABLE t USING iceberg PARTITIONED BY (a) AS SELECT 1 AS a", INSERT),
    ("athena", "CREATE TABLE t WITH (format = 'PARQUET') AS SELECT 1 AS x", INSERT),
    ("gcpbigquery", "CREATE TABLE FUNCTION f() AS SELECT 1 AS x", DDL),
    ("mssql", "CREATE TABLE Person (ID INT) AS NODE", DDL),
    ("teradata", "CREATE MULTISET VOLATILE TABLE t AS (SEL 1 AS x) WITH DATA", INSERT),
    ("teradata", "CREATE TABLE t AS s WITH DATA", INSERT),
    ("teradata", "CREATE TABLE t AS s WITH NO DATA", DDL),
    ("mysql", "RENAME TABLE a TO b", DDL),
    ("hiveserver2", "MSCK REPAIR TABLE t", DDL),
    ("postgres", "VACUUM FULL t", DDL),
    ("databricks", "OPTIMIZE t ZORDER BY (a)", EXECUTE),
    ("athena", "OPTIMIZE t REWRITE DATA USING BIN_PACK", EXECUTE),
    ("impala", "COMPUTE INCREMENTAL STATS t", ANALYZE),
    ("teradata", "COLLECT STATISTICS ON t COLUMN (a)", ANALYZE),
    ("mssql", "UPDATE STATISTICS t", ANALYZE),
    ("mssql", "UPDATE statistics SET a = 1", UPDATE),
    ("impala", "INVALIDATE METADATA t", None),
    ("databricks", "REFRESH TABLE t", None),
    ("postgres", "LOCK TABLE t IN SHARE MODE", None),
    ("sqlite", "ATTACH 'x' AS y", None),
    # procedures and blocks
    ("odbc", "{call p(?)}", None),
    ("jdbc", "{? = call f(?)}", None),
    ("mssql", "EXEC dbo.p @a = 1", DDL),
    ("mssql", "EXECUTE @r = dbo.p", DDL),
    ("mssql", "EXEC [dbo].[p]", DDL),
    ("mssql", "EXEC sp_executesql N'DELETE FROM t'", None),
    ("mssql", "EXEC [sys].[sp_executesql] N'DELETE FROM t'", None),
    ("mssql", "EXEC @r = \"sp_executesql\" N'DELETE FROM t'", None),
    ("mssql", "EXEC [sp_executesql].[p] 1", DDL),
    ("mssql", "EXEC master..sp_executesql N'DELETE FROM t'", None),
    ("mssql", "EXEC master..sp_who", DDL),
    ("mssql", "EXEC ('DELETE FROM t')", None),
    ("mysql", "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); END", None),
    ("postgres", "DO $$ BEGIN DELETE FROM t; END $$", None),
    ("oracle", "BEGIN DELETE FROM t; INSERT INTO t VALUES (1); END;", None),
    ("oracle", "DECLARE v NUMBER; BEGIN SELECT 1 INTO v FROM dual; END;", None),
    ("oracle", "<<label>> BEGIN NULL; END;", None),
    ("snowflake", "BEGIN\n  LET x := 1;\n  INSERT INTO t VALUES (:x);\nEND;", None),
    ("gcpbigquery", "IF x THEN INSERT INTO t VALUES (1); END IF", None),
    ("gcpbigquery", "DECLARE d DATE DEFAULT '2024-01-01'; INSERT INTO t SELECT d", INSERT),
    ("oracle", "CREATE OR REPLACE PROCEDURE p IS v NUMBER; BEGIN INSERT INTO t VALUES (1); END;", DDL),
    ("mysql", "CREATE DEFINER=`root`@`%` PROCEDURE p() BEGIN INSERT INTO t VALUES (1); DELETE FROM t; END", DDL),
    ("mysql", "CREATE DEFINER=root@localhost PROCEDURE p() BEGIN MERGE; INSERT INTO t VALUES (1); END", DDL),
    ("mssql", "CREATE PROCEDURE p AS INSERT INTO t VALUES (1); DELETE FROM t;", DDL),
    ("sqlite", "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1); END", DDL),
    ("exasol", "CREATE MYLUA SCALAR SCRIPT s() RETURNS int AS\nx = 1; insert(x); it's", DDL),
    ("postgres", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$; INSERT INTO t VALUES (1)", INSERT),
    ("postgres", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC INSERT INTO t VALUES (1); SELECT 1; END", DDL),
    # several statements
    ("*", "BEGIN; INSERT INTO t SELECT 1; COMMIT;", INSERT),
    ("*", "BEGIN", DDL),
    ("*", "BEGIN TRANSACTION; SELECT 1; ROLLBACK", SELECT),
    ("*", "SELECT 1; DELETE FROM t; UPDATE t SET a = 1", UPDATE),
    ("*", "DROP TABLE t; CREATE TABLE t AS SELECT 1; SELECT 2", INSERT),
    ("*", "DELETE FROM t; MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE; INSERT INTO t SELECT 1", MERGE),
    ("*", "SELECT ';DELETE FROM t'; SELECT 2", SELECT),
    ("*", "USE db; SHOW TABLES", DESCRIBE),
    ("*", "LOCK TABLE t; SELECT 1", SELECT),
    ("oracle", "ALTER SESSION SET x = 1; SELECT 1 FROM dual", SELECT),
    ("oracle", "ALTER SESSION SET x = 1", DDL),
    ("spark_sql", "SET spark.x=it''s; INSERT INTO t SELECT 1", INSERT),
    ("mysql", "SET STATEMENT max_statement_time=1 FOR DELETE FROM t", None),
    ("mssql", "SET NOCOUNT ON INSERT INTO t SELECT 1", INSERT),
    ("mssql", "USE db SELECT 1", SELECT),
    ("mssql", "BEGIN TRAN DELETE FROM t COMMIT TRAN", DELETE),
    ("mssql", "DECLARE @x int = 1 UPDATE t SET a = @x", UPDATE),
    ("mssql", "BEGIN TRY DELETE FROM t END TRY BEGIN CATCH END CATCH", None),
    ("teradata", "SEL * FROM t", SELECT),
    ("teradata", "LOCKING TABLE t FOR ACCESS SELECT * FROM t", SELECT),
    ("teradata", "LOCKING ROW FOR ACCESS SEL * FROM t", SELECT),
    ("teradata", "LOCKING t FOR WRITE UPD t SET a = 1", UPDATE),
    ("postgres", "BEGIN DEFERRABLE", DDL),
    ("postgres", "BEGIN NOT DEFERRABLE", None),
    ("teradata", "USING (a int) INS INTO t VALUES (:a); DEL FROM t", None),
    ("mysql", "SET STATEMENT max_statement_time=1 FOR DELETE FROM t; SELECT 1", None),
    ("*", "{% if x %}SELECT 1;{% else %}DELETE FROM t;{% endif %}", None),
    ("clickhouse", "ALTER TABLE {t:Identifier} DELETE WHERE a = 1", None),
    ("teradata", "LOCKING TABLE a FOR ACCESS LOCKING TABLE b FOR READ MODE SELECT * FROM a, b", SELECT),
    ("teradata", "LOCKING t FOR WRITE", None),
    ("teradata", "BT; INS INTO t VALUES (1); ET;", INSERT),
    ("vertica", "AT EPOCH LATEST SELECT * FROM t", None),
    ("mssql", "DELETE FROM t WHERE a = 1\nINSERT INTO t SELECT 1", INSERT),
    ("mssql", "SELECT * FROM a\nUPDATE t SET a = 1", UPDATE),
    ("mssql", "SELECT 1 SELECT 2", SELECT),
    ("mssql", "SELECT 1 IF @x = 1 DELETE FROM t", None),
    ("mssql", "TRUNCATE TABLE t INSERT INTO t SELECT 1", INSERT),
    ("mssql", "DROP TABLE #t SELECT * INTO #t FROM s", INSERT),
    ("mssql", "DROP TABLE IF EXISTS #t SELECT * INTO #t FROM s", INSERT),
    ("mssql", "DROP TABLE IF EXISTS #t", DDL),
    ("mssql", "CREATE TABLE #t (a int) SELECT 1", DDL),
    ("mssql", "CREATE TABLE #t (a int) UPDATE s SET a = 1", UPDATE),
    ("mssql", "SET NOCOUNT ON SELECT 1 DELETE FROM t", DELETE),
    ("mssql", "INSERT INTO t SELECT 1 MERGE t USING s ON t.a = s.a WHEN MATCHED THEN DELETE;", MERGE),
    ("mssql", "SELECT * FROM a INNER MERGE JOIN b ON a.x = b.x", SELECT),
    ("mssql", "GRANT SELECT, INSERT, UPDATE ON t TO bob", DDL),
    ("mssql", "DENY DELETE ON t TO bob", DDL),
    (
        "mssql",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES s (a) ON DELETE CASCADE ON UPDATE SET NULL",
        DDL,
    ),
    ("mssql", "CREATE VIEW v AS SELECT 1 AS a", DDL),
    ("mssql", "CREATE TRIGGER r ON t AFTER INSERT, UPDATE AS DELETE FROM s", DDL),
    ("mssql", "ALTER TABLE t DROP COLUMN IF EXISTS a", DDL),
    ("mssql", "SELECT * FROM t IF EXISTS (SELECT 1) DELETE FROM t", None),
    ("mssql", "CREATE OR ALTER VIEW v AS SELECT 1 AS a", DDL),
    ("mssql", "BEGIN DELETE FROM t END", None),
    ("mssql", "CREATE TABLE t WITH (DISTRIBUTION = HASH(a)) AS SELECT 1 AS a", INSERT),
    ("mssql", "SELECT [insert], @delete, 'update' FROM [merge]", SELECT),
    ("mssql", "EXEC dbo.p @a = 1 INSERT INTO t SELECT 1", INSERT),
    ("mssql", "INSERT INTO t EXEC dbo.p", INSERT),
    # strings that hide or seem to hide statements
    ("postgres", r"SELECT 'C:\'; DELETE FROM t; --'", DELETE),
    ("mysql", r"SELECT 'C:\'; DELETE FROM t; --'", SELECT),
    ("postgres", r"SELECT E'\'; DELETE FROM t; --'", SELECT),
    ("postgres", "SELECT $a$; DELETE FROM t; $a$; SELECT 1", SELECT),
    ("oracle", "SELECT q'[it's; DELETE FROM t; ]' FROM dual; SELECT 1 FROM dual", SELECT),
    ("gcpbigquery", "SELECT '''a'; DELETE FROM t; '''; SELECT 1", SELECT),
    ("mssql", "SELECT [a;b' ] FROM t; SELECT 1", SELECT),
    ("databricks", r"SELECT r'\'; DELETE FROM t", DELETE),
]


CASES = [
    pytest.param(one, sql, expected, id=f"{one}: {sql[:60]!r}")
    for dialect, sql, expected in TABLE
    for one in (ALL if dialect == "*" else [dialect])
]


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_a_statement_has_the_type_that_trino_gives_its_counterpart(
    dialect: str | None, sql: str, expected: QueryType | None
) -> None:
    assert query_type(sql, dialect) == expected


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_letter_case_and_white_space_do_not_matter(dialect: str | None, sql: str, expected: QueryType | None) -> None:
    assert query_type(f"\n\t{sql.swapcase()}\n", dialect) == expected


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_masking_does_not_change_the_type(dialect: str | None, sql: str, expected: QueryType | None) -> None:
    assert query_type(mask_literals(sql, dialect), dialect) == expected


@pytest.mark.parametrize("dialect", ["Postgres", "POSTGRES"])
def test_the_dialect_may_be_in_any_letters(dialect: str) -> None:
    assert query_type(r"SELECT 'C:\'; DELETE FROM t; --'", dialect) == DELETE


@pytest.mark.parametrize("dialect", [None, "", "jdbc", "odbc", "generic", "something_new"])
def test_where_dialects_read_a_text_differently_an_unknown_one_has_no_type(dialect: str | None) -> None:
    assert query_type(r"SELECT 'C:\'; DELETE FROM t; --'", dialect) is None
    assert query_type("DELETE FROM t WHERE a = 'x'", dialect) == DELETE


def test_a_text_is_read_only_as_far_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    read = _count_tokens(monkeypatch)
    assert query_type("INSERT INTO t VALUES " + ", ".join(["(1, 'a')"] * 20_000), "postgres") == INSERT
    assert len(read) < 5


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
    assert query_type("SET STATEMENT a=1 FOR " * 5_000 + "SELECT 1", "mysql") is None


def _count_tokens(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let the scanner note each token that is asked of it."""
    read: list[object] = []
    tokens = tokenizer.tokens

    def counted(*arguments: Any) -> Iterator[Any]:
        for token in tokens(*arguments):
            read.append(token)
            yield token

    monkeypatch.setattr(tokenizer, "tokens", counted)
    return read


FRAGMENTS = st.sampled_from(json.loads(Path(__file__).with_name("fragments.json").read_text()))
TEXTS = st.lists(FRAGMENTS, max_size=30).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda separator: separator.join(parts))
)
DIALECTS = st.sampled_from(
    [dialect for dialect in ALL if dialect] + ["hiveserver2", "duckdb", "mssql", "redshift", "teradata"]
)


@UNTIMED
@given(TEXTS, DIALECTS)
def test_a_glance_sees_what_a_reading_sees(sql: str, dialect: str) -> None:
    seen = settled_by_first_word(sql, dialect)
    read = {type_of(sql, lexicon, dialect, module.MAX_TOKENS) for lexicon in possible_rules(sql, dialect)}
    assert seen is None or {seen} == read


@pytest.mark.parametrize("dialect", ["postgres", None])
@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("  select a from t where b = 'x' ;\n", SELECT),
        ("SELECT(1)", SELECT),
        ("INSERT INTO t VALUES (1)", INSERT),
        ("DELETE FROM t", DELETE),
        ("DROP TABLE t", DDL),
    ],
)
def test_the_most_frequent_statements_need_no_reading(
    monkeypatch: pytest.MonkeyPatch, dialect: str | None, sql: str, kind: QueryType
) -> None:
    monkeypatch.setattr(dialects, "possible_rules", lambda *_: pytest.fail("it was read"))
    assert query_type(sql, dialect) is kind


def test_a_glance_does_not_load_the_scanner() -> None:
    source = f"""
import sys
from {module.__name__} import query_type
query_type("SELECT 1", "postgres"), query_type("INSERT INTO t VALUES (1)")
assert {tokenizer.__name__!r} not in sys.modules
"""
    subprocess.run([sys.executable, "-c", source], check=True)


@UNTIMED
@given(TEXTS, DIALECTS)
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
    told = EXPLAIN if described == "QUERY PLAN" else POSTGRES.get(words, DDL)
    assert query_type(sql, "postgres") == told, tag


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
