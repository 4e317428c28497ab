"""Secrets that a statement holds without quotes, and what only looks like one."""

from __future__ import annotations

import re

import pytest

from airflow_provider_ryft.sql import masking
from airflow_provider_ryft.sql.masking import mask_literals
from support.sql_texts import DIALECTS, Case, check_each, expanded

CASES: list[Case] = [
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
]


def test_secrets_are_hidden_and_what_only_looks_like_one_stays() -> None:
    check_each(expanded(CASES, DIALECTS), mask_literals)


@pytest.mark.parametrize("length", ["short", "long"])
def test_an_unknown_dialect_hides_no_less(monkeypatch: pytest.MonkeyPatch, length: str) -> None:
    """The result is a part of what the dialect's own reading shows, in its order."""
    if length == "long":
        monkeypatch.setattr(masking, "_MAX_WORK", 0)
    for _, sql, expected in CASES:
        shown = iter(expected)
        assert all(letter in shown for letter in re.sub(r"[?\s]", "", mask_literals(sql))), sql
