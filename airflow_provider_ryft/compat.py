"""Where Airflow 2.11 and 3.x differ; each difference with its reason, and when it can go.

Names that only moved come from ``airflow.providers.common.compat.sdk`` instead.
"""

from __future__ import annotations

from typing import Any

from airflow import __version__ as airflow_version

# Can go with Airflow 2.11, whose support ends when that of Airflow 2 does.
IS_AIRFLOW_3 = not airflow_version.startswith("2.")


def runs_here(task_instance: Any) -> bool:
    """Tell whether a task instance is one that this process runs.

    Airflow 3 runs a task with an instance of its SDK; the rows of its database are for the scheduler and the API
    server. Airflow 2.11 has the one kind only, and tells of a start in the task's process only.
    """
    return not IS_AIRFLOW_3 or type(task_instance).__module__.startswith("airflow.sdk.")
