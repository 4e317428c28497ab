"""Catalog, schema and user by connection type: what each provider's own hook would send."""

from __future__ import annotations

import json
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.capture.statement import DeclaredConnection
from airflow_provider_ryft.query_builder.connection_context import apply_overrides, connection_context, sql_dialect
from airflow_provider_ryft.query_builder.connection_rules import CONNECTION_RULES, ConnectionContext

KEY = {"project_id": "from-key", "client_email": "etl@from-key.iam.gserviceaccount.com", "private_key": "s3cret"}


def connection(conn_type: str, **parts: Any) -> Any:
    from airflow.providers.common.compat.sdk import Connection

    parts.setdefault("login", "bob")
    extra = parts.pop("extra", None)
    return Connection(conn_id="c", conn_type=conn_type, password="s3cret", extra=extra and json.dumps(extra), **parts)


CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], ConnectionContext]] = [
    ("postgres", "schema is the database", {"schema": "lake"}, {}, ConnectionContext("lake", None, "bob")),
    ("postgres", "hook's database", {"schema": "lake"}, {"database": "other"}, ConnectionContext("other", None, "bob")),
    ("redshift", "schema is the database", {"schema": "dev"}, {}, ConnectionContext("dev", None, "bob")),
    (
        "redshift",
        "extra",
        {"schema": "dev", "extra": {"database": "x", "user": "u"}},
        {},
        ConnectionContext("x", None, "u"),
    ),
    ("redshift", "IAM", {"extra": {"iam": True, "db_user": "etl"}}, {}, ConnectionContext(None, None, "etl")),
    (
        "redshift",
        "IAM's user",
        {"extra": {"iam": True, "db_user": "etl", "user": "u"}},
        {},
        ConnectionContext(None, None, "u"),
    ),
    ("redshift", "IAM without one", {"extra": {"iam": True}}, {}, ConnectionContext(None, None, "bob")),
    ("redshift", "no IAM", {"extra": {"db_user": "etl"}}, {}, ConnectionContext(None, None, "bob")),
    (
        "redshift",
        "a role's user",
        {"extra": {"iam": True, "is_serverless": True}},
        {},
        ConnectionContext(None, None, None),
    ),
    ("vertica", "schema is the database", {"schema": "dev"}, {}, ConnectionContext("dev", None, "bob")),
    ("mysql", "a database is a schema", {"schema": "shop"}, {}, ConnectionContext(None, "shop", "bob")),
    ("mysql", "hook's schema", {"schema": "shop"}, {"schema": "other"}, ConnectionContext(None, "other", "bob")),
    ("mssql", "schema is the database", {"schema": "shop"}, {}, ConnectionContext("shop", None, "bob")),
    ("mssql", "hook's schema", {"schema": "shop"}, {"schema": "other"}, ConnectionContext("other", None, "bob")),
    ("odbc", "hook's database", {"schema": "shop"}, {"_database": "other"}, ConnectionContext("other", None, "bob")),
    ("jdbc", "schema", {"schema": "shop"}, {}, ConnectionContext("shop", None, "bob")),
    ("trino", "extra", {"schema": "gold", "extra": {"catalog": "lake"}}, {}, ConnectionContext("lake", "gold", "bob")),
    ("trino", "hook's default", {}, {}, ConnectionContext("hive", None, "bob")),
    ("trino", "not the hook's schema", {"schema": "gold"}, {"schema": "x"}, ConnectionContext("hive", "gold", "bob")),
    ("presto", "extra", {"schema": "gold", "extra": {"catalog": "lake"}}, {}, ConnectionContext("lake", "gold", "bob")),
    ("snowflake", "extra", {"schema": "S", "extra": {"database": "D"}}, {}, ConnectionContext("D", "S", "bob")),
    ("snowflake", "old extra", {"extra": {"extra__snowflake__database": "D"}}, {}, ConnectionContext("D", None, "bob")),
    ("snowflake", "hook", {"schema": "S"}, {"database": "D", "schema": "T"}, ConnectionContext("D", "T", "bob")),
    ("snowflake", "client id", {"extra": {"authenticator": "oauth"}}, {}, ConnectionContext(None, None, None)),
    ("databricks", "default schema", {}, {}, ConnectionContext(None, "default", "bob")),
    ("databricks", "extra", {"extra": {"catalog": "c", "schema": "s"}}, {}, ConnectionContext("c", "s", "bob")),
    (
        "databricks",
        "hook",
        {"extra": {"catalog": "c"}},
        {"catalog": "d", "schema": "t"},
        ConnectionContext("d", "t", "bob"),
    ),
    ("databricks", "a token is no user", {"login": "token"}, {}, ConnectionContext(None, "default", None)),
    (
        "athena",
        "defaults, and no access key",
        {"login": "AKIA"},
        {},
        ConnectionContext("AwsDataCatalog", "default", None),
    ),
    ("athena", "extra", {"schema": "s", "extra": {"catalog": "c"}}, {}, ConnectionContext("c", "s", None)),
    ("aws", "no access key", {"login": "AKIA"}, {}, ConnectionContext("AwsDataCatalog", "default", None)),
    ("google_cloud_platform", "extra", {"extra": {"project": "p"}}, {}, ConnectionContext("p", None, None)),
    (
        "gcpbigquery",
        "key",
        {"extra": {"keyfile_dict": json.dumps(KEY)}},
        {},
        ConnectionContext("from-key", None, KEY["client_email"]),
    ),
    (
        "gcpbigquery",
        "key as object",
        {"extra": {"keyfile_dict": KEY}},
        {},
        ConnectionContext("from-key", None, KEY["client_email"]),
    ),
    ("gcpbigquery", "bad key", {"extra": {"keyfile_dict": "{"}}, {}, ConnectionContext(None, None, None)),
    ("gcpbigquery", "hook's own", {}, {"_cached_project_id": "found"}, ConnectionContext("found", None, None)),
    ("gcpbigquery", "impersonated", {}, {"impersonation_chain": "a@p"}, ConnectionContext(None, None, "a@p")),
    ("gcpspanner", "extra", {"extra": {"database_id": "d"}}, {}, ConnectionContext("d", None, None)),
    ("oracle", "schema is the service", {"schema": "XE"}, {}, ConnectionContext("XE", "XE", "bob")),
    ("oracle", "service", {"schema": "s", "extra": {"service_name": "XE"}}, {}, ConnectionContext("XE", "s", "bob")),
    ("oracle", "sid", {"schema": "s", "extra": {"sid": "XE"}}, {}, ConnectionContext("XE", None, "bob")),
    ("hiveserver2", "default", {}, {}, ConnectionContext(None, "default", "bob")),
    ("hive_cli", "schema", {"schema": "s"}, {}, ConnectionContext(None, "s", "bob")),
    ("impala", "schema", {"schema": "s"}, {}, ConnectionContext(None, "s", "bob")),
    ("drill", "plugin", {"extra": {"storage_plugin": "s3"}}, {}, ConnectionContext(None, "s3", "bob")),
    ("druid", "schema is a scheme", {"schema": "https"}, {}, ConnectionContext("druid", "druid", "bob")),
    ("pinot", "schema is a scheme", {"schema": "https"}, {}, ConnectionContext(None, None, "bob")),
    ("exasol", "hook's schema", {"schema": "s"}, {"schema": "t"}, ConnectionContext(None, "t", "bob")),
    ("teradata", "user's own", {}, {}, ConnectionContext(None, "bob", "bob")),
    ("teradata", "schema", {"schema": "s", "login": None}, {}, ConnectionContext(None, "s", "dbc")),
    ("clickhouse", "defaults", {"login": None}, {}, ConnectionContext(None, "default", "default")),
    ("clickhouse", "hook", {"schema": "s"}, {"_database": "d"}, ConnectionContext(None, "d", "bob")),
    ("duckdb", "file", {"host": "/data/lake.duckdb"}, {}, ConnectionContext("lake", "main", None)),
    ("duckdb", "memory", {"host": ":memory:"}, {}, ConnectionContext("memory", "main", None)),
    ("duckdb", "MotherDuck", {"schema": "md"}, {}, ConnectionContext("md", "main", None)),
    ("duckdb_aws", "nothing", {}, {}, ConnectionContext("memory", "main", None)),
    ("sqlite", "no user", {"host": "/data/x.db"}, {}, ConnectionContext(None, "main", None)),
    ("spark_sql", "nothing", {"schema": "s"}, {}, ConnectionContext()),
    ("spark", "nothing", {}, {}, ConnectionContext()),
    ("generic", "schema", {"schema": "s"}, {}, ConnectionContext(None, "s", "bob")),
    ("homegrown", "unknown type", {"schema": "s"}, {}, ConnectionContext(None, "s", "bob")),
    ("postgres", "empty fields", {"schema": "", "login": " "}, {}, ConnectionContext()),
]


@pytest.mark.parametrize(
    ("conn_type", "parts", "hook", "expected"),
    [(case[0], *case[2:]) for case in CASES],
    ids=[f"{case[0]}-{case[1]}" for case in CASES],
)
def test_place(conn_type: str, parts: dict[str, Any], hook: dict[str, Any], expected: ConnectionContext) -> None:
    """A connection says where its statements run, as its hook uses it."""
    assert connection_context(connection(conn_type, **parts), SimpleNamespace(**hook)) == expected


def test_every_type_has_a_test() -> None:
    """A rule that is added is tested, too."""
    assert set(CONNECTION_RULES) - {case[0] for case in CASES} == {
        "elasticsearch",
        "gcpcloudsqldb",
        "spark_connect",
        "spark_jdbc",
    }


@pytest.mark.parametrize("conn_type", sorted({case[0] for case in CASES}))
def test_no_password_is_read(conn_type: str) -> None:
    """No rule touches a password, nor runs code of the hook, which could ask the engine or a cloud."""

    class Hook:
        conn_type = None

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked for")

    class Guarded:
        conn_id = "c"
        login = host = schema = "x"
        extra_dejson = MappingProxyType({"catalog": "x"})

        @property
        def password(self) -> str:
            raise AssertionError("the password was read")

        extra = get_uri = password

    guarded: Any = Guarded()
    guarded.conn_type = conn_type
    assert "s3cret" not in str(connection_context(guarded, Hook()))


def test_trino_user_may_be_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``impersonate_as_owner`` Trino's hook takes the user from where Airflow put the DAG's owner."""
    impersonating = connection("trino", extra={"impersonate_as_owner": True})
    assert connection_context(impersonating, None).user == "bob"
    monkeypatch.setenv("AIRFLOW_CTX_DAG_OWNER", "alice")
    assert connection_context(impersonating, None).user == "alice"
    assert connection_context(connection("trino"), None).user == "bob"


def test_no_connection_is_nowhere() -> None:
    """A hook without a connection says nothing."""
    assert connection_context(None, None) == ConnectionContext()
    assert sql_dialect(None, None) is None


def test_odd_values_are_left_out() -> None:
    """What is neither text nor number is no name."""
    odd = SimpleNamespace(conn_type="postgres", login=["bob"], schema=7, extra_dejson="not a mapping")
    assert connection_context(odd, None) == ConnectionContext("7", None, None)


def test_the_dialect_is_the_connections_type_if_it_is_known() -> None:
    """A hook says what it speaks if its connection has a type of something else."""
    speaks = SimpleNamespace(conn_type="postgres")
    assert sql_dialect(SimpleNamespace(conn_type="redshift"), speaks) == "redshift"
    assert sql_dialect(SimpleNamespace(conn_type="http"), speaks) == "postgres"
    assert sql_dialect(SimpleNamespace(conn_type="http"), None) == "http"
    assert sql_dialect(None, speaks) == "postgres"
    clickhouse = type("ClickHouseDbApiHook", (), {})()
    assert sql_dialect(SimpleNamespace(conn_type="http"), clickhouse) == "clickhouse"
    assert connection_context(
        SimpleNamespace(conn_type="http", login="bob", schema=None), clickhouse
    ) == ConnectionContext(None, "default", "bob")


def test_an_operators_word_is_taken() -> None:
    """What an operator says of its connection is not interpreted any further."""
    stated = DeclaredConnection(conn_type="athena", schema="s", user="u")
    assert connection_context(stated, None) == ConnectionContext(None, "s", "u")
    assert sql_dialect(stated, None) == "athena"


def test_contexts_go_before_what_was_found() -> None:
    """A connection's id goes before its type; null leaves a field out; what is not named stays."""
    found = ConnectionContext("hive", "gold", "bob")
    contexts = {"trino": {"catalog": "lake", "user": "etl"}, "prod": {"catalog": "prod", "schema": None}}
    assert apply_overrides(found, contexts, "prod", "trino") == ConnectionContext("prod", None, "etl")
    assert apply_overrides(found, contexts, "dev", "trino") == ConnectionContext("lake", "gold", "etl")
    assert apply_overrides(found, contexts, None, None) == found
    assert apply_overrides(found, {}, "prod", "trino") == found


@pytest.mark.parametrize("extra", [{}, {"database": "other"}, {"user": "alice"}, {"database": "o", "user": "a"}])
def test_redshift_is_told_what_its_hook_tells_the_driver(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    """The hook passes the whole extra to the driver, over what it took from the connection's fields."""
    hooks = pytest.importorskip("airflow.providers.amazon.aws.hooks.redshift_sql")
    told: dict[str, Any] = {}
    monkeypatch.setattr(hooks.redshift_connector, "connect", lambda **options: told.update(options))
    held = connection("redshift", schema="dev", host="nowhere", extra=extra)
    hook = hooks.RedshiftSQLHook()
    monkeypatch.setattr(hook, "get_connection", lambda _id: held)
    hook.get_conn()
    assert connection_context(held, hook) == ConnectionContext(told["database"], None, told["user"])


def test_a_real_hook_and_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attributes that are read from a hook are the ones that the provider's hook has."""
    hooks = pytest.importorskip("airflow.providers.postgres.hooks.postgres")
    monkeypatch.setenv("AIRFLOW_CONN_PG", "postgres://bob:s3cret@nowhere/lake")
    hook = hooks.PostgresHook(postgres_conn_id="pg")
    assert connection_context(hook.connection, hook) == ConnectionContext("lake", None, "bob")
    assert sql_dialect(hook.connection, hook) == "postgres"
    hook = hooks.PostgresHook(postgres_conn_id="pg", database="other")
    assert connection_context(hook.connection, hook) == ConnectionContext("other", None, "bob")
