"""Where Airflow 2.11 and 3.x differ; each difference with its reason, and when it can go.

Names that only moved come from ``airflow.providers.common.compat.sdk``, except those that the plugin needs: every
process of Airflow loads it, and that module imports five more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow import __version__ as airflow_version

__all__ = ["FAILS_EARLY", "IS_AIRFLOW_3", "AirflowPlugin", "hookimpl", "resumed_with", "runs_here"]

if TYPE_CHECKING:
    from airflow.plugins_manager import AirflowPlugin as AirflowPlugin
    from pluggy import HookimplMarker

    hookimpl: HookimplMarker
else:
    # Can go with Airflow 2.11; the path of the second name is that of 3.2 and later.
    try:
        from airflow.sdk.plugins_manager import AirflowPlugin
    except ImportError:
        from airflow.plugins_manager import AirflowPlugin
    try:
        from airflow.sdk._shared.listeners import hookimpl
    except ImportError:
        from airflow.listeners import hookimpl

# Can go with Airflow 2.11.
IS_AIRFLOW_3 = not airflow_version.startswith("2.")

# Airflow 2.11 calls listeners for a failure before the task's callbacks run and before its state is saved, and in test
# runs calls none after that. Can go with it.
FAILS_EARLY = not IS_AIRFLOW_3


def runs_here(task_instance: Any) -> bool:
    """Return whether a task instance is one that this process runs.

    Airflow 3 runs a task with an instance of its SDK; the rows of its database are for the scheduler and the API
    server. Airflow 2.11 has one kind only, and calls its listeners for a start in the task's process only.
    """
    return not IS_AIRFLOW_3 or type(task_instance).__module__.startswith("airflow.sdk.")


def resumed_with(task_instance: Any) -> Mapping[str, Any] | None:
    """Return the event with which a deferred task is resumed, empty if there is none; ``None`` if it was not deferred.

    Airflow 2.11 keeps it at the task instance, until the task has ended. Airflow 3 keeps what its server said, encoded
    in one of two ways, of which plain values, lists and mappings of them can be read as they are: to decode the rest
    would make the user's objects a second time.

    :param task_instance: Airflow's, at the start of the task
    """
    holder = getattr(task_instance, "_ti_context_from_server", None) or task_instance
    if not getattr(holder, "next_method", None):
        return None
    given = _plain(getattr(holder, "next_kwargs", None))
    event = _plain(given.get("event")) if isinstance(given, Mapping) else None
    return {name: _plain(value) for name, value in event.items()} if isinstance(event, Mapping) else {}


def _plain(value: Any) -> Any:
    """Return a value without the wrappings in which Airflow serializes some."""
    for wrapped in ("__var", "__data__"):
        if isinstance(value, Mapping) and wrapped in value:
            return _plain(value[wrapped])
    return value
