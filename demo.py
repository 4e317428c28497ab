"""Runs an example DAG in real Airflow against the sandbox, and shows what the sandbox received.

Run it with ``make demo``. Everything it writes is in ``.demo`` in this file's directory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from airflow_provider_ryft.sandbox.server import Sandbox

HERE = Path(__file__).resolve().parent
HOME = HERE / ".demo"
DAG_ID = "time_zones"
EXPECTED_QUERIES = 14


def main() -> int:
    """Run the demonstration; return 1 if the queries did not arrive."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    with Sandbox() as sandbox:
        print(f"The sandbox listens at {sandbox.url}. Airflow runs the DAG {DAG_ID}; this takes a minute.", flush=True)
        environment = airflow_environment(sandbox.url)
        for command in (["db", "migrate"], ["dags", "test", DAG_ID]):
            if not airflow(command, environment):
                return 1
        records = sandbox.records()
    show(records)
    failed = sum(record["queryState"] == "FAILED" for record in records)
    print(f"{len(records)} queries arrived, {failed} of them failed (one on purpose).")
    if len(records) != EXPECTED_QUERIES or failed != 1:
        print(f"error: {EXPECTED_QUERIES} queries should have arrived, one of them failed", file=sys.stderr)
        return 1
    return 0


def airflow_environment(ryft: str) -> dict[str, str]:
    """Return the environment of an Airflow that has nothing of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **kept,
        "HOME": str(HOME),
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_TIME_ZONES": json.dumps({"conn_type": "sqlite", "host": str(HOME / "time_zones.db")}),
        "AIRFLOW_CONN_RYFT_DEFAULT": json.dumps({"conn_type": "ryft", "host": ryft, "password": "demo-token"}),
    }


def airflow(command: list[str], environment: dict[str, str]) -> bool:
    """Run an Airflow command; show the end of its log if it fails."""
    log = HOME / f"{command[0]}-{command[1]}.log"
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            cwd=HOME,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        print("\n".join(log.read_text().splitlines()[-40:]), file=sys.stderr)
        print(f"error: airflow {' '.join(command)} failed; its log is {log}", file=sys.stderr)
    return done.returncode == 0


def task_of(record: dict[str, Any]) -> str:
    """Return the id of the task that ran a query, from its tags."""
    return next((tag.partition(":")[2] for tag in record.get("tags", []) if tag.startswith("task_id:")), "")


def show(records: list[dict[str, Any]]) -> None:
    """Print the queries as a table."""
    table = Table("start (UTC)", "task", "ms", "state", "type", "query", title="What the sandbox received")
    for record in records:
        text = " ".join(record["query"].split())
        failure = record.get("failureInfo", {}).get("failureMessage")
        table.add_row(
            record["timestamp"][11:23],
            task_of(record),
            f"{record['duration_ms']:.1f}",
            record["queryState"],
            record["context"].get("queryType", ""),
            f"{text}\n[red]{failure}[/red]" if failure else text,
        )
    Console(width=max(100, shutil.get_terminal_size().columns)).print(table)


if __name__ == "__main__":
    sys.exit(main())
