"""The catalog, schema and user of a statement, from what Airflow holds of its connection.

``[ryft] contexts`` overrides what a connection says, because Ryft's name of a catalog is rarely the connection's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import ref

from airflow_provider_ryft.capture.declared_connection import DeclaredConnection
from airflow_provider_ryft.capture.statement import Statement, text_or_none
from airflow_provider_ryft.query_builder.connection_rules import (
    CONNECTION_RULES,
    ConnectionContext,
    ConnectionFields,
    default_rule,
)
from airflow_provider_ryft.query_builder.task_facts import read_attribute
from airflow_provider_ryft.settings import Context

Part = TypeVar("Part")


class ConnectionDetails:
    """What the statements of one hook, in one schema, have in common."""

    def __init__(
        self,
        statement: Statement,
        hook: ref[Any] | None,
        dialect: str | None,
        context: ConnectionContext,
        tags: tuple[str, ...],
    ) -> None:
        self.connection = statement.connection
        # The hook is not kept alive; ``None`` if there is none, or if it cannot be referred to weakly.
        self.hook = hook
        self.schema = statement.schema  # that the statements name themselves
        self.dialect = dialect  # the connection type that says which SQL is spoken
        self.context = context  # where the statements run, and as whom
        self.tags = tags  # the connection's id and type

    def fit(self, statement: Statement) -> bool:
        """Return whether they were read for the statement's very connection and hook, and its schema."""
        hook = None if self.hook is None else self.hook()
        return self.connection is statement.connection and hook is statement.hook and self.schema == statement.schema


class ConnectionReader:
    """Reads the connections of statements, each of them once.

    :param contexts: the option ``[ryft] contexts``
    :param omit: counts and logs a part that cannot be read
    """

    def __init__(self, contexts: Mapping[str, Context], omit: Callable[[str, Exception], None]) -> None:
        self._contexts = contexts
        self._omit = omit
        self._cached: dict[str | None, ConnectionDetails] = {}

    def details(self, statement: Statement) -> ConnectionDetails:
        """Return what the connection and the hook of a statement say."""
        found = self._cached.get(statement.conn_id)
        if found is None or not found.fit(statement):
            found = self._cached[statement.conn_id] = self._read(statement)
        return found

    def _read(self, statement: Statement) -> ConnectionDetails:
        connection, hook, conn_id = statement.connection, statement.hook, statement.conn_id
        dialect = self._part("dialect", lambda: sql_dialect(connection, hook), None)
        context = self._part("context", lambda: connection_context(connection, hook), ConnectionContext())
        if schema := text_or_none(statement.schema):
            context = context._replace(schema=schema)
        conn_type = text_or_none(read_attribute(connection, "conn_type")) or dialect
        context = apply_overrides(context, self._contexts, conn_id, dialect, conn_type)
        tags = {"conn_id": conn_id, "conn_type": conn_type}
        hook_ref = self._part("hook", lambda: None if hook is None else ref(hook), None)
        shown = tuple(f"{name}:{value}" for name, value in tags.items() if value)
        return ConnectionDetails(statement, hook_ref, dialect, context, shown)

    def _part(self, name: str, read: Callable[[], Part], default: Part) -> Part:
        try:
            return read()
        except Exception as error:
            self._omit(name, error)
            return default


def sql_dialect(connection: Any, hook: Any) -> str | None:
    """Return the connection type that says which SQL is spoken: the connection's if it is known here, or the hook's.

    :param connection: Airflow's connection, if there is one
    :param hook: the hook, if there is one
    """
    of_connection = _type_of(connection)
    if of_connection in CONNECTION_RULES or isinstance(connection, DeclaredConnection):
        return of_connection
    of_hook = _type_of(hook)
    if of_hook in CONNECTION_RULES:
        return of_hook
    # The hooks for ClickHouse have no connection type: any will do.
    if "clickhouse" in type(hook).__name__.lower():
        return "clickhouse"
    return of_connection or of_hook


def connection_context(connection: Any, hook: Any) -> ConnectionContext:
    """Return where a statement ran, as far as its connection and its hook know.

    :param connection: Airflow's connection, or a :class:`DeclaredConnection`
    :param hook: the hook that holds it
    """
    if isinstance(connection, DeclaredConnection):
        return ConnectionContext(connection.catalog, connection.schema, connection.user)
    if connection is None:
        return ConnectionContext()
    rule = CONNECTION_RULES.get(sql_dialect(connection, hook) or "", default_rule)
    return ConnectionContext(*map(text_or_none, rule(ConnectionFields(connection, hook))))


def apply_overrides(
    found: ConnectionContext, contexts: Mapping[str, Context], conn_id: str | None, *conn_types: str | None
) -> ConnectionContext:
    """Put what ``[ryft] contexts`` says over what was found.

    :param found: what the connection says
    :param contexts: the option, by connection id or type
    :param conn_id: the connection's id, which overrides its type
    :param conn_types: what the connection's type may be called, the weakest first
    """
    for key in (*conn_types, conn_id):
        if key is not None and key in contexts:
            found = found._replace(**contexts[key])
    return found


def _type_of(holder: Any) -> str | None:
    conn_type = getattr(holder, "conn_type", None)
    return conn_type if isinstance(conn_type, str) and conn_type else None
