"""Each example DAG, run as ``airflow dags test`` runs it, against the sandbox."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox
    from support.airflow_home import AirflowHome

EXAMPLES = Path(__file__).resolve().parent.parent / "example_dags"

# How many queries each example reports, and how many of them failed.
REPORTED = {"ryft_maintenance": (0, 0), "ryft_push_queries": (6, 1), "time_zones": (14, 1)}


def test_each_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == REPORTED.keys()


def test_the_dag_of_the_demonstration_knows_nothing_of_ryft() -> None:
    """Installing the package and adding a connection is all that it takes."""
    assert "ryft" not in (EXAMPLES / "time_zones.py").read_text().lower()


@pytest.mark.integration
@pytest.mark.parametrize("dag_id", sorted(REPORTED))
def test_an_example_reports_its_queries(airflow_home: AirflowHome, sandbox: Sandbox, token: str, dag_id: str) -> None:
    airflow_home.environment["AIRFLOW__CORE__DAGS_FOLDER"] = os.fspath(EXAMPLES)
    airflow_home.connect("time_zones", conn_type="sqlite", host=os.fspath(airflow_home.path / "time_zones.db"))
    done = airflow_home.airflow("dags", "test", dag_id)
    records = sandbox.records()
    assert (len(records), sum(record["queryState"] == "FAILED" for record in records)) == REPORTED[dag_id]
    assert len({record["queryId"] for record in records}) == len(records)
    assert token not in done.stdout
