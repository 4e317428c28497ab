"""Which statements the arguments of a hook's method name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from airflow_provider_ryft.capture.dbapi import statement_text
from airflow_provider_ryft.capture.method_kind import MethodKind

_SQL_PARAMETERS = ("sql", "hql", "query_or_table", "queries")
_OTHER_PARAMETERS = ("rows", "configuration")

Reader = Callable[[tuple[Any, ...], dict[str, Any]], list[Any]]


def place_of(parameter: str, function: FunctionType) -> int | None:
    """Return the place of a parameter among a method's arguments, ``self`` not counted."""
    names = _parameters(function)[1:]
    return names.index(parameter) if parameter in names else None


def takes_statements(function: FunctionType) -> bool:
    """Return whether a parameter of a method has a name that hooks give to statements, or to what they make them of."""
    return not {*_SQL_PARAMETERS, *_OTHER_PARAMETERS}.isdisjoint(_parameters(function))


def _parameters(function: FunctionType) -> tuple[str, ...]:
    """Return the names of a function's parameters without those with a star, in a fiftieth of a signature's time."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def reader(function: FunctionType, kind: MethodKind) -> Reader:
    """Return how to read the statements from a call's arguments.

    :param function: the method
    :param kind: what it does
    """
    positions = {name: place for place, name in enumerate(_parameters(function)[1:])}

    def argument(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name in kwargs:
            return kwargs[name]
        place = positions.get(name, len(args))
        return args[place] if place < len(args) else None

    sql_parameter = next((name for name in _SQL_PARAMETERS if name in positions), None)

    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if kind is MethodKind.ROWS:
            table, fields = (argument(name, args, kwargs) for name in ("table", "target_fields"))
            return [_insert_text(table, fields)]
        if sql_parameter is None and "configuration" in positions:
            return _job_texts(argument("configuration", args, kwargs))
        if sql_parameter is None:
            return _load_texts(function, functools.partial(argument, args=args, kwargs=kwargs))
        return _texts(argument(sql_parameter, args, kwargs))

    return read


def _texts(sql: Any) -> list[Any]:
    """Return the statements of a ``sql`` argument; none of an iterator, which can be read but once.

    What the driver has to render, and only can with its connection, is left as it is.
    """
    if isinstance(sql, (list, tuple)):
        return [_text(part) for part in sql]
    return [] if sql is None or isinstance(sql, Iterator) else [_text(sql)]


def _text(sql: Any) -> Any:
    return sql if type(sql) is str or hasattr(sql, "as_string") else statement_text(sql)


def _insert_text(table: Any, fields: Any) -> str:
    if isinstance(fields, Iterable) and not isinstance(fields, (str, Iterator)):
        names = [str(field) for field in fields]
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})"  # noqa: S608  # it is reported, not run
    return f"INSERT INTO {table}"


def _job_texts(configuration: Any) -> list[str]:
    query = configuration.get("query") if isinstance(configuration, dict) else None
    sql = query.get("query") if isinstance(query, dict) else None
    return [sql] if isinstance(sql, str) else []


def _load_texts(function: FunctionType, argument: Callable[[str], Any]) -> list[str]:
    """Return what MySqlHook makes of a table's name."""
    if not function.__module__.startswith("airflow.providers.mysql."):
        return []
    table = argument("table")
    if function.__name__ == "bulk_dump":
        return [f"SELECT * INTO OUTFILE %s FROM `{table}`"]  # noqa: S608  # ditto
    handling = f" {argument('duplicate_key_handling') or 'IGNORE'}" if function.__name__ == "bulk_load_custom" else ""
    options = f" {argument('extra_options') or ''}" if handling else ""
    return [f"LOAD DATA LOCAL INFILE %s{handling} INTO TABLE `{table}`{options}"]
