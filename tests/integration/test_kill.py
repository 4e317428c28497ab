"""Task processes that are killed under a real supervisor: the next task reports what they ran, and invents nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import services

from airflow_provider_ryft.sandbox.faults import Fault

if TYPE_CHECKING:
    from airflow_home import AirflowHome

    from airflow_provider_ryft.sandbox.server import Sandbox

pytestmark = [pytest.mark.integration, pytest.mark.services]

DAG = Path(__file__).parent / "dags" / "dying.py"

# What each task had run when its process was killed: text and state.
RAN = {
    "kill_before": [("SELECT 'kill_before', 1", "FINISHED"), ("SELECT 'kill_before', 2", "FINISHED")],
    "kill_during": [
        ("SELECT 'kill_during', 'finished'", "FINISHED"),
        ("SELECT 'kill_during', 'running', pg_sleep(4)", "FAILED"),
    ],
    "kill_in_post": [("SELECT 'kill_in_post'", "FINISHED")],
    "kill_at_rename": [("SELECT 'kill_at_rename'", "FINISHED")],
    "term_before": [("SELECT 'term_before'", "FINISHED")],
}


@pytest.fixture
def home(airflow_home: AirflowHome) -> Iterator[AirflowHome]:
    shutil.copy(DAG, airflow_home.dags)
    with services.postgres() as connection:
        airflow_home.connect("pg", **connection)
        yield airflow_home


def run(home: AirflowHome, task_id: str) -> dict[str, Any]:
    (outcome,) = home.supervise({"dag_id": "dying", "task_id": task_id})
    return outcome


def reported(sandbox: Sandbox) -> list[tuple[str, str]]:
    return sorted((record["query"], record["queryState"]) for record in sandbox.records())


@pytest.mark.parametrize("task_id", RAN)
def test_the_next_task_reports_what_a_killed_one_ran(home: AirflowHome, sandbox: Sandbox, task_id: str) -> None:
    if task_id == "kill_in_post":
        sandbox.faults.set(Fault(hang=True, times=1))
    if task_id == "kill_at_rename":
        sandbox.faults.set(Fault(status=503, times=100))
    run(home, task_id)
    if not task_id.startswith("term"):
        assert sandbox.records() == []
    sandbox.faults.set()
    # What is known of the server is forgotten, so that the next task need not wait before it asks again.
    (home.path / "ryft-outbox" / "state.json").unlink(missing_ok=True)
    run(home, "afterwards")
    assert reported(sandbox) == sorted([*RAN[task_id], ("SELECT 'afterwards'", "FINISHED")])
    assert len({record["queryId"] for record in sandbox.records()}) == len(sandbox.records())
    assert not list((home.path / "ryft-outbox" / "open").iterdir())


def test_an_interrupted_statement_says_what_happened(home: AirflowHome, sandbox: Sandbox) -> None:
    run(home, "kill_during")
    run(home, "afterwards")
    (failed,) = [record for record in sandbox.records() if record["queryState"] == "FAILED"]
    assert failed["failureInfo"]["errorCode"]["type"] in ("EXTERNAL", "INSUFFICIENT_RESOURCES")
    assert "process ended while" in failed["failureInfo"]["failureMessage"]
    assert "task_id:kill_during" in failed["tags"]


def test_a_task_that_is_told_to_end_reports_its_statement_once(home: AirflowHome, sandbox: Sandbox) -> None:
    """Airflow 3 lets it end by itself, 2.11 interrupts it."""
    run(home, "term_during")
    run(home, "afterwards")
    texts = [record["query"] for record in sandbox.records()]
    assert texts.count("SELECT 'term_during', pg_sleep(2)") == 1
    assert len(texts) == 2
