"""Tasks of an Airflow in which a function of the provider fails; the environment says which, and how."""

from __future__ import annotations

import importlib
import os
import time
from datetime import datetime, timezone
from functools import reduce
from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.sqlite.hooks.sqlite import SqliteHook


class OwnFault(BaseException):
    """Nothing that catches ``Exception`` catches this."""


def fail(*_arguments: Any, **_options: Any) -> None:
    """Fail as the environment says."""
    if os.environ["SABOTAGE_BY"] == "hang":
        time.sleep(3600)
    raise OwnFault


def sabotage() -> None:
    """Replace the function, if there is one to replace."""
    module, _, path = os.environ.get("SABOTAGE", "").partition(":")
    if module:
        *parents, name = path.split(".")
        setattr(reduce(getattr, parents, importlib.import_module(module)), name, fail)


sabotage()
# On Airflow 2.11 this file is read by the supervisor, and not again by the processes that it forks for tasks.
os.register_at_fork(after_in_child=sabotage)


@dag(schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False)
def sabotaged() -> None:
    """One task that succeeds, one that fails, one that returns what it read."""
    SQLExecuteQueryOperator(task_id="succeeds", conn_id="lite", sql=["SELECT 1", "SELECT 2"])
    SQLExecuteQueryOperator(task_id="fails", conn_id="lite", sql="SELECT nothing")

    @task
    def reads() -> None:
        assert SqliteHook("lite").get_first("SELECT 42") == (42,)

    reads()


sabotaged()
