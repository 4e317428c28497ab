"""Tasks that go on in another process: their first one must not live on for the sake of a server."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_ryft.sandbox.faults import Fault
from support import services

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox
    from support.airflow_home import AirflowHome

pytestmark = [pytest.mark.integration, pytest.mark.services]

DAG = Path(__file__).parent / "dags" / "every_way.py"


@pytest.mark.parametrize("task_id", ["deferred", "reschedule"])
def test_a_task_that_goes_on_asks_no_server_and_the_next_one_reports_what_it_ran(
    airflow_home: AirflowHome, sandbox: Sandbox, task_id: str
) -> None:
    """While its process lives, Airflow may start the task again, and take the end of the one for that of the other."""
    shutil.copy(DAG, airflow_home.dags)
    with services.postgres() as connection:
        airflow_home.connect("pg", **connection)
        airflow_home.connect("lite", conn_type="sqlite", host=str(airflow_home.path / "lite.db"))
        sandbox.faults.set(Fault(hang=True))
        (outcome,) = airflow_home.supervise({"dag_id": "every_way", "task_id": task_id})
        assert outcome["state"] == {"deferred": "deferred", "reschedule": "up_for_reschedule"}[task_id]
        assert not sandbox.statuses()
        sandbox.faults.set()
        airflow_home.supervise({"dag_id": "every_way", "task_id": "sqlite"})
    texts = [record["query"] for record in sandbox.records()]
    assert len(texts) == 4
    assert sum(task_id in text for text in texts) == 1
