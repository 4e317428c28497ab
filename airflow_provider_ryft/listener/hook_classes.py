"""Which classes and methods are wrapped, and how each method is to be understood."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from airflow_provider_ryft.listener import hook_methods
from airflow_provider_ryft.listener.calls import Kind
from airflow_provider_ryft.listener.hook_methods import Method
from airflow_provider_ryft.listener.survival import survive

_CHUNK_METHODS = frozenset({"get_df_by_chunks", "get_pandas_df_by_chunks"})
_ROW_METHODS = frozenset({"bulk_insert_rows", "insert_rows"})
_SCRIPT_METHODS = frozenset({"get_results", "to_csv"})
_STATEMENT_METHODS = frozenset(
    {"bulk_dump", "bulk_load", "copy_expert", "export_to_file", "get_df", "get_pandas_df", "get_polars_df"}
)
# These run what they are given through ``_run_command``, unless their code says otherwise.
_RUN_METHODS = frozenset({"get_first", "get_records", "run"})

# Those of the common base class that do no more than call another one.
_INERT = frozenset({"bulk_dump", "bulk_load", "get_first", "get_pandas_df", "get_pandas_df_by_chunks", "get_records"})

# They tell their lineage what they submit; how it ends is another method's business.
_SUBMITTERS = frozenset({("SnowflakeSqlApiHook", "execute_query")})

_SUPPORTING: dict[str, Callable[[Any], Any]] = {
    "_generate_insert_sql": hook_methods.observe_generating,
    "_run_command": hook_methods.observe_command,
    "get_conn": hook_methods.observe_connecting,
    "get_cursor": hook_methods.observe_cursor,
    "get_sqlalchemy_engine": hook_methods.observe_engine,
}
_STATIC = ("split_sql_string", "strip_sql_string")


class Patches:
    """What was put in the place of something else, so that it can be put back."""

    def __init__(self) -> None:
        self._replaced: dict[tuple[type, str], tuple[Any, Any]] = {}

    def replace(self, owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
        """Wrap what a class itself defines under a name, once.

        :param owner: the class
        :param name: the attribute
        :param wrap: from what stands there to what shall
        """
        if (owner, name) not in self._replaced and name in owner.__dict__:
            original = owner.__dict__[name]
            replacement = wrap(original)
            setattr(owner, name, replacement)
            self._replaced[owner, name] = original, replacement

    def undo(self) -> None:
        """Put the originals back, where nobody has put something else since."""
        for (owner, name), (original, replacement) in self._replaced.items():
            if owner.__dict__.get(name) is replacement:
                setattr(owner, name, original)
        self._replaced.clear()


def patch_hooks(patches: Patches, base: type) -> None:
    """Observe a base class of hooks, the classes below it, and those of which an instance is made later.

    :param base: ``DbApiHook``
    """
    patches.replace(base, "__init__", functools.partial(_at_creation, base, patches))
    for name in _STATIC:
        patches.replace(base, name, hook_methods.observe_split)
    for hook_class in (base, *_subclasses(base)):
        _try_class(patches, base, hook_class)


def _subclasses(base: type) -> Iterator[type]:
    below: type
    for below in base.__subclasses__():
        yield below
        yield from _subclasses(below)


def _at_creation(base: type, patches: Patches, original: Method) -> Method:
    """Wrap a constructor: before the first instance of a class is made, the classes that it consists of are wrapped."""
    known: set[type] = set()

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it is one
        try:
            if type(self) not in known:
                known.add(type(self))
                for part in type(self).__mro__:
                    _try_class(patches, base, part)
        except BaseException as fault:
            survive(fault)
        original(self, *args, **kwargs)

    return __init__


def _try_class(patches: Patches, base: type, hook_class: type) -> None:
    try:
        if hook_class.__name__ not in ("BaseHook", "LoggingMixin", "object"):
            _patch_class(patches, base, hook_class)
    except BaseException as fault:
        survive(fault)


def _patch_class(patches: Patches, base: type, hook_class: type) -> None:
    """Wrap what a class defines itself."""
    for name, value in list(hook_class.__dict__.items()):
        if not _is_method(value):
            continue
        if name in _SUPPORTING:
            patches.replace(hook_class, name, _SUPPORTING[name])
        elif not name.startswith("_") and not (hook_class is base and name in _INERT):
            names = _names_in(inspect.unwrap(value).__code__)
            kind = _kind(hook_class.__name__, name, names)
            if kind is not None:
                # What the base class does is always seen; so is every insert whose text is generated.
                silent = hook_class is not base and "_generate_insert_sql" not in names
                wrap = functools.partial(hook_methods.observe_call, kind=kind, reports_silence=silent)
                patches.replace(hook_class, name, wrap)


def _is_method(value: Any) -> bool:
    """Tell whether a class attribute is a method of instances, perhaps a decorated one."""
    if isinstance(value, (staticmethod, classmethod, type)) or not callable(value):
        return False
    function = inspect.unwrap(value)
    return isinstance(function, FunctionType) and not (
        inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function)
    )


def _kind(hook_class: str, method: str, names: set[str]) -> Kind | None:
    """Return what a public method does; ``None`` if it runs no statements.

    :param names: what the code of the method names
    """
    tells_lineage = "send_sql_hook_lineage" in names
    if (hook_class, method) in _SUBMITTERS:
        return Kind.SUBMIT
    if "send_hook_lineage_for_bq_job" in names or (hook_class, method) == ("BigQueryHook", "get_df"):
        return Kind.JOB
    if method in _CHUNK_METHODS:
        return Kind.CHUNKS
    if method in _ROW_METHODS:
        return Kind.ROWS
    if method in _SCRIPT_METHODS:
        return Kind.SCRIPT
    if method in _STATEMENT_METHODS:
        return Kind.STATEMENT
    if method not in _RUN_METHODS:
        return Kind.SCRIPT if tells_lineage else None
    if "_run_command" in names or not (tells_lineage or "execute" in names):
        return Kind.DELEGATE
    return Kind.SCRIPT if method == "run" else Kind.STATEMENT


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
