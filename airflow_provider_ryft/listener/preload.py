"""Imports what a report is going to need, while the task waits for its engine.

A task's process is new for each task: what is imported in it costs the task as much as the import takes, and requests
alone takes a quarter of a second.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from time import sleep

log = logging.getLogger(__name__)

# A child that is forked in the middle of an import has the locks of the modules that are being imported, and not the
# thread that would release them: its own import of one of these would never end. So a fork waits for the imports,
# which take a fraction of a second, and goes on after this many seconds whatever happens.
_PATIENCE = 5.0

# The thread that starts another one goes on when that one first releases Python's lock, which an import may do only
# after Python's switch interval of 5 ms.
_MOMENT = 0.0002

_wanted: set[str] = set()
_thread: threading.Thread | None = None


def preload(*modules: str, then: Callable[[], object] | None = None) -> None:
    """Import modules on a thread, one after the other; each only once.

    :param modules: their full names
    :param then: called on the thread when they are there; not called if they all were before
    """
    global _thread
    new = [module for module in modules if module not in _wanted]
    if not new:
        return
    _wanted.update(new)
    before = _thread
    _thread = threading.Thread(target=_import, args=(new, then, before), name="ryft-preload", daemon=True)
    try:
        _thread.start()
    except (RuntimeError, MemoryError) as error:  # a limit of threads: the modules are imported where they are needed
        _thread = before
        log.debug("Nothing is imported on a thread: %s", type(error).__name__)


def _import(modules: Iterable[str], then: Callable[[], object] | None, before: threading.Thread | None) -> None:
    sleep(_MOMENT)
    if before is not None:
        before.join()
    for module in modules:
        try:
            import_module(module)
        except Exception as error:  # where it is needed, that says what is wrong
            log.debug("%s cannot be imported: %s", module, type(error).__name__)
    try:
        if then is not None:
            then()
    except Exception as error:  # as above
        log.debug("What follows the imports failed: %s", type(error).__name__)


def wait_for_imports() -> None:
    """Wait until what was asked for so far is done, or for some seconds at the most."""
    thread = _thread
    if thread is not None and thread is not threading.current_thread():
        with suppress(RuntimeError):  # it is just about to start, which is no reason to wait
            thread.join(_PATIENCE)


os.register_at_fork(before=wait_for_imports)
