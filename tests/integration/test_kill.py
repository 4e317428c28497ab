"""Task processes that are killed under a real supervisor: the next task reports what they ran, and invents nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import airflow
import pytest

from airflow_provider_ryft.sandbox.faults import Fault
from support import services
from support.airflow_home import connection_variable

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox
    from support.airflow_home import AirflowHome

pytestmark = [pytest.mark.integration, pytest.mark.services]

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
def supervise(
    shared_home: AirflowHome, own_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[str], None]]:
    """Return a function that runs a task, with PostgreSQL."""
    with services.postgres() as connection:
        environment = {**own_environment, **connection_variable("pg", **connection)}

        def run(task_id: str) -> None:
            task = {"dag_id": "dying", "task_id": task_id, "run_id": tmp_path.name}
            shared_home.supervise(task, **environment)

        yield run


@pytest.mark.parametrize("task_id", RAN)
def test_the_next_task_reports_what_this_one_ran(
    supervise: Callable[[str], None], tmp_path: Path, sandbox: Sandbox, task_id: str
) -> None:
    if task_id.endswith("in_post"):
        sandbox.faults.set(Fault(hang=True, times=1))
    if task_id.endswith("at_rename"):
        sandbox.faults.set(Fault(status=503))
    supervise(task_id)
    if task_id.startswith("kill"):
        assert sandbox.records() == []
    sandbox.faults.set()
    # What is known of the server is forgotten, so that the next task need not wait before it asks again.
    outbox = tmp_path / "ryft-outbox"
    (outbox / "state.json").unlink(missing_ok=True)
    supervise("afterwards")
    found = sorted((record["query"], record["queryState"]) for record in sandbox.records())
    assert found == sorted([*RAN[task_id], ("SELECT 'afterwards'", "FINISHED")])
    assert len({record["queryId"] for record in sandbox.records()}) == len(found)
    assert not list((outbox / "open").iterdir())
    assert not list((outbox / "ready").iterdir())


def test_an_interrupted_statement_says_what_happened(supervise: Callable[[str], None], sandbox: Sandbox) -> None:
    supervise("kill_during")
    supervise("afterwards")
    (failed,) = [record for record in sandbox.records() if record["queryState"] == "FAILED"]
    assert failed["failureInfo"]["errorCode"]["type"] == "EXTERNAL"
    assert "process ended while" in failed["failureInfo"]["failureMessage"]
    assert "task_id:kill_during" in failed["tags"]
