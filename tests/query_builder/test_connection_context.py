"""Where a statement ran, as its connection, its hook and the options say."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.capture.declared_connection import DeclaredConnection
from airflow_provider_ryft.query_builder.connection_context import apply_overrides, connection_context, sql_dialect
from airflow_provider_ryft.query_builder.connection_rules import ConnectionContext
from support.built_queries import connection, make_statement, query_builder

pytestmark = pytest.mark.usefixtures("mask_secret")


def test_no_connection_is_nowhere() -> None:
    """A hook without a connection says nothing."""
    assert connection_context(None, None) == ConnectionContext()
    assert sql_dialect(None, None) is None


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


def test_a_real_hook_and_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attributes that are read from a hook are the ones that the provider's hook has."""
    hooks = pytest.importorskip("airflow.providers.postgres.hooks.postgres")
    monkeypatch.setenv("AIRFLOW_CONN_PG", "postgres://bob:s3cret@nowhere/lake")
    hook = hooks.PostgresHook(postgres_conn_id="pg")
    assert connection_context(hook.connection, hook) == ConnectionContext("lake", None, "bob")
    assert sql_dialect(hook.connection, hook) == "postgres"
    hook = hooks.PostgresHook(postgres_conn_id="pg", database="other")
    assert connection_context(hook.connection, hook) == ConnectionContext("other", None, "bob")


def test_an_operators_statement() -> None:
    """What an operator declares of its connection is reported as if it was one."""
    query = query_builder(contexts={"athena": {"catalog": "lake"}}).query(
        make_statement(
            conn_id="aws", connection=DeclaredConnection(conn_type="athena", catalog="AwsDataCatalog", schema="gold")
        )
    )
    assert (query.context.catalog, query.context.schema) == ("lake", "gold")
    assert query.tags[-2:] == ("conn_id:aws", "conn_type:athena")


def test_contexts_by_id_go_before_those_by_type() -> None:
    """The name that Ryft knows a catalog by is given in the options."""
    contexts = {"trino": {"catalog": "by-type", "user": None}, "lake": {"catalog": "by-id"}}
    query = query_builder(contexts=contexts).query(
        make_statement(conn_id="lake", connection=connection(login="bob", schema="gold"))
    )
    assert (query.context.catalog, query.context.schema, query.context.user) == ("by-id", "gold", None)


def test_a_statement_may_name_its_schema() -> None:
    """A hook that uses another schema for one statement is reported with that one; ``contexts`` overrides it."""
    held, hook = connection("hiveserver2", schema="sales"), SimpleNamespace()
    builder = query_builder()
    for schema, expected in (("other", "other"), (None, "sales"), ("third", "third"), (" ", "sales")) * 2:
        statement = make_statement(conn_id="hive", connection=held, hook=hook, schema=schema)
        assert builder.query(statement).context.schema == expected
        assert builder.interrupted(statement).context.schema == expected
    statement = make_statement(conn_id="hive", connection=held, schema="other")
    assert query_builder(contexts={"hive": {"schema": "lake"}}).query(statement).context.schema == "lake"


def test_a_schema_that_is_named_late_is_reported() -> None:
    """What was read at the statement's start is read again then."""
    builder, statement = query_builder(), make_statement(connection=connection("hiveserver2", schema="sales"))
    assert builder.interrupted(statement).context.schema == "sales"
    statement.schema = "other"
    assert builder.query(statement).context.schema == "other"


def test_contexts_need_no_connection() -> None:
    """A statement without a connection has the context of its connection's id."""
    query = query_builder(contexts={"lake": {"catalog": "iceberg"}}).query(make_statement(conn_id="lake"))
    assert query.context.catalog == "iceberg"
    assert "conn_id:lake" in query.tags


def test_a_connection_that_fails_is_left_out_and_counted() -> None:
    """A connection whose extra cannot be read says nothing, and the statement is reported."""

    class Broken:
        conn_type = "trino"
        login = "bob"

        @property
        def extra_dejson(self) -> dict[str, Any]:
            raise ValueError("private")

    builder = query_builder(contexts={"lake": {"catalog": "iceberg"}})
    query = builder.query(make_statement(conn_id="lake", connection=Broken()))
    assert query.context.catalog == "iceberg"
    assert query.context.user is None
    assert query.tags[-2:] == ("conn_id:lake", "conn_type:trino")
    assert builder.omitted_parts == {"context": 1}


def test_a_connection_is_read_once() -> None:
    """A thousand statements of one hook cost one look at its connection; another hook is looked at again."""

    class Counted:
        conn_type = "trino"
        login = schema = None
        looks = 0

        @property
        def extra_dejson(self) -> dict[str, Any]:
            Counted.looks += 1
            return {"catalog": "iceberg"}

    class Hook:
        pass

    held, hook, builder = Counted(), Hook(), query_builder()
    for _ in range(1_000):
        assert builder.query(make_statement(conn_id="lake", connection=held, hook=hook)).context.catalog == "iceberg"
    assert Counted.looks == 1
    builder.query(make_statement(conn_id="lake", connection=held, hook=Hook()))
    assert Counted.looks == 2


def test_two_hooks_of_one_connection_are_kept_apart() -> None:
    """A hook that uses another database than its connection's is reported with that one."""
    held = connection("postgres", schema="lake")
    hooks = [SimpleNamespace(database=None), SimpleNamespace(database="other")]
    builder = query_builder()
    for _ in range(3):
        catalogs = [
            builder.query(make_statement(conn_id="pg", connection=held, hook=hook)).context.catalog for hook in hooks
        ]
        assert catalogs == ["lake", "other"]


def test_no_hook_is_kept_alive() -> None:
    """A hook holds connections to an engine; building its queries does not keep it."""

    class Hook:
        alive = 0

        def __init__(self) -> None:
            Hook.alive += 1

        def __del__(self) -> None:
            Hook.alive -= 1

    builder = query_builder()
    builder.query(make_statement(conn_id="lake", hook=Hook()))
    gc.collect()
    assert Hook.alive == 0
    builder.query(make_statement(conn_id="lake"))
