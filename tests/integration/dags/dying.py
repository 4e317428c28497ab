"""Tasks whose process is killed: before, in and after a statement, and while its report is delivered."""

from __future__ import annotations

import os
import signal
import threading
from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.postgres.hooks.postgres import PostgresHook

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def die(number: int) -> None:
    """Send this process a signal."""
    os.kill(os.getpid(), number)


def die_soon(number: int) -> None:
    """Send this process a signal in a second, whatever it does then."""
    timer = threading.Timer(1.0, die, [number])
    timer.daemon = True
    timer.start()


def die_at_rename() -> None:
    """Be killed where the next file is renamed."""
    os.rename = os.replace = lambda *_args, **_kwargs: die(signal.SIGKILL)  # type: ignore[assignment]


@dag(schedule=None, start_date=START, catchup=False)
def dying() -> None:
    """Tasks that are killed."""

    @task
    def kill_before() -> None:
        PostgresHook("pg").run(["SELECT 'kill_before', 1", "SELECT 'kill_before', 2"])
        die(signal.SIGKILL)

    @task
    def kill_during() -> None:
        PostgresHook("pg").run("SELECT 'kill_during', 'finished'")
        die_soon(signal.SIGKILL)
        PostgresHook("pg").run("SELECT 'kill_during', 'running', pg_sleep(4)")

    @task
    def kill_in_post() -> None:
        PostgresHook("pg").run("SELECT 'kill_in_post'")
        die_soon(signal.SIGKILL)

    @task
    def kill_at_rename() -> None:
        PostgresHook("pg").run("SELECT 'kill_at_rename'")
        die_at_rename()

    @task
    def term_before() -> None:
        PostgresHook("pg").run("SELECT 'term_before'")
        die(signal.SIGTERM)

    @task
    def term_during() -> None:
        die_soon(signal.SIGTERM)
        PostgresHook("pg").run("SELECT 'term_during', pg_sleep(2)")

    @task
    def afterwards() -> None:
        PostgresHook("pg").run("SELECT 'afterwards'")

    kill_before(), kill_during(), kill_in_post(), kill_at_rename(), term_before(), term_during(), afterwards()


dying()
