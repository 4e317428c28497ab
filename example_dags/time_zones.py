"""Loads the world's time zones into SQLite and queries them.

The data is IANA's time zone database, which comes with the ``tzdata`` package that Airflow itself depends on. It needs
the connection ``time_zones`` (type ``sqlite``, host = path of a file).
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from importlib.resources import files

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.common.sql.operators.sql import SQLCheckOperator, SQLExecuteQueryOperator
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

TABLES = [
    "DROP TABLE IF EXISTS country",
    "DROP TABLE IF EXISTS zone",
    "DROP TABLE IF EXISTS hemisphere",
    "CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT)",
    "CREATE TABLE zone (country TEXT, latitude REAL, longitude REAL, name TEXT PRIMARY KEY)",
]

MOST_ZONES = """
SELECT country.name, count(*) AS zones
  FROM zone JOIN country ON country.code = zone.country
 GROUP BY country.name
 ORDER BY zones DESC
 LIMIT 10
"""

HEMISPHERES = """
CREATE TABLE hemisphere AS
SELECT iif(latitude < 0, 'south', 'north') AS hemisphere, count(*) AS zones FROM zone GROUP BY 1;
UPDATE hemisphere SET hemisphere = upper(hemisphere);
DELETE FROM hemisphere WHERE zones = 0
"""


def table(name: str) -> list[list[str]]:
    """Read one of the tables of the time zone database."""
    text = files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def degrees(position: str) -> list[float]:
    """Read a place as ISO 6709 writes it: ``+4230+00131`` is 42.5 degrees north and about 1.5 east."""
    found = re.findall(r"([+-])(\d{2,3})(\d\d)(\d\d)?(?![0-9])", position)
    return [float(sign + "1") * (int(d) + int(m) / 60 + int(s or 0) / 3600) for sign, d, m, s in found]


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, tags=["example"])
def time_zones() -> None:
    """Run SQL as DAGs do: with a hook, with operators, well and badly."""

    @task
    def load() -> None:
        hook = SqliteHook("time_zones")
        hook.run(TABLES)
        hook.insert_rows("country", table("iso3166.tab"))
        hook.insert_rows(
            "zone", [[codes[:2], *degrees(position), name] for codes, position, name, *_ in table("zone1970.tab")]
        )

    @task
    def northernmost() -> str:
        rows = SqliteHook("time_zones").get_records("SELECT name FROM zone ORDER BY latitude DESC LIMIT 5")
        return ", ".join(name for (name,) in rows)

    most_zones = SQLExecuteQueryOperator(task_id="most_zones", conn_id="time_zones", sql=MOST_ZONES)
    hemispheres = SQLExecuteQueryOperator(
        task_id="hemispheres", conn_id="time_zones", sql=HEMISPHERES, split_statements=True
    )
    # Fails on purpose: the table has no such column.
    most_people = SQLExecuteQueryOperator(
        task_id="most_people", conn_id="time_zones", sql="SELECT name, population FROM zone ORDER BY population DESC"
    )
    is_complete = SQLCheckOperator(
        task_id="is_complete",
        conn_id="time_zones",
        sql="SELECT count(*) > 200 FROM country",
        trigger_rule="all_done",
    )
    load() >> [northernmost(), most_zones, hemispheres, most_people] >> is_complete


time_zones()
