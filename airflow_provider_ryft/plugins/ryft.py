"""The plugin that Airflow loads: wiring only. When reporting is disabled, it has no listener at all."""

from __future__ import annotations

import logging
from typing import Any

from airflow.configuration import conf

from airflow_provider_ryft.compat import AirflowPlugin

log = logging.getLogger(__name__)


def _listeners() -> list[Any]:
    """Return the listener, unless ``[ryft] disabled`` is set.

    Airflow refuses some DAGs (``end_from_trigger``) as soon as any listener is registered.
    """
    if _is_disabled():
        return []
    from airflow_provider_ryft.listener.task_listener import TaskListener

    return [TaskListener()]


def _is_disabled() -> bool:
    try:
        return bool(conf.getboolean("ryft", "disabled", fallback=False))
    except Exception:
        log.warning("Option disabled of section [ryft] must be true or false; it is taken as true, to be safe.")
        return True


class RyftPlugin(AirflowPlugin):
    """Reports the SQL of tasks to Ryft."""

    name = "ryft"
    listeners = _listeners()  # as in AirflowPlugin
