"""Where Airflow 2.11 and 3.x differ; each difference with its reason, and when it can go.

Names that only moved come from ``airflow.providers.common.compat.sdk``, except those that the plugin is made of: it is
loaded by every process of Airflow, and that module alone brings five more with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow import __version__ as airflow_version

__all__ = ["FAILS_EARLY", "IS_AIRFLOW_3", "AirflowPlugin", "hookimpl", "runs_here"]

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

# Airflow 2.11 tells of a failure before the task's callbacks run and before its state is saved, and in test runs tells
# of nothing after that. Can go with it.
FAILS_EARLY = not IS_AIRFLOW_3


def runs_here(task_instance: Any) -> bool:
    """Tell whether a task instance is one that this process runs.

    Airflow 3 runs a task with an instance of its SDK; the rows of its database are for the scheduler and the API
    server. Airflow 2.11 has the one kind only, and tells of a start in the task's process only.
    """
    return not IS_AIRFLOW_3 or type(task_instance).__module__.startswith("airflow.sdk.")
