"""Tasks whose process gets a signal: before, in and after a statement, and while its report is posted and sealed."""

from __future__ import annotations

import os
import signal
import threading
from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.postgres.hooks.postgres import PostgresHook

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}


def send(number: int) -> None:
    """Send this process a signal."""
    os.kill(os.getpid(), number)


def send_soon(number: int) -> None:
    """Send this process a signal in a second, whatever it does then."""
    timer = threading.Timer(1.0, send, [number])
    timer.daemon = True
    timer.start()


def send_at_rename(number: int) -> None:
    """Send this process a signal where it renames its next file."""
    rename = os.rename

    def dying(*arguments: Any, **options: Any) -> None:
        os.rename = rename
        send(number)
        rename(*arguments, **options)

    os.rename = dying  # type: ignore[assignment]


@dag(schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False)
def dying() -> None:
    """A task for each signal and each moment."""
    for name, number in SIGNALS.items():

        @task(task_id=f"{name}_before")
        def before(number: int = number) -> None:
            send(number)
            PostgresHook("pg").run("SELECT 'before'")

        @task(task_id=f"{name}_during")
        def during(number: int = number) -> None:
            PostgresHook("pg").run("SELECT 'during', 'finished'")
            send_soon(number)
            PostgresHook("pg").run("SELECT 'during', 'running', pg_sleep(3)")

        @task(task_id=f"{name}_after")
        def after(number: int = number) -> None:
            PostgresHook("pg").run(["SELECT 'after', 1", "SELECT 'after', 2"])
            send(number)

        @task(task_id=f"{name}_in_post")
        def in_post(number: int = number) -> None:
            PostgresHook("pg").run("SELECT 'in_post'")
            send_soon(number)

        @task(task_id=f"{name}_at_rename")
        def at_rename(number: int = number) -> None:
            PostgresHook("pg").run("SELECT 'at_rename'")
            send_at_rename(number)

        before(), during(), after(), in_post(), at_rename()

    @task
    def afterwards() -> None:
        PostgresHook("pg").run("SELECT 'afterwards'")

    afterwards()


dying()
