"""Observes the SQL statements of a task where Airflow's hooks run them.

:func:`install` costs next to nothing until ``common.sql`` is imported, and then wraps methods of its hooks once;
between :func:`start` and :func:`stop` they notify a
:class:`~airflow_provider_ryft.capture.statement.StatementProcessor` of every statement. Outside, and in every
process but the task's own, they do nothing. Nothing here ever changes what a hook does, returns or raises.

A task that never imports ``common.sql`` needs none of the modules that observe, so they are imported with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from airflow_provider_ryft.guard import isolated
from airflow_provider_ryft.instrumentation.post_import_hook import PostImportHook

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.statement import StatementProcessor

_HOOKS = "airflow.providers.common.sql.hooks.sql"
_LINEAGE = "airflow.providers.common.sql.hooks.lineage"

_undo: list[Callable[[], None]] = []
_patched: ModuleType | None = None
_heard: ModuleType | None = None
_waiting: tuple[StatementProcessor, int] | None = None  # for something to observe, in this process


def install() -> None:
    """Wrap the hooks of ``common.sql`` when it is imported, or now if it has been; safe to repeat.

    Hooks of services import no more of it than the lineage, which is listened to by itself.
    """
    with isolated():
        _import_hook.install()
        _lineage_import_hook.install()


def uninstall() -> None:
    """Put everything back as it was."""
    global _heard, _patched
    stop()
    _import_hook.remove()
    _lineage_import_hook.remove()
    while _undo:
        _undo.pop()()
    _heard = _patched = None


def start(processor: StatementProcessor) -> None:
    """Observe this process for a task.

    :param processor: is notified of each statement; whatever it raises, the task does not notice
    """
    global _waiting
    with isolated():
        _waiting = (processor, os.getpid())
        install()
        if _undo:
            _activate()


def stop() -> None:
    """Observe no more.

    A statement that is still running, on a thread that outlives the task, stays without an end.
    """
    global _waiting
    with isolated():
        _waiting = None
        if _undo:
            from airflow_provider_ryft.capture import session
            from airflow_provider_ryft.capture.call_stack import call_stack

            session.deactivate()
            call_stack.clear()


def _activate() -> None:
    """Begin to observe, unless that has begun, or this is a child of the task's process."""
    global _waiting
    from airflow_provider_ryft.capture import session
    from airflow_provider_ryft.capture.call_stack import call_stack

    waiting, _waiting = _waiting, None
    if waiting is not None and waiting[1] == os.getpid():
        session.activate(waiting[0])
        call_stack.clear()  # what another task left behind must not swallow a statement of this one


def _patch(module: ModuleType) -> None:
    global _patched
    from airflow_provider_ryft.instrumentation.hook_classes import patch_hooks
    from airflow_provider_ryft.instrumentation.patches import Patches

    if _patched is not module:
        patches = Patches()
        _undo.append(patches.undo)
        patch_hooks(patches, module.DbApiHook)
        _patched = module
    _activate()


def _listen(module: ModuleType) -> None:
    global _heard
    from airflow_provider_ryft.instrumentation.hook_lineage import listen

    if _heard is not module:
        _undo.append(listen(module))
        _heard = module
    _activate()


_import_hook = PostImportHook(_HOOKS, _patch)
_lineage_import_hook = PostImportHook(_LINEAGE, _listen)
