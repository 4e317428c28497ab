"""Catalog, schema and user by connection type: what each provider's own hook would send."""

from __future__ import annotations

import json
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.query_builder.connection_context import Place, StatedConnection, dialect, override, place

KEY = {"project_id": "from-key", "client_email": "etl@from-key.iam.gserviceaccount.com", "private_key": "s3cret"}


def connection(conn_type: str, **parts: Any) -> Any:
    from airflow.providers.common.compat.sdk import Connection

    parts.setdefault("login", "bob")
    extra = parts.pop("extra", None)
    return Connection(conn_id="c", conn_type=conn_type, password="s3cret", extra=extra and json.dumps(extra), **parts)


CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], Place]] = [
    ("postgres", "schema is the database", {"schema": "lake"}, {}, Place("lake", None, "bob")),
    ("postgres", "hook's database", {"schema": "lake"}, {"database": "other"}, Place("other", None, "bob")),
    ("redshift", "schema is the database", {"schema": "dev"}, {}, Place("dev", None, "bob")),
    ("redshift", "extra", {"schema": "dev", "extra": {"database": "x", "user": "u"}}, {}, Place("x", None, "u")),
    ("redshift", "IAM", {"extra": {"iam": True, "db_user": "etl"}}, {}, Place(None, None, "etl")),
    ("redshift", "IAM's user", {"extra": {"iam": True, "db_user": "etl", "user": "u"}}, {}, Place(None, None, "u")),
    ("redshift", "IAM without one", {"extra": {"iam": True}}, {}, Place(None, None, "bob")),
    ("redshift", "no IAM", {"extra": {"db_user": "etl"}}, {}, Place(None, None, "bob")),
    ("redshift", "a role's user", {"extra": {"iam": True, "is_serverless": True}}, {}, Place(None, None, None)),
    ("vertica", "schema is the database", {"schema": "dev"}, {}, Place("dev", None, "bob")),
    ("mysql", "a database is a schema", {"schema": "shop"}, {}, Place(None, "shop", "bob")),
    ("mysql", "hook's schema", {"schema": "shop"}, {"schema": "other"}, Place(None, "other", "bob")),
    ("mssql", "schema is the database", {"schema": "shop"}, {}, Place("shop", None, "bob")),
    ("mssql", "hook's schema", {"schema": "shop"}, {"schema": "other"}, Place("other", None, "bob")),
    ("odbc", "hook's database", {"schema": "shop"}, {"_database": "other"}, Place("other", None, "bob")),
    ("jdbc", "schema", {"schema": "shop"}, {}, Place("shop", None, "bob")),
    ("trino", "extra", {"schema": "gold", "extra": {"catalog": "lake"}}, {}, Place("lake", "gold", "bob")),
    ("trino", "hook's default", {}, {}, Place("hive", None, "bob")),
    ("trino", "not the hook's schema", {"schema": "gold"}, {"schema": "x"}, Place("hive", "gold", "bob")),
    ("presto", "extra", {"schema": "gold", "extra": {"catalog": "lake"}}, {}, Place("lake", "gold", "bob")),
    ("snowflake", "extra", {"schema": "S", "extra": {"database": "D"}}, {}, Place("D", "S", "bob")),
    ("snowflake", "old extra", {"extra": {"extra__snowflake__database": "D"}}, {}, Place("D", None, "bob")),
    ("snowflake", "hook", {"schema": "S"}, {"database": "D", "schema": "T"}, Place("D", "T", "bob")),
    ("snowflake", "client id", {"extra": {"authenticator": "oauth"}}, {}, Place(None, None, None)),
    ("databricks", "default schema", {}, {}, Place(None, "default", "bob")),
    ("databricks", "extra", {"extra": {"catalog": "c", "schema": "s"}}, {}, Place("c", "s", "bob")),
    ("databricks", "hook", {"extra": {"catalog": "c"}}, {"catalog": "d", "schema": "t"}, Place("d", "t", "bob")),
    ("databricks", "a token is no user", {"login": "token"}, {}, Place(None, "default", None)),
    ("athena", "defaults, and no access key", {"login": "AKIA"}, {}, Place("AwsDataCatalog", "default", None)),
    ("athena", "extra", {"schema": "s", "extra": {"catalog": "c"}}, {}, Place("c", "s", None)),
    ("aws", "no access key", {"login": "AKIA"}, {}, Place("AwsDataCatalog", "default", None)),
    ("google_cloud_platform", "extra", {"extra": {"project": "p"}}, {}, Place("p", None, None)),
    (
        "gcpbigquery",
        "key",
        {"extra": {"keyfile_dict": json.dumps(KEY)}},
        {},
        Place("from-key", None, KEY["client_email"]),
    ),
    (
        "gcpbigquery",
        "key as object",
        {"extra": {"keyfile_dict": KEY}},
        {},
        Place("from-key", None, KEY["client_email"]),
    ),
    ("gcpbigquery", "bad key", {"extra": {"keyfile_dict": "{"}}, {}, Place(None, None, None)),
    ("gcpbigquery", "hook's own", {}, {"_cached_project_id": "found"}, Place("found", None, None)),
    ("gcpbigquery", "impersonated", {}, {"impersonation_chain": "a@p"}, Place(None, None, "a@p")),
    ("gcpspanner", "extra", {"extra": {"database_id": "d"}}, {}, Place("d", None, None)),
    ("oracle", "schema is the service", {"schema": "XE"}, {}, Place("XE", "XE", "bob")),
    ("oracle", "service", {"schema": "s", "extra": {"service_name": "XE"}}, {}, Place("XE", "s", "bob")),
    ("oracle", "sid", {"schema": "s", "extra": {"sid": "XE"}}, {}, Place("XE", None, "bob")),
    ("hiveserver2", "default", {}, {}, Place(None, "default", "bob")),
    ("hive_cli", "schema", {"schema": "s"}, {}, Place(None, "s", "bob")),
    ("impala", "schema", {"schema": "s"}, {}, Place(None, "s", "bob")),
    ("drill", "plugin", {"extra": {"storage_plugin": "s3"}}, {}, Place(None, "s3", "bob")),
    ("druid", "schema is a scheme", {"schema": "https"}, {}, Place("druid", "druid", "bob")),
    ("pinot", "schema is a scheme", {"schema": "https"}, {}, Place(None, None, "bob")),
    ("exasol", "hook's schema", {"schema": "s"}, {"schema": "t"}, Place(None, "t", "bob")),
    ("teradata", "user's own", {}, {}, Place(None, "bob", "bob")),
    ("teradata", "schema", {"schema": "s", "login": None}, {}, Place(None, "s", "dbc")),
    ("clickhouse", "defaults", {"login": None}, {}, Place(None, "default", "default")),
    ("clickhouse", "hook", {"schema": "s"}, {"_database": "d"}, Place(None, "d", "bob")),
    ("duckdb", "file", {"host": "/data/lake.duckdb"}, {}, Place("lake", "main", None)),
    ("duckdb", "memory", {"host": ":memory:"}, {}, Place("memory", "main", None)),
    ("duckdb", "MotherDuck", {"schema": "md"}, {}, Place("md", "main", None)),
    ("duckdb_aws", "nothing", {}, {}, Place("memory", "main", None)),
    ("sqlite", "no user", {"host": "/data/x.db"}, {}, Place(None, "main", None)),
    ("spark_sql", "nothing", {"schema": "s"}, {}, Place()),
    ("spark", "nothing", {}, {}, Place()),
    ("generic", "schema", {"schema": "s"}, {}, Place(None, "s", "bob")),
    ("homegrown", "unknown type", {"schema": "s"}, {}, Place(None, "s", "bob")),
    ("postgres", "empty fields", {"schema": "", "login": " "}, {}, Place()),
]


@pytest.mark.parametrize(
    ("conn_type", "parts", "hook", "expected"),
    [(case[0], *case[2:]) for case in CASES],
    ids=[f"{case[0]}-{case[1]}" for case in CASES],
)
def test_place(conn_type: str, parts: dict[str, Any], hook: dict[str, Any], expected: Place) -> None:
    """A connection says where its statements run, as its hook uses it."""
    assert place(connection(conn_type, **parts), SimpleNamespace(**hook)) == expected


def test_every_type_has_a_test() -> None:
    """A rule that is added is tested, too."""
    from airflow_provider_ryft.query_builder import connection_context

    assert set(connection_context._RULES) - {case[0] for case in CASES} == {
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
    assert "s3cret" not in str(place(guarded, Hook()))


def test_trino_user_may_be_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``impersonate_as_owner`` Trino's hook takes the user from where Airflow put the DAG's owner."""
    impersonating = connection("trino", extra={"impersonate_as_owner": True})
    assert place(impersonating, None).user == "bob"
    monkeypatch.setenv("AIRFLOW_CTX_DAG_OWNER", "alice")
    assert place(impersonating, None).user == "alice"
    assert place(connection("trino"), None).user == "bob"


def test_no_connection_is_nowhere() -> None:
    """A hook without a connection says nothing."""
    assert place(None, None) == Place()
    assert dialect(None, None) is None


def test_odd_values_are_left_out() -> None:
    """What is neither text nor number is no name."""
    odd = SimpleNamespace(conn_type="postgres", login=["bob"], schema=7, extra_dejson="not a mapping")
    assert place(odd, None) == Place("7", None, None)


def test_the_dialect_is_the_connections_type_if_it_is_known() -> None:
    """A hook says what it speaks if its connection has a type of something else."""
    speaks = SimpleNamespace(conn_type="postgres")
    assert dialect(SimpleNamespace(conn_type="redshift"), speaks) == "redshift"
    assert dialect(SimpleNamespace(conn_type="http"), speaks) == "postgres"
    assert dialect(SimpleNamespace(conn_type="http"), None) == "http"
    assert dialect(None, speaks) == "postgres"
    clickhouse = type("ClickHouseDbApiHook", (), {})()
    assert dialect(SimpleNamespace(conn_type="http"), clickhouse) == "clickhouse"
    assert place(SimpleNamespace(conn_type="http", login="bob", schema=None), clickhouse) == Place(
        None, "default", "bob"
    )


def test_an_operators_word_is_taken() -> None:
    """What an operator says of its connection is not interpreted any further."""
    stated = StatedConnection(conn_type="athena", schema="s", user="u")
    assert place(stated, None) == Place(None, "s", "u")
    assert dialect(stated, None) == "athena"


def test_contexts_go_before_what_was_found() -> None:
    """A connection's id goes before its type; null leaves a field out; what is not named stays."""
    found = Place("hive", "gold", "bob")
    contexts = {"trino": {"catalog": "lake", "user": "etl"}, "prod": {"catalog": "prod", "schema": None}}
    assert override(found, contexts, "prod", "trino") == Place("prod", None, "etl")
    assert override(found, contexts, "dev", "trino") == Place("lake", "gold", "etl")
    assert override(found, contexts, None, None) == found
    assert override(found, {}, "prod", "trino") == found


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
    assert place(held, hook) == Place(told["database"], None, told["user"])


def test_a_real_hook_and_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attributes that are read from a hook are the ones that the provider's hook has."""
    hooks = pytest.importorskip("airflow.providers.postgres.hooks.postgres")
    monkeypatch.setenv("AIRFLOW_CONN_PG", "postgres://bob:s3cret@nowhere/lake")
    hook = hooks.PostgresHook(postgres_conn_id="pg")
    assert place(hook.connection, hook) == Place("lake", None, "bob")
    assert dialect(hook.connection, hook) == "postgres"
    hook = hooks.PostgresHook(postgres_conn_id="pg", database="other")
    assert place(hook.connection, hook) == Place("other", None, "bob")
