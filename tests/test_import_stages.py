"""What each stage of a task's process imports of this package.

Every process of Airflow loads the plugin, and each task has a process of its own, so that imports are the main cost of
a task that runs no SQL. What a stage does not need must not be imported there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PACKAGE = "airflow_provider_ryft."

# What is new in each stage, at the most: modules, and packages of which any module may be.
STAGES = {
    "plugin load": ["plugins.ryft", "compat", "listener.task_listener", "guard"],
    "start of a task": [
        "listener.task_report",
        "listener.policy",
        "listener.preload",
        "settings",
        "instrumentation.instrumentor",
        "instrumentation.post_import_hook",
    ],
    "common.sql is imported": [
        "instrumentation.hook_classes",
        "instrumentation.hook_lineage",
        "instrumentation.method_kinds",
        "instrumentation.patches",
        "instrumentation.sql_arguments",
        "instrumentation.wrappers",
        "capture.call_stack",
        "capture.correlation",
        "capture.dbapi",
        "capture.hook_call",
        "capture.method_kind",
        "capture.session",
        "capture.statement",
    ],
    "first hook and statement": [
        "listener.statement_writer",
        "capture.declared_connection",
        "instrumentation.iterators",
        "configured_outbox",
        "query_builder",
        "redaction",
        "outbox",
        "sql.first_word",
        "sql.query_type",
        "ingest.fields",
        "ingest.query_template",
        "exceptions",
        "results",
    ],
    "a statement fails": ["capture.error_origin", "query_builder", "failures", "redaction", "ingest.query"],
    "end of the task": [
        "listener.delivery",
        "listener.metrics",
        "shipping",
        "hooks.ryft",
        "outbox",
        "ingest",
        "exceptions",
        "results",
    ],
}

# What each stage is for, so that it does import it.
NEEDED = {
    "plugin load": "listener.task_listener",
    "start of a task": "listener.task_report",
    "common.sql is imported": "instrumentation.wrappers",
    "first hook and statement": "query_builder.builder",
    "a statement fails": "failures.classify",
    "end of the task": "shipping.shipper",
}

PROCESS = """
import json, sys, threading
from importlib.metadata import entry_points
from types import SimpleNamespace
import airflow.plugins_manager
from airflow.providers.common.compat.sdk import DAG, BaseOperator

seen = set(sys.modules)

def stage(name):
    for thread in threading.enumerate():
        if thread.name == "ryft-preload":
            thread.join(60)
    print("STAGE", json.dumps([name, sorted(set(sys.modules) - seen)]))
    seen.update(sys.modules)

(entry,) = [entry for entry in entry_points(group="airflow.plugins") if entry.name == "ryft"]
(listener,) = entry.load().listeners
stage("plugin load")

def start_task():
    facts = {"dag_id": "d", "task_id": "t", "run_id": "r", "try_number": 1, "map_index": -1}
    instance = SimpleNamespace(**facts, task=BaseOperator(task_id="t", dag=DAG("d", schedule=None)))
    listener.on_task_instance_running(instance)
    return instance

from airflow_provider_ryft.listener import task_report
task_report.runs_here = lambda task_instance: True
task_report._FOR_DELIVERY = ()  # which a thread imports during the first statement
instance = start_task()
stage("start of a task")

listener.on_task_instance_success(instance)
listener.before_stopping()
stage("end of a task without SQL")

instance = start_task()
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
stage("common.sql is imported")

hook = SqliteHook("lite")
hook.run("SELECT 1")
stage("first hook and statement")

try:
    hook.run("SELECT nope")
except Exception as error:
    assert "nope" in str(error), error
stage("a statement fails")

listener.on_task_instance_success(instance)
stage("end of the task")
"""


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Run a task in a process of its own; return the modules of this package that were new in each stage."""
    folder = tmp_path_factory.mktemp("stages")
    given = {"conn_type": "ryft", "host": "http://127.0.0.1:9", "password": "a token that no one has"}
    environment = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__RYFT__OUTBOX_PATH": str(folder / "outbox"),
        "AIRFLOW__RYFT__DELIVERY_TIMEOUT": "1",
        "AIRFLOW_CONN_RYFT_DEFAULT": json.dumps(given),
        "AIRFLOW_CONN_LITE": json.dumps({"conn_type": "sqlite", "host": ":memory:"}),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    stages = [json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("STAGE ")]
    # Airflow itself imports what describes the provider, whenever it looks for providers.
    return {
        stage: {name.removeprefix(PACKAGE) for name in names if name.startswith(PACKAGE)} - {"get_provider_info"}
        for stage, names in stages
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_what_it_needs_and_nothing_else(stage: str, new: dict[str, set[str]]) -> None:
    def is_allowed(module: str) -> bool:
        return any(f"{module}.".startswith(f"{name}.") or name.startswith(f"{module}.") for name in STAGES[stage])

    assert [module for module in sorted(new[stage]) if not is_allowed(module)] == []
    assert NEEDED[stage] in new[stage]


def test_the_end_of_a_task_without_sql_imports_nothing(new: dict[str, set[str]]) -> None:
    """Most tasks are plain Python."""
    assert new["end of a task without SQL"] == set()
