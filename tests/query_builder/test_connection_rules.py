"""Catalog, schema and user by connection type: what each provider's own hook would send."""

from __future__ import annotations

import json
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.query_builder.connection_context import connection_context
from airflow_provider_ryft.query_builder.connection_rules import CONNECTION_RULES, ConnectionContext

KEY = {"project_id": "from-key", "client_email": "etl@from-key.iam.gserviceaccount.com", "private_key": "s3cret"}


def connection(conn_type: str, **parts: Any) -> Any:
    from airflow.providers.common.compat.sdk import Connection

    parts.setdefault("login", "bob")
    extra = parts.pop("extra", None)
    return Connection(conn_id="c", conn_type=conn_type, password="s3cret", extra=extra and json.dumps(extra), **parts)


CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], tuple[str | None, ...]]] = [
    ("postgres", "schema is the database", {"schema": "lake"}, {}, ("lake", None, "bob")),
    ("postgres", "hook's database", {"schema": "lake"}, {"database": "other"}, ("other", None, "bob")),
    ("redshift", "schema is the database", {"schema": "dev"}, {}, ("dev", None, "bob")),
    ("redshift", "extra", {"schema": "dev", "extra": {"database": "x", "user": "u"}}, {}, ("x", None, "u")),
    ("redshift", "IAM", {"extra": {"iam": True, "db_user": "etl"}}, {}, (None, None, "etl")),
    ("redshift", "IAM's user", {"extra": {"iam": True, "db_user": "etl", "user": "u"}}, {}, (None, None, "u")),
    ("redshift", "IAM without one", {"extra": {"iam": True}}, {}, (None, None, "bob")),
    ("redshift", "no IAM", {"extra": {"db_user": "etl"}}, {}, (None, None, "bob")),
    ("redshift", "a role's user", {"extra": {"iam": True, "is_serverless": True}}, {}, (None, None, None)),
    ("vertica", "schema is the database", {"schema": "dev"}, {}, ("dev", None, "bob")),
    ("mysql", "a database is a schema", {"schema": "shop"}, {}, (None, "shop", "bob")),
    ("mysql", "hook's schema", {"schema": "shop"}, {"schema": "other"}, (None, "other", "bob")),
    ("mssql", "schema is the database", {"schema": "shop"}, {}, ("shop", None, "bob")),
    ("mssql", "hook's schema", {"schema": "shop"}, {"schema": "other"}, ("other", None, "bob")),
    ("odbc", "hook's database", {"schema": "shop"}, {"_database": "other"}, ("other", None, "bob")),
    ("jdbc", "schema", {"schema": "shop"}, {}, ("shop", None, "bob")),
    ("trino", "extra", {"schema": "gold", "extra": {"catalog": "lake"}}, {}, ("lake", "gold", "bob")),
    ("trino", "hook's default", {}, {}, ("hive", None, "bob")),
    ("trino", "not the hook's schema", {"schema": "gold"}, {"schema": "x"}, ("hive", "gold", "bob")),
    ("presto", "extra", {"schema": "gold", "extra": {"catalog": "lake"}}, {}, ("lake", "gold", "bob")),
    ("snowflake", "extra", {"schema": "S", "extra": {"database": "D"}}, {}, ("D", "S", "bob")),
    ("snowflake", "old extra", {"extra": {"extra__snowflake__database": "D"}}, {}, ("D", None, "bob")),
    ("snowflake", "hook", {"schema": "S"}, {"database": "D", "schema": "T"}, ("D", "T", "bob")),
    ("snowflake", "client id", {"extra": {"authenticator": "oauth"}}, {}, (None, None, None)),
    ("databricks", "default schema", {}, {}, (None, "default", "bob")),
    ("databricks", "extra", {"extra": {"catalog": "c", "schema": "s"}}, {}, ("c", "s", "bob")),
    ("databricks", "hook", {"extra": {"catalog": "c"}}, {"catalog": "d", "schema": "t"}, ("d", "t", "bob")),
    ("databricks", "a token is no user", {"login": "token"}, {}, (None, "default", None)),
    ("athena", "defaults, and no access key", {"login": "AKIA"}, {}, ("AwsDataCatalog", "default", None)),
    ("athena", "extra", {"schema": "s", "extra": {"catalog": "c"}}, {}, ("c", "s", None)),
    ("aws", "no access key", {"login": "AKIA"}, {}, ("AwsDataCatalog", "default", None)),
    ("google_cloud_platform", "extra", {"extra": {"project": "p"}}, {}, ("p", None, None)),
    ("gcpbigquery", "key", {"extra": {"keyfile_dict": json.dumps(KEY)}}, {}, ("from-key", None, KEY["client_email"])),
    ("gcpbigquery", "key as object", {"extra": {"keyfile_dict": KEY}}, {}, ("from-key", None, KEY["client_email"])),
    ("gcpbigquery", "bad key", {"extra": {"keyfile_dict": "{"}}, {}, (None, None, None)),
    ("gcpbigquery", "hook's own", {}, {"_cached_project_id": "found"}, ("found", None, None)),
    ("gcpbigquery", "impersonated", {}, {"impersonation_chain": "a@p"}, (None, None, "a@p")),
    ("gcpspanner", "extra", {"extra": {"database_id": "d"}}, {}, ("d", None, None)),
    ("oracle", "schema is the service", {"schema": "XE"}, {}, ("XE", "XE", "bob")),
    ("oracle", "service", {"schema": "s", "extra": {"service_name": "XE"}}, {}, ("XE", "s", "bob")),
    ("oracle", "sid", {"schema": "s", "extra": {"sid": "XE"}}, {}, ("XE", None, "bob")),
    ("hiveserver2", "default", {}, {}, (None, "default", "bob")),
    ("hive_cli", "schema", {"schema": "s"}, {}, (None, "s", "bob")),
    ("impala", "schema", {"schema": "s"}, {}, (None, "s", "bob")),
    ("drill", "plugin", {"extra": {"storage_plugin": "s3"}}, {}, (None, "s3", "bob")),
    ("druid", "schema is a scheme", {"schema": "https"}, {}, ("druid", "druid", "bob")),
    ("pinot", "schema is a scheme", {"schema": "https"}, {}, (None, None, "bob")),
    ("exasol", "hook's schema", {"schema": "s"}, {"schema": "t"}, (None, "t", "bob")),
    ("teradata", "user's own", {}, {}, (None, "bob", "bob")),
    ("teradata", "schema", {"schema": "s", "login": None}, {}, (None, "s", "dbc")),
    ("clickhouse", "defaults", {"login": None}, {}, (None, "default", "default")),
    ("clickhouse", "hook", {"schema": "s"}, {"_database": "d"}, (None, "d", "bob")),
    ("duckdb", "file", {"host": "/data/lake.duckdb"}, {}, ("lake", "main", None)),
    ("duckdb", "memory", {"host": ":memory:"}, {}, ("memory", "main", None)),
    ("duckdb", "MotherDuck", {"schema": "md"}, {}, ("md", "main", None)),
    ("duckdb_aws", "nothing", {}, {}, ("memory", "main", None)),
    ("sqlite", "no user", {"host": "/data/x.db"}, {}, (None, "main", None)),
    ("spark_sql", "nothing", {"schema": "s"}, {}, (None, None, None)),
    ("spark", "nothing", {}, {}, (None, None, None)),
    ("generic", "schema", {"schema": "s"}, {}, (None, "s", "bob")),
    ("homegrown", "unknown type", {"schema": "s"}, {}, (None, "s", "bob")),
    ("postgres", "empty fields", {"schema": "", "login": " "}, {}, (None, None, None)),
]


@pytest.mark.parametrize(
    ("conn_type", "parts", "hook", "expected"),
    [(case[0], *case[2:]) for case in CASES],
    ids=[f"{case[0]}-{case[1]}" for case in CASES],
)
def test_connection_context(
    conn_type: str, parts: dict[str, Any], hook: dict[str, Any], expected: ConnectionContext
) -> None:
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


def test_odd_values_are_left_out() -> None:
    """What is neither text nor number is no name."""
    odd = SimpleNamespace(conn_type="postgres", login=["bob"], schema=7, extra_dejson="not a mapping")
    assert connection_context(odd, None) == ConnectionContext("7", None, None)


@pytest.mark.parametrize("extra", [{}, {"database": "other"}, {"user": "alice"}, {"database": "o", "user": "a"}])
def test_redshift_is_what_its_hook_gives_the_driver(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    """The hook passes the whole extra to the driver, over what it took from the connection's fields."""
    hooks = pytest.importorskip("airflow.providers.amazon.aws.hooks.redshift_sql")
    given: dict[str, Any] = {}
    monkeypatch.setattr(hooks.redshift_connector, "connect", lambda **options: given.update(options))
    held = connection("redshift", schema="dev", host="nowhere", extra=extra)
    hook = hooks.RedshiftSQLHook()
    monkeypatch.setattr(hook, "get_connection", lambda _id: held)
    hook.get_conn()
    assert connection_context(held, hook) == ConnectionContext(given["database"], None, given["user"])
