"""Which hook classes and methods are wrapped."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, MutableSet
from types import FunctionType
from typing import Any
from weakref import WeakSet

from airflow_provider_ryft.capture import session
from airflow_provider_ryft.capture.method_kind import MethodKind
from airflow_provider_ryft.guard import isolated
from airflow_provider_ryft.instrumentation import wrappers
from airflow_provider_ryft.instrumentation.method_kinds import LINEAGE, method_kind, names_in
from airflow_provider_ryft.instrumentation.patches import Patches
from airflow_provider_ryft.instrumentation.sql_arguments import takes_statements
from airflow_provider_ryft.instrumentation.wrappers import Method

# Those of the common base class that do no more than call another one.
_INERT = frozenset({"bulk_dump", "bulk_load", "get_first", "get_pandas_df", "get_pandas_df_by_chunks", "get_records"})

_SUPPORTING: dict[str, Callable[[Any], Any]] = {
    "_generate_insert_sql": wrappers.wrap_generate_insert_sql,
    "_run_command": wrappers.wrap_run_command,
    "get_conn": wrappers.wrap_get_conn,
    "get_cursor": wrappers.wrap_get_cursor,
    "get_sqlalchemy_engine": wrappers.wrap_get_sqlalchemy_engine,
}
_STATIC = ("split_sql_string", "strip_sql_string")


def patch_hooks(patches: Patches, base: type) -> None:
    """Observe a base class of hooks, the classes below it, and those of which an instance is made later.

    :param base: ``DbApiHook``
    """
    base_hook = next(part for part in base.__mro__ if part.__name__ == "BaseHook")
    patches.replace(base_hook, "get_connection", wrappers.wrap_get_connection)
    patches.replace(base, "__init__", functools.partial(_at_creation, base, patches))
    for name in _STATIC:
        patches.replace(base, name, wrappers.wrap_split)
    known: set[type] = set()
    for hook_class in (base, *_subclasses(base)):
        _try_parts(patches, base, hook_class, known)


def _subclasses(base: type) -> Iterator[type]:
    below: type
    for below in base.__subclasses__():
        yield below
        yield from _subclasses(below)


def _at_creation(base: type, patches: Patches, original: Method) -> Method:
    """Wrap a constructor: before the first instance of a class is made, the classes that it consists of are wrapped."""
    known: WeakSet[type] = WeakSet()

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it is one
        with isolated():
            if type(self) not in known:
                _try_parts(patches, base, type(self), known)
            if session.active is not None:
                session.active.prepare_processor()
        original(self, *args, **kwargs)

    return __init__


def _try_parts(patches: Patches, base: type, hook_class: type, known: MutableSet[type]) -> None:
    """Wrap what the classes that a class consists of define, each by itself."""
    for part in hook_class.__mro__:
        with isolated():
            if part not in known:
                known.add(part)
                if _may_be_a_hooks(part):
                    _patch_class(patches, base, part)


def _may_be_a_hooks(part: type) -> bool:
    """Return whether a class that hooks consist of may run their SQL: not Airflow's commonest, and none of Python's."""
    package = part.__module__.partition(".")[0]
    return part.__name__ not in ("BaseHook", "LoggingMixin") and package not in sys.stdlib_module_names


def _patch_class(patches: Patches, base: type, hook_class: type) -> None:
    """Wrap what a class defines itself."""
    for name, value in list(hook_class.__dict__.items()):
        if not _is_method(value):
            continue
        function = inspect.unwrap(value)
        yields = _yields(value)
        if _yields(function) and not yields:
            continue  # a context manager
        if name in _SUPPORTING and not yields:
            patches.replace(hook_class, name, _SUPPORTING[name])
        elif name.startswith("_"):
            if yields and LINEAGE in names_in(function.__code__):
                patches.replace(hook_class, name, wrappers.wrap_row_generator)
        elif not (hook_class is base and name in _INERT) and (
            issubclass(hook_class, base) or takes_statements(function)
        ):
            names = names_in(function.__code__)
            kind = method_kind(hook_class.__name__, name, names)
            if yields and kind is not None:
                kind = None if kind is MethodKind.ROWS else MethodKind.CHUNKS
            if kind is not None:
                # What the base class does is always seen; so is every insert whose text is generated.
                silent = hook_class is not base and "_generate_insert_sql" not in names
                wrap = functools.partial(wrappers.wrap_public_method, kind=kind, report_if_unobserved=silent)
                patches.replace(hook_class, name, wrap)


def _is_method(value: Any) -> bool:
    """Return whether a class attribute is a method of instances, perhaps a decorated one.

    What only calls a function, such as a cache of its results, can do more than be called, and is left as it is.
    """
    wrapt = sys.modules.get("wrapt")  # of which ``deprecated`` is made
    if type(value) is not FunctionType and not (wrapt is not None and isinstance(value, wrapt.FunctionWrapper)):
        return False
    function = inspect.unwrap(value)
    return isinstance(function, FunctionType) and not function.__code__.co_flags & _ASYNCHRONOUS


_ASYNCHRONOUS = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _yields(function: Any) -> bool:
    """Return whether a function is a generator function, in a tenth of the time that :mod:`inspect` takes."""
    code = getattr(function, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & inspect.CO_GENERATOR)
