"""The plugin that Airflow loads: wiring only. When reporting is disabled, it has no listener at all."""

from __future__ import annotations

from typing import Any

from airflow.configuration import conf
from airflow.providers.common.compat.sdk import AirflowPlugin


def _listeners() -> list[Any]:
    """Return the listener, unless ``[ryft] disabled`` is set.

    Airflow refuses some DAGs (``end_from_trigger``) as soon as any listener is registered, so none is for nothing.
    """
    if conf.getboolean("ryft", "disabled", fallback=False):
        return []
    from airflow_provider_ryft.listener.task_listener import TaskListener

    return [TaskListener()]


class RyftPlugin(AirflowPlugin):
    """Reports the SQL of tasks to Ryft."""

    name = "ryft"
    listeners = _listeners()  # as in AirflowPlugin
