"""Tasks that go on in another process: their first one must not live on for the sake of a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_ryft.sandbox.faults import Fault
from support import services
from support.airflow_home import connection_variable

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox
    from support.airflow_home import AirflowHome

pytestmark = [pytest.mark.integration, pytest.mark.services]


@pytest.mark.parametrize("task_id", ["deferred", "reschedule"])
def test_a_task_that_goes_on_asks_no_server_and_the_next_one_reports_what_it_ran(
    shared_home: AirflowHome, own_environment: dict[str, str], tmp_path: Path, sandbox: Sandbox, task_id: str
) -> None:
    """While its process lives, Airflow may start the task again, and take the end of the one for that of the other."""
    run = {"dag_id": "every_way", "run_id": tmp_path.name}
    with services.postgres() as connection:
        environment = {**own_environment, **connection_variable("pg", **connection)}
        sandbox.faults.set(Fault(hang=True))
        (outcome,) = shared_home.supervise({**run, "task_id": task_id}, **environment)
        assert outcome["state"] == {"deferred": "deferred", "reschedule": "up_for_reschedule"}[task_id]
        assert not sandbox.statuses()
        sandbox.faults.set()
        shared_home.supervise({**run, "task_id": "sqlite"}, **environment)
    texts = [record["query"] for record in sandbox.records()]
    assert len(texts) == 4
    assert sum(task_id in text for text in texts) == 1
