"""What the fields of a connection mean: one rule for each connection type.

A rule says what the provider's own hook sends to the engine, and so what unqualified names mean there; the providers'
own lineage agrees, where it knows more than a name. No rule asks the engine or a cloud, and none reads a password.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple


class ConnectionContext(NamedTuple):
    """Where a statement ran, and as whom."""

    catalog: str | None = None
    schema: str | None = None
    user: str | None = None


class ConnectionFields:
    """A connection and its hook, each of which may be absent."""

    def __init__(self, connection: Any, hook: Any) -> None:
        self.connection = connection
        self.hook = hook
        extra = getattr(connection, "extra_dejson", None)
        self.extra: Mapping[str, Any] = extra if isinstance(extra, Mapping) else {}

    @property
    def login(self) -> Any:
        """The connection's user."""
        return getattr(self.connection, "login", None)

    @property
    def schema(self) -> Any:
        """The connection's schema, which is a database in many engines."""
        return getattr(self.connection, "schema", None)

    def from_hook(self, attribute: str) -> Any:
        """Return what the hook was given besides its connection, without running any of its code."""
        return getattr(self.hook, "__dict__", {}).get(attribute)

    def from_extra(self, name: str, old_prefix: str = "") -> Any:
        """Return a field of the extra, which older Airflows kept under a longer name."""
        return self.extra.get(name) or (self.extra.get(f"{old_prefix}{name}") if old_prefix else None)


def _schema_is_catalog(fields: ConnectionFields) -> ConnectionContext:
    """Take the connection's schema for what it is in most engines: the database, which contains the schemas."""
    return ConnectionContext(fields.schema, None, fields.login)


def default_rule(fields: ConnectionFields) -> ConnectionContext:
    """Take the connection's schema as it is: these engines have no catalogs, or do not let a connection choose one."""
    return ConnectionContext(None, fields.schema, fields.login)


def _only_user(fields: ConnectionFields) -> ConnectionContext:
    """Take only the user: the connection's schema is something else here, such as the scheme of an address."""
    return ConnectionContext(None, None, fields.login)


def _nothing(_fields: ConnectionFields) -> ConnectionContext:
    return ConnectionContext()


def _catalog_from(attribute: str) -> Callable[[ConnectionFields], ConnectionContext]:
    """Return a rule: a hook's attribute is the catalog, or else the connection's schema."""
    return lambda fields: ConnectionContext(fields.from_hook(attribute) or fields.schema, None, fields.login)


def _mysql(fields: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, fields.from_hook("schema") or fields.schema, fields.login)


def _trino(fields: ConnectionFields) -> ConnectionContext:
    """Read Trino and Presto, whose hooks name a catalog even if the connection does not."""
    user = fields.login
    if str(fields.extra.get("impersonate_as_owner", False)).lower() == "true":
        user = os.environ.get("AIRFLOW_CTX_DAG_OWNER") or user
    return ConnectionContext(fields.extra.get("catalog", "hive"), fields.schema, user)


def _redshift(fields: ConnectionFields) -> ConnectionContext:
    """Read Redshift, whose hook passes all of the extra to the driver, over the connection's fields."""
    user = fields.login
    if fields.extra.get("iam"):
        # Without servers, the user is that of a role, which only AWS knows.
        user = fields.extra.get("db_user") or (None if fields.extra.get("is_serverless") else user)
    return ConnectionContext(fields.extra.get("database") or fields.schema, None, fields.extra.get("user") or user)


def _snowflake(fields: ConnectionFields) -> ConnectionContext:
    database = fields.from_hook("database") or fields.from_extra("database", "extra__snowflake__")
    schema = fields.from_hook("schema") or fields.schema
    # With OAuth the login is the id of a client, and the hook does not send it.
    oauth = (fields.from_hook("authenticator") or fields.extra.get("authenticator")) == "oauth"
    return ConnectionContext(database, schema, None if oauth else fields.login)


def _databricks(fields: ConnectionFields) -> ConnectionContext:
    catalog = fields.from_hook("catalog") or fields.extra.get("catalog")
    schema = fields.from_hook("schema") or fields.extra.get("schema") or "default"
    # "token" stands for a personal access token, which belongs to a user that the connection does not name.
    return ConnectionContext(catalog, schema, None if fields.login == "token" else fields.login)


def _athena(fields: ConnectionFields) -> ConnectionContext:
    """Read Athena; the login is the id of an access key, so it is no user."""
    return ConnectionContext(fields.extra.get("catalog", "AwsDataCatalog"), fields.schema or "default", None)


_GOOGLE = "extra__google_cloud_platform__"


def _google(fields: ConnectionFields) -> ConnectionContext:
    """Read the project and the service account, from a key in the connection if it holds one."""
    key = fields.from_extra("keyfile_dict", _GOOGLE) or {}
    if isinstance(key, str):
        try:
            key = json.loads(key)
        except ValueError:
            key = {}
    named = key if isinstance(key, Mapping) else {}
    project = fields.from_extra("project", _GOOGLE) or fields.from_hook("_cached_project_id") or named.get("project_id")
    impersonated = fields.from_hook("impersonation_chain") or fields.from_extra("impersonation_chain", _GOOGLE)
    user = impersonated if isinstance(impersonated, str) else named.get("client_email")
    return ConnectionContext(project, None, user)


def _spanner(fields: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(fields.extra.get("database_id"), None, None)


def _oracle(fields: ConnectionFields) -> ConnectionContext:
    """Read Oracle, whose connection's schema is the service if no other is named, and then the current schema too."""
    service, sid = fields.extra.get("service_name"), fields.extra.get("sid")
    service = service or (None if sid else fields.schema)
    return ConnectionContext(service or sid, fields.schema if service else None, fields.login)


def _hive(fields: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, fields.schema or "default", fields.login)


def _drill(fields: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, fields.extra.get("storage_plugin", "dfs"), fields.login)


def _druid(fields: ConnectionFields) -> ConnectionContext:
    """Druid has one catalog and one schema for tables; the connection's schema is the scheme of its address."""
    return ConnectionContext("druid", "druid", fields.login)


def _teradata(fields: ConnectionFields) -> ConnectionContext:
    user = fields.login or "dbc"
    return ConnectionContext(None, fields.schema or user, user)


def _clickhouse(fields: ConnectionFields) -> ConnectionContext:
    database = (
        fields.from_hook("_schema") or fields.from_hook("_database") or fields.schema or fields.extra.get("database")
    )
    return ConnectionContext(None, database or "default", fields.login or "default")


def _duckdb(fields: ConnectionFields) -> ConnectionContext:
    """Name the database as DuckDB does: as its file, or as MotherDuck's database; without a file it is ``memory``."""
    host = getattr(fields.connection, "host", None)
    name = PurePath(str(host)).stem if host else fields.schema
    return ConnectionContext("memory" if not name or name == ":memory:" else name, "main", None)


def _sqlite(_fields: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, "main", None)


CONNECTION_RULES: Mapping[str, Callable[[ConnectionFields], ConnectionContext]] = {
    "athena": _athena,
    "aws": _athena,
    "clickhouse": _clickhouse,
    "databricks": _databricks,
    "drill": _drill,
    "druid": _druid,
    "duckdb": _duckdb,
    "duckdb_aws": _duckdb,
    "elasticsearch": _only_user,
    "exasol": _mysql,
    "gcpbigquery": _google,
    "gcpcloudsqldb": _schema_is_catalog,
    "gcpspanner": _spanner,
    "generic": default_rule,
    "google_cloud_platform": _google,
    **dict.fromkeys(("hive_cli", "hiveserver2", "impala"), _hive),
    "jdbc": _schema_is_catalog,
    "mssql": _catalog_from("schema"),
    "mysql": _mysql,
    "odbc": _catalog_from("_database"),
    "oracle": _oracle,
    "pinot": _only_user,
    "postgres": _catalog_from("database"),
    "presto": _trino,
    "redshift": _redshift,
    "snowflake": _snowflake,
    **dict.fromkeys(("spark", "spark_connect", "spark_jdbc", "spark_sql"), _nothing),
    "sqlite": _sqlite,
    "teradata": _teradata,
    "trino": _trino,
    "vertica": _schema_is_catalog,
}
