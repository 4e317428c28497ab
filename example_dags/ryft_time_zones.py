"""Loads the world's time zones into SQLite, asks a few questions of them, and pushes every statement to Ryft.

The data is IANA's time zone database, which comes with the ``tzdata`` package that Airflow itself depends on. It needs
the connections ``time_zones`` (type ``sqlite``, host = path of a file) and ``ryft_default``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.resources import files
from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_ryft.operators.ryft import RyftPushQueriesOperator

# Kind of statement, and statement; the one about population fails, for the data knows nothing of people.
TABLES = [
    ("DATA_DEFINITION", "DROP TABLE IF EXISTS country"),
    ("DATA_DEFINITION", "DROP TABLE IF EXISTS zone"),
    ("DATA_DEFINITION", "DROP TABLE IF EXISTS hemisphere"),
    ("DATA_DEFINITION", "CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT)"),
    ("DATA_DEFINITION", "CREATE TABLE zone (country TEXT, latitude REAL, longitude REAL, name TEXT PRIMARY KEY)"),
]
QUESTIONS = [
    ("SELECT", "SELECT name, latitude FROM zone ORDER BY latitude DESC LIMIT 5"),
    (
        "SELECT",
        """SELECT country.name, count(*) AS zones
  FROM zone JOIN country ON country.code = zone.country
 GROUP BY country.name
 ORDER BY zones DESC
 LIMIT 10""",
    ),
    ("SELECT", "SELECT name, population FROM zone ORDER BY population DESC"),
    (
        "INSERT",
        """CREATE TABLE hemisphere AS
SELECT iif(latitude < 0, 'south', 'north') AS hemisphere, count(*) AS zones FROM zone GROUP BY 1""",
    ),
    ("UPDATE", "UPDATE hemisphere SET hemisphere = upper(hemisphere)"),
]


def table(name: str) -> list[list[str]]:
    """Read one of the tables of the time zone database."""
    text = files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def degrees(position: str) -> list[float]:
    """Read a place as ISO 6709 writes it: ``+4230+00131`` is 42.5 degrees north and about 1.5 east."""
    found = re.findall(r"([+-])(\d{2,3})(\d\d)(\d\d)?(?![0-9])", position)
    return [float(sign + "1") * (int(d) + int(m) / 60 + int(s or 0) / 3600) for sign, d, m, s in found]


def observed(query_type: str, statement: str, run: Callable[[], Any]) -> dict[str, Any]:
    """Run a statement and describe the run as Ryft's Ingest API wants it."""
    query: dict[str, Any] = {
        "query": statement,
        "context": {"queryType": query_type},
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "queryState": "FINISHED",
    }
    start = time.perf_counter()
    try:
        run()
    except Exception as error:
        failure = {
            "errorCode": {"type": "USER_ERROR"},
            "failureType": type(error).__name__,
            "failureMessage": str(error),
        }
        query |= {"queryState": "FAILED", "failureInfo": failure}
    return {**query, "duration_ms": round((time.perf_counter() - start) * 1000, 3)}


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, tags=["example"])
def ryft_time_zones() -> None:
    """Run real SQL, some of which fails on purpose, and push it."""

    @task
    def run_statements() -> list[dict[str, Any]]:
        hook = SqliteHook("time_zones")
        countries = table("iso3166.tab")
        zones = [[codes[:2], *degrees(position), name] for codes, position, name, *_ in table("zone1970.tab")]
        return [
            *(observed(kind, text, lambda text=text: hook.run(text)) for kind, text in TABLES),
            observed("INSERT", "INSERT INTO country VALUES (?, ?)", lambda: hook.insert_rows("country", countries)),
            observed("INSERT", "INSERT INTO zone VALUES (?, ?, ?, ?)", lambda: hook.insert_rows("zone", zones)),
            *(observed(kind, text, lambda text=text: hook.run(text)) for kind, text in QUESTIONS),
        ]

    # [START howto_operator_ryft_push_queries]
    RyftPushQueriesOperator(
        task_id="push_to_ryft",
        queries=run_statements(),
        context={"catalog": "sqlite", "schema": "main", "user": "airflow"},
        tags=["source:airflow", "dag:{{ dag.dag_id }}", "run:{{ run_id }}"],
    )
    # [END howto_operator_ryft_push_queries]


ryft_time_zones()
