"""Runs tasks as a worker does: a real supervisor, and a task process that it forks. A script for an Airflow home.

Each line of the standard input is a JSON list of tasks such as ``[{"dag_id": "d", "task_id": "t"}]``, which is answered
with a line that begins with ``OUTCOME``: a JSON list of the tasks' exit codes and states. Each task may also have a
``run_id``, ``try_number``, ``map_index``, ``max_tries``, ``should_retry``, ``next_method``, and an ``environment`` of
its own. On Airflow 3 the API server is a stub, and there is no database; on 2.11 the database is a real one.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

OUTCOME = "OUTCOME "
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
DEFAULTS = {
    "run_id": "r1",
    "try_number": 1,
    "map_index": -1,
    "max_tries": 0,
    "should_retry": False,
    "next_method": None,
}


def supervisor_3() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that runs a task under Airflow 3's supervisor."""
    # Each task would import these: for Airflow, and for the plugins of other providers.
    import aiohttp  # noqa: F401
    import airflow.dag_processing.dagbag  # noqa: F401
    import httpx
    import requests  # noqa: F401
    from airflow.executors import workloads
    from airflow.executors.workloads import BundleInfo
    from airflow.sdk.api.client import Client
    from airflow.sdk.execution_time import supervisor

    # The option takes whole seconds, and after most ends of a task the supervisor waits for as long.
    supervisor.MIN_HEARTBEAT_INTERVAL = 0.1  # type: ignore[assignment]

    def run(wanted: dict[str, Any]) -> dict[str, Any]:
        states: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.path
            if path.endswith("/run"):
                return httpx.Response(200, json=run_context(wanted))
            if path.endswith("/state"):
                states.append(json.loads(request.content)["state"])
            if request.method == "GET" and ("/connections/" in path or "/variables/" in path):
                return httpx.Response(404, json={"detail": {"reason": "not_found", "message": "there is none"}})
            if request.method == "GET" and path.endswith("/task-reschedules/" + path.rpartition("/")[2]):
                return httpx.Response(200, json=NOW.isoformat())
            return (
                httpx.Response(204) if request.method in ("PATCH", "PUT") else httpx.Response(200, json={"text": "ok"})
            )

        instance = workloads.TaskInstance(
            id=uuid.uuid4(),
            dag_version_id=uuid.uuid4(),
            task_id=wanted["task_id"],
            dag_id=wanted["dag_id"],
            run_id=wanted["run_id"],
            try_number=wanted["try_number"],
            map_index=wanted["map_index"],
            pool_slots=1,
            queue="default",
            priority_weight=1,
        )
        client = Client(base_url="http://execution-api.invalid", token="", transport=httpx.MockTransport(answer))
        code = supervisor.supervise_task(
            ti=instance,
            bundle_info=BundleInfo(name="dags-folder"),
            dag_rel_path=f"{wanted['dag_id']}.py",
            token="",
            client=client,
        )
        return {"code": code, "state": states[-1] if states else None}

    return run


def run_context(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what the API server says when a task starts."""
    now = NOW.isoformat()
    dates = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
    run = {
        **dict.fromkeys(dates, now),
        "dag_id": wanted["dag_id"],
        "run_id": wanted["run_id"],
        "end_date": None,
        "run_type": "manual",
        "state": "running",
        "consumed_asset_events": [],
        "partition_key": None,
        "conf": {},
    }
    return {"dag_run": run, **{name: wanted[name] for name in ("max_tries", "should_retry", "next_method")}}


def supervisor_2() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that runs a task under Airflow 2.11's LocalTaskJobRunner."""
    from airflow.jobs.job import Job
    from airflow.jobs.local_task_job_runner import LocalTaskJobRunner
    from airflow.models import DagBag, DagRun
    from airflow.utils.state import State
    from airflow.utils.types import DagRunType

    bag = DagBag(include_examples=False)
    assert not bag.import_errors, bag.import_errors
    runs: dict[tuple[str, str], Any] = {}

    def run(wanted: dict[str, Any]) -> dict[str, Any]:
        dag = bag.dags[wanted["dag_id"]]
        key = wanted["dag_id"], wanted["run_id"]
        if key not in runs and (found := DagRun.find(dag_id=key[0], run_id=key[1])):
            runs[key] = found[0]
        if key not in runs:
            dag.sync_to_db()
            when = NOW + timedelta(hours=len(DagRun.find(dag_id=key[0])))
            runs[key] = dag.create_dagrun(
                run_id=wanted["run_id"],
                run_type=DagRunType.MANUAL,
                state=State.RUNNING,
                execution_date=when,
                start_date=when,
                data_interval=(when, when),
            )
        instance = runs[key].get_task_instance(wanted["task_id"], map_index=wanted["map_index"])
        instance.task = dag.get_task(wanted["task_id"])
        job = Job(dag_id=instance.dag_id)
        runner = LocalTaskJobRunner(job=job, task_instance=instance, ignore_ti_state=True)
        runner._execute()
        instance.refresh_from_db()
        return {"code": runner.task_runner.return_code(timeout=60), "state": instance.state}

    return run


def main() -> None:
    """Run the tasks that the standard input names, until it ends."""
    os.environ.setdefault("AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC", "1")
    import airflow

    run = supervisor_2() if airflow.__version__.startswith("2.") else supervisor_3()
    environment = dict(os.environ)
    for line in sys.stdin:
        outcome = []
        for task in json.loads(line):
            os.environ.update(task.pop("environment", {}))
            outcome.append(run({**DEFAULTS, **task}))
            os.environ.clear()
            os.environ.update(environment)
        sys.stdout.flush()
        print(f"\n{OUTCOME}{json.dumps(outcome)}", flush=True)


if __name__ == "__main__":
    main()
