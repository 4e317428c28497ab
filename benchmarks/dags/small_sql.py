"""Tasks with one statement and one without; their processes note what listeners take, and what our processor does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from time import perf_counter, sleep, thread_time
from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

try:
    from airflow.sdk.listener import get_listener_manager
except ImportError:
    from airflow.listeners.listener import get_listener_manager


@contextmanager
def noted(phase: str) -> Iterator[None]:
    """Write down the time that something takes by the clock, and that of this thread's own work, in milliseconds.

    :param phase: which part of the task's time it belongs to
    """
    wall, own = perf_counter(), thread_time()
    yield
    spent = {"wall": (perf_counter() - wall) * 1e3, "own": (thread_time() - own) * 1e3}
    if "BENCHMARK" in os.environ:
        with open(os.environ["BENCHMARK"], "a") as file:
            file.write(json.dumps({"process": os.getpid(), "phase": phase, **spent}) + "\n")


calls: list[Any] = []


def before(event: str, *_arguments: Any) -> None:
    """Note that listeners are called."""
    calls.append(noted("start" if event == "on_task_instance_running" else "end"))
    calls[-1].__enter__()


def after(*_arguments: Any) -> None:
    """Note that they have returned."""
    calls.pop().__exit__(None, None, None)


get_listener_manager().pm.add_hookcall_monitoring(before, after)


def watch_the_processor() -> None:
    """Note what is done in the task's thread when a statement begins and when it ends, the first time with imports."""
    report = sys.modules.get("airflow_provider_ryft.listener.task_report")
    for name in ("on_hook_created", "on_start", "on_end") if report else ():
        setattr(report.TaskReport, name, noted("start")(getattr(report.TaskReport, name)))


class FarHook(SqliteHook):
    """Takes as long to connect as to a server that is not on this machine."""

    def get_conn(self) -> Any:
        """Return a connection, after a while."""
        sleep(0.02)
        return super().get_conn()


@dag(schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False)
def small_sql() -> None:
    """Three tasks."""

    @task
    def statement() -> None:
        watch_the_processor()
        SqliteHook("lite").run("SELECT 1")

    @task
    def far() -> None:
        watch_the_processor()
        FarHook("lite").run("SELECT 1")

    @task
    def nothing() -> None:
        pass

    statement()
    far()
    nothing()


small_sql()
