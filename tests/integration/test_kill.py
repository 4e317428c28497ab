"""Task processes that are killed under a real supervisor: the next task reports what they ran, and invents nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import airflow
import pytest

from airflow_provider_ryft.sandbox.faults import Fault
from support import services

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox
    from support.airflow_home import AirflowHome

pytestmark = [pytest.mark.integration, pytest.mark.services]

DAG = Path(__file__).parent / "dags" / "dying.py"

# What PostgreSQL was asked by each task until its end, and how that is reported. Told to end (SIGTERM), Airflow 3 lets
# a task go on, and 2.11 raises an exception in it as soon as Python has its turn: the statement itself goes on to its
# end, but not for the task.
SURVIVES_TERM = not airflow.__version__.startswith("2.")
RAN = {
    "kill_before": [],
    "kill_during": [
        ("SELECT 'during', 'finished'", "FINISHED"),
        ("SELECT 'during', 'running', pg_sleep(3)", "FAILED"),
    ],
    "kill_after": [("SELECT 'after', 1", "FINISHED"), ("SELECT 'after', 2", "FINISHED")],
    "kill_in_post": [("SELECT 'in_post'", "FINISHED")],
    "kill_at_rename": [("SELECT 'at_rename'", "FINISHED")],
    "term_before": [("SELECT 'before'", "FINISHED")] if SURVIVES_TERM else [],
    "term_during": [
        ("SELECT 'during', 'finished'", "FINISHED"),
        ("SELECT 'during', 'running', pg_sleep(3)", "FINISHED" if SURVIVES_TERM else "FAILED"),
    ],
    "term_after": [("SELECT 'after', 1", "FINISHED"), ("SELECT 'after', 2", "FINISHED")],
    "term_in_post": [("SELECT 'in_post'", "FINISHED")],
    "term_at_rename": [("SELECT 'at_rename'", "FINISHED")],
}


@pytest.fixture
def home(airflow_home: AirflowHome) -> Iterator[AirflowHome]:
    shutil.copy(DAG, airflow_home.dags)
    with services.postgres() as connection:
        airflow_home.connect("pg", **connection)
        yield airflow_home


@pytest.mark.parametrize("task_id", RAN)
def test_the_next_task_reports_what_this_one_ran(home: AirflowHome, sandbox: Sandbox, task_id: str) -> None:
    if task_id.endswith("in_post"):
        sandbox.faults.set(Fault(hang=True, times=1))
    if task_id.endswith("at_rename"):
        sandbox.faults.set(Fault(status=503))
    home.supervise({"dag_id": "dying", "task_id": task_id})
    if task_id.startswith("kill"):
        assert sandbox.records() == []
    sandbox.faults.set()
    # What is known of the server is forgotten, so that the next task need not wait before it asks again.
    (home.path / "ryft-outbox" / "state.json").unlink(missing_ok=True)
    home.supervise({"dag_id": "dying", "task_id": "afterwards"})
    found = sorted((record["query"], record["queryState"]) for record in sandbox.records())
    assert found == sorted([*RAN[task_id], ("SELECT 'afterwards'", "FINISHED")])
    assert len({record["queryId"] for record in sandbox.records()}) == len(found)
    assert not list((home.path / "ryft-outbox" / "open").iterdir())
    assert not list((home.path / "ryft-outbox" / "ready").iterdir())


def test_an_interrupted_statement_says_what_happened(home: AirflowHome, sandbox: Sandbox) -> None:
    home.supervise({"dag_id": "dying", "task_id": "kill_during"})
    home.supervise({"dag_id": "dying", "task_id": "afterwards"})
    (failed,) = [record for record in sandbox.records() if record["queryState"] == "FAILED"]
    assert failed["failureInfo"]["errorCode"]["type"] == "EXTERNAL"
    assert "process ended while" in failed["failureInfo"]["failureMessage"]
    assert "task_id:kill_during" in failed["tags"]
