"""Which tasks and statements are reported."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.api import disable_ryft, enable_ryft
from airflow_provider_ryft.capture.statement import Statement
from airflow_provider_ryft.listener.policy import ReportingPolicy
from airflow_provider_ryft.settings import Settings

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


def statement(conn_id: str | None = "pg", connection: Any = None, hook: Any = None) -> Statement:
    return Statement(text="select", query_id="1", started_at=NOON, conn_id=conn_id, connection=connection, hook=hook)


def typed(conn_type: str | None) -> Any:
    return SimpleNamespace(conn_type=conn_type)


@pytest.fixture
def dag() -> Any:
    """Return a real DAG with a plain task, a decorated one and a mapped one."""
    try:
        from airflow.sdk import DAG, task
    except ImportError:
        from airflow import DAG
        from airflow.decorators import task
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    with DAG("etl_daily", schedule=None, start_date=NOON) as made:
        SQLExecuteQueryOperator(task_id="plain", sql="select", conn_id="pg")
        task(task_id="decorated")(lambda: None)()
        SQLExecuteQueryOperator.partial(task_id="mapped", conn_id="pg").expand(sql=["a", "b"])
    return made


@pytest.mark.parametrize(
    ("excluded", "wanted"),
    [
        ({}, True),
        ({"exclude_dags": ("etl_daily",)}, False),
        ({"exclude_dags": ("x", "etl_*")}, False),
        ({"exclude_dags": ("daily", "ETL_*", "etl_dail?y")}, True),
        ({"exclude_dags": ("etl_dail?",)}, False),
        ({"exclude_operators": ("SQLExecuteQueryOperator",)}, False),
        ({"exclude_operators": ("airflow.providers.common.sql.*",)}, False),
        ({"exclude_operators": ("@task", "SQL")}, True),
        ({"exclude_connections": ("*",), "exclude_connection_types": ("*",)}, True),
    ],
)
def test_excluded_tasks(dag: Any, excluded: dict[str, tuple[str, ...]], wanted: bool) -> None:
    """A task is excluded by its DAG's id or its operator's name, in full or by a pattern."""
    assert ReportingPolicy(Settings(**excluded)).includes_task(dag.get_task("plain")) is wanted  # type: ignore[arg-type]


def test_a_decorated_task_is_excluded_by_its_decorator(dag: Any) -> None:
    """``@task`` is what an author calls the operator."""
    policy = ReportingPolicy(Settings(exclude_operators=("@task",)))
    assert not policy.includes_task(dag.get_task("decorated"))
    assert policy.includes_task(dag.get_task("plain"))


@pytest.mark.parametrize(
    ("excluded", "conn_id", "connection", "hook", "wanted"),
    [
        ({}, "hr_prod", typed("postgres"), None, True),
        ({"exclude_connections": ("hr_*",)}, "hr_prod", typed("postgres"), None, False),
        ({"exclude_connections": ("hr_*",)}, "sales", typed("postgres"), None, True),
        ({"exclude_connections": ("*",)}, None, None, None, False),
        ({"exclude_connections": ("?*",)}, None, None, None, True),
        ({"exclude_connection_types": ("post*",)}, "x", typed("postgres"), None, False),
        ({"exclude_connection_types": ("sqlite",)}, "x", typed("postgres"), None, True),
        ({"exclude_connection_types": ("postgres",)}, "x", None, typed("postgres"), False),
        ({"exclude_connection_types": ("postgres",)}, "x", typed("generic"), typed("postgres"), False),
        ({"exclude_connection_types": ("generic",)}, "x", typed("generic"), typed("postgres"), False),
        ({"exclude_connection_types": ("*",)}, "x", typed(None), None, False),
        ({"exclude_connection_types": ("?*",)}, "x", typed(None), None, True),
    ],
)
def test_excluded_statements(
    excluded: dict[str, tuple[str, ...]], conn_id: str | None, connection: Any, hook: Any, wanted: bool
) -> None:
    """A statement is excluded by its connection's id, or by the type of its connection or hook; ``*`` excludes all."""
    policy = ReportingPolicy(Settings(**excluded))  # type: ignore[arg-type]
    assert policy.includes_statement(statement(conn_id, connection, hook)) is wanted


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("of_dag", [None, False, True])
@pytest.mark.parametrize("of_task", [None, False, True])
@pytest.mark.parametrize("task_id", ["plain", "mapped"])
def test_marks(dag: Any, selective: bool, of_dag: bool | None, of_task: bool | None, task_id: str) -> None:
    """A task's own mark goes before its DAG's, and that before ``selective_enable``."""
    task = dag.get_task(task_id)
    for obj, mark in ((dag, of_dag), (task, of_task)):
        if mark is not None:
            assert (enable_ryft if mark else disable_ryft)(obj) is obj
    expected = next((mark for mark in (of_task, of_dag) if mark is not None), not selective)
    policy = ReportingPolicy(Settings(selective_enable=selective))
    assert policy.includes_task(task) is expected


@pytest.mark.parametrize("of_task", [False, True])
def test_the_mark_of_a_mapped_task_holds_for_its_instances(dag: Any, of_task: bool) -> None:
    """Airflow makes a new operator for each instance of a mapped task, without what was set at the mapped one."""
    mapped = dag.get_task("mapped")
    (enable_ryft if of_task else disable_ryft)(mapped)
    instance = mapped.unmap({"sql": "a", "task_id": "mapped"})
    instance.dag = dag
    assert not hasattr(instance, "_ryft_reported")
    assert ReportingPolicy(Settings(selective_enable=of_task)).includes_task(instance) is of_task


def test_what_a_task_function_returns_can_be_marked(dag: Any) -> None:
    """Calling a ``@task`` function gives an XComArg, which stands for its operator."""
    task = dag.get_task("decorated")
    result = task.output
    assert disable_ryft(result) is result
    assert not ReportingPolicy(Settings()).includes_task(task)


def test_an_excluded_task_cannot_be_enabled(dag: Any) -> None:
    """What an administrator excludes, an author does not turn on."""
    enable_ryft(dag)
    enable_ryft(dag.get_task("plain"))
    assert not ReportingPolicy(Settings(exclude_dags=("etl_*",))).includes_task(dag.get_task("plain"))


def test_a_task_without_a_dag_is_reported() -> None:
    """An object that lacks what policies look at is no reason to fail."""
    assert ReportingPolicy(Settings(exclude_dags=("?*",), exclude_operators=("x",))).includes_task(object())
    assert not ReportingPolicy(Settings(exclude_dags=("*",))).includes_task(object())
    assert not ReportingPolicy(Settings(selective_enable=True)).includes_task(object())
