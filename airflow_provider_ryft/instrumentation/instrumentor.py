"""Observes the SQL statements of a task where Airflow's hooks run them.

:func:`install` costs next to nothing until ``common.sql`` is imported, and then wraps methods of its hooks once;
between :func:`start` and :func:`stop` they notify a
:class:`~airflow_provider_ryft.capture.statement.StatementProcessor` of every statement. Outside, and in every
process but the task's own, they do nothing. Nothing here ever changes what a hook does, returns or raises.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from airflow_provider_ryft.capture import session
from airflow_provider_ryft.capture.call_stack import call_stack
from airflow_provider_ryft.capture.statement import StatementProcessor
from airflow_provider_ryft.guard import survive
from airflow_provider_ryft.instrumentation.post_import_hook import PostImportHook

_HOOKS = "airflow.providers.common.sql.hooks.sql"
_LINEAGE = "airflow.providers.common.sql.hooks.lineage"

_undo: list[Any] = []
_patched: ModuleType | None = None
_heard: ModuleType | None = None


def install() -> None:
    """Wrap the hooks of ``common.sql`` when it is imported, or now if it has been; safe to repeat.

    Hooks of services import no more of it than the lineage, which is listened to by itself.
    """
    try:
        _import_hook.install()
        _lineage_import_hook.install()
    except BaseException as fault:
        survive(fault)


def uninstall() -> None:
    """Put everything back as it was."""
    global _heard, _patched
    session.deactivate()
    _import_hook.remove()
    _lineage_import_hook.remove()
    while _undo:
        _undo.pop()()
    _heard = _patched = None


def start(recorder: StatementProcessor) -> None:
    """Observe this process for a task.

    :param recorder: who is told of each statement; whatever it raises, the task does not notice
    """
    try:
        install()
        session.activate(recorder)
        call_stack.clear()  # what another task left behind must not swallow a statement of this one
    except BaseException as fault:
        survive(fault)


def stop() -> None:
    """Observe no more.

    A statement that is still running, on a thread that outlives the task, stays without an end.
    """
    try:
        session.deactivate()
        call_stack.clear()
    except BaseException as fault:
        survive(fault)


def _patch(module: ModuleType) -> None:
    global _patched
    from airflow_provider_ryft.instrumentation.hook_classes import patch_hooks
    from airflow_provider_ryft.instrumentation.patches import Patches

    if _patched is not module:
        patches = Patches()
        _undo.append(patches.undo)
        base_hook = next(part for part in module.DbApiHook.__mro__ if part.__name__ == "BaseHook")
        patches.replace(base_hook, "get_connection", _observe_lookup)
        patch_hooks(patches, module.DbApiHook)
        _patched = module


def _listen(module: ModuleType) -> None:
    global _heard
    from airflow_provider_ryft.instrumentation.hook_lineage import listen

    if _heard is not module:
        _undo.append(listen(module))
        _heard = module


def _observe_lookup(original: Any) -> Any:
    """Wrap ``BaseHook.get_connection``: what a hook has looked up need not be looked up again."""
    function = original.__func__

    @functools.wraps(function)
    def get_connection(cls: type, *args: Any, **kwargs: Any) -> Any:
        connection = original.__get__(None, cls)(*args, **kwargs)
        try:
            _note_lookup(args[0] if args else kwargs.get("conn_id"), connection)
        except BaseException as fault:
            survive(fault)
        return connection

    return classmethod(get_connection)


def _note_lookup(conn_id: Any, connection: Any) -> None:
    here = session.active_session()
    if here is not None and isinstance(conn_id, str):
        here.connections[conn_id] = connection


_import_hook = PostImportHook(_HOOKS, _patch)
_lineage_import_hook = PostImportHook(_LINEAGE, _listen)
