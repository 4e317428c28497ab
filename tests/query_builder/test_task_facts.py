"""What is read of a task instance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from support.built_queries import FACTS, NOON


def test_facts_of_a_mapped_task() -> None:
    """A mapped task's position is reported; others have none."""
    assert "map_index:0" in TaskFacts(map_index=0).tags()
    assert not any(tag.startswith("map_index") for tag in TaskFacts().tags())


def test_facts_of_a_real_task_instance() -> None:
    """What is read is what a task instance has, in this Airflow."""
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    with DAG("etl", schedule=None, start_date=NOON, tags=["nightly", "a"], default_args={"owner": "data"}) as dag:
        task = SQLExecuteQueryOperator(task_id="load", sql="select", conn_id="lake")
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        instance = RuntimeTaskInstance.model_construct(
            task=task, dag_id="etl", task_id="load", run_id="manual__1", try_number=2, map_index=-1
        )
    except ImportError:
        from airflow.models.taskinstance import TaskInstance

        instance = TaskInstance(task, run_id="manual__1")
        instance.try_number = 2
    assert dag.has_task("load")
    assert TaskFacts.of(instance) == FACTS


@pytest.mark.parametrize("odd", [None, object(), SimpleNamespace(task=None, map_index="x", try_number=True)])
def test_facts_of_anything(odd: Any) -> None:
    """What is not there is left out."""
    assert TaskFacts.of(odd) == TaskFacts()


def test_facts_that_cannot_be_read_are_left_out() -> None:
    """A property that fails takes nothing else with it."""

    class Task:
        task_type = "Mine"
        owner = ("not", "text")
        dag = SimpleNamespace(tags={"b", "a", None, 7})

        @property
        def operator_name(self) -> str:
            raise RuntimeError("no")

    facts = TaskFacts.of(SimpleNamespace(task=Task(), dag_id="etl", try_number=1))
    assert facts == TaskFacts(dag_id="etl", try_number=1, operator="Mine", dag_tags=("7", "a", "b"))
