"""What DAG authors call; what it does to reporting is tested with the policy and with the extractors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_ryft.api import disable_ryft, enable_ryft


def test_importing_it_in_a_dag_file_is_cheap() -> None:
    """Every DAG file that uses it is parsed again and again: no HTTP, no outbox, no pendulum, not even Airflow."""
    code = "import sys, airflow_provider_ryft.api; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"airflow", "requests", "pendulum", "tenacity"} & set(names)
    ours = {name.split(".")[1] for name in names if name.startswith("airflow_provider_ryft.")}
    assert not ours & {"hooks", "ingest", "instrumentation", "outbox", "query_builder", "shipping", "sql"}


def test_a_class_cannot_be_marked() -> None:
    """It would turn off all operators of its kind, in every DAG of the process."""
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    with pytest.raises(TypeError, match="not the class SQLExecuteQueryOperator"):
        disable_ryft(SQLExecuteQueryOperator)
    assert not hasattr(SQLExecuteQueryOperator, "_ryft_reported")


@pytest.mark.parametrize("wrong", [None, "etl", len, object()])
def test_nothing_else_can_be_marked(wrong: Any) -> None:
    """A misplaced call is an error where it is made."""
    with pytest.raises(TypeError, match=r"disable_ryft\(\) takes a DAG, an operator or .* not "):
        disable_ryft(wrong)
    with pytest.raises(TypeError, match="enable_ryft"):
        enable_ryft(wrong)
