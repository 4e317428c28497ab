"""Airflow's events of a task. What handles them is imported when a task starts, not when the plugin loads.

All of it happens in the task's own process: the API server (a state that is set by hand) and the scheduler (a task that
was lost) call the same hooks, for tasks whose start was not observed there.
"""

from __future__ import annotations

import sys
from typing import Any

from airflow_provider_ryft.compat import hookimpl
from airflow_provider_ryft.guard import guarded

_REPORT = "airflow_provider_ryft.listener.task_report"


class TaskListener:
    """Reports the SQL of a task from its start to its end."""

    @hookimpl
    @guarded
    def on_task_instance_running(self, task_instance: Any) -> None:
        """Start a report."""
        from airflow_provider_ryft.listener import task_report

        task_report.start_report(task_instance)

    @hookimpl
    @guarded
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Deliver the report of a task that succeeded."""
        _finish(task_instance, None)

    @hookimpl
    @guarded
    def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
        """Deliver the report of a try that failed, whether or not there will be another."""
        _finish(task_instance, error if error is not None else "the task failed")

    @hookimpl
    @guarded
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """Deliver the report of a task that skipped itself; Airflow 3.2 and later report it."""
        _finish(task_instance, None, skipped=True)

    @hookimpl
    @guarded
    def before_stopping(self) -> None:
        """Deliver what no other event did: of a task that is deferred, rescheduled, skipped or killed."""
        report = sys.modules.get(_REPORT)
        if report is not None:
            report.flush_report()


def _finish(task_instance: Any, error: Any, *, skipped: bool = False) -> None:
    report = sys.modules.get(_REPORT)
    if report is not None:  # else no task has started in this process
        report.finish_report(task_instance, error, skipped=skipped)
