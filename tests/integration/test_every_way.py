"""Each way to run SQL and each way to end, in task processes under a real supervisor, against real databases."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow
import pytest

from airflow_provider_ryft.sandbox.server import Sandbox
from support import services
from support.airflow_home import connection_variable

if TYPE_CHECKING:
    from support.airflow_home import AirflowHome
    from support.services import Logged

pytestmark = [pytest.mark.integration, pytest.mark.services]

IS_2 = airflow.__version__.startswith("2.")

# What becomes of each task: the state that its process reports. Mapped tasks and retries are below.
OUTCOMES = {
    "operator": "success",
    "operator_list": "success",
    "operator_fails": "failed",
    "operator_retries": "up_for_retry",
    "check": "success",
    "value_check": "failed",
    "column_check": "success",
    "poke": "success",
    "reschedule": "up_for_reschedule",
    "deferred": "deferred",
    "hook_methods": "success",
    "insert_rows": "success",
    "skips": "skipped",
    "catches": "success",
    "threads": "success",
    "engine": "success",
    "times_out": "failed",
    "maria": "failed",
    "sqlite": "success",
    "duckdb": "success",
    "no_sql": "success",
    "takes_long": "success",
}


@dataclass
class Run:
    """What a run of all tasks left behind."""

    states: dict[str, str | None]
    records: dict[str, list[dict[str, Any]]]
    logged: list[Logged]
    output: str
    outbox: Path


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    with services.postgres() as connection:
        yield connection


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, shared_home: AirflowHome, token: str, postgres: dict[str, Any]
) -> Run:
    """Run all tasks once."""
    path = tmp_path_factory.mktemp("every-way")
    log = services.PostgresLog(postgres["login"])
    with Sandbox(token=token) as sandbox:
        environment = {
            "AIRFLOW__RYFT__OUTBOX_PATH": str(path / "ryft-outbox"),
            "AIRFLOW__RYFT__TAGS": "team:data",
            **connection_variable("ryft_default", conn_type="ryft", host=sandbox.url, password=token),
            **connection_variable("pg", **postgres),
            **connection_variable("maria", **services.mariadb()),
            **connection_variable("lite", conn_type="sqlite", host=str(path / "lite.db")),
            **connection_variable("duck", conn_type="duckdb", host=str(path / "duck.db")),
        }
        tasks = [{"task_id": name, "should_retry": name == "operator_retries"} for name in OUTCOMES]
        tasks += [{"task_id": "mapped", "map_index": index} for index in range(3)]
        tasks += [{"task_id": "deferred", "next_method": "resume"}]
        outcomes = shared_home.supervise(*({"dag_id": "every_way", **task} for task in tasks), **environment)
        records = sandbox.records()
    states = {name: outcome["state"] for name, outcome in zip(OUTCOMES, outcomes, strict=False)}
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_task[_tag(record, "task_id")].append(record)
    output = shared_home.output + "".join(file.read_text(errors="replace") for file in shared_home.path.rglob("*.log"))
    return Run(states, by_task, log.statements(), output, path / "ryft-outbox")


def _tag(record: dict[str, Any], name: str) -> str:
    return next((tag.partition(":")[2] for tag in record["tags"] if tag.startswith(f"{name}:")), "")


def _texts(run: Run, task_id: str) -> list[str]:
    return [record["query"] for record in run.records[task_id]]


def _states(run: Run, task_id: str) -> list[str]:
    return [record["queryState"] for record in run.records[task_id]]


@pytest.mark.parametrize("task_id", OUTCOMES)
def test_a_task_ends_as_it_would_without_us(run: Run, task_id: str) -> None:
    assert run.states[task_id] == OUTCOMES[task_id]


@pytest.mark.parametrize(
    ("task_id", "texts"),
    [
        ("operator", ["SELECT 'operator' AS one;", "SELECT 'operator' AS two"]),
        ("operator_list", ["SELECT 'operator_list', 1", "SELECT 'operator_list', 2"]),
        ("operator_fails", ["SELECT nothing AS operator_fails"]),
        ("operator_retries", ["SELECT 1 / 0 AS operator_retries"]),
        ("check", ["SELECT 'check', 1"]),
        ("value_check", ["SELECT 'value_check'"]),
        ("poke", ["SELECT 1 AS poke"]),
        ("reschedule", ["SELECT 0 AS reschedule"]),
        ("deferred", ["SELECT 'deferred' AS before", "SELECT 'deferred' AS after"]),
        ("mapped", ["SELECT 'mapped', 0", "SELECT 'mapped', 1", "SELECT 'mapped', 2"]),
        (
            "hook_methods",
            [
                "CREATE TEMP TABLE IF NOT EXISTS hook_methods (a int); SELECT 'hook_methods', 'run'",
                "SELECT 'hook_methods', 'get_records', %s",
                "SELECT 'hook_methods', 'get_first'",
                *["SELECT 'hook_methods', 'same'"] * 5,
            ],
        ),
        ("skips", ["SELECT 'skips'"]),
        ("catches", ["SELECT * FROM catches_no_such_table", "SELECT 'catches'"]),
        ("engine", ["SELECT 'engine'"]),
        ("times_out", ["SELECT 'times_out', SLEEP(60)"]),
        ("maria", ["SELECT 'maria', 1", "SELECT maria FROM no_such_table"]),
        ("sqlite", ["CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2)", "SELECT count(*) AS sqlite FROM t"]),
        ("duckdb", ["SELECT 42 AS duckdb"]),
        ("no_sql", []),
        ("takes_long", ["SELECT 'takes_long', pg_sleep(0.5)"]),
    ],
)
def test_each_statement_is_reported_once_as_it_was_executed(run: Run, task_id: str, texts: list[str]) -> None:
    assert _texts(run, task_id) == texts


def test_statements_of_threads_are_all_reported(run: Run) -> None:
    assert sorted(_texts(run, "threads")) == sorted(f"SELECT 'threads', {number}" for number in range(40))


def test_many_rows_are_one_record_without_their_values(run: Run) -> None:
    _, insert = _texts(run, "insert_rows")
    assert insert.startswith("INSERT INTO insert_rows")
    assert "row-value" not in json.dumps(run.records["insert_rows"])


def test_bound_parameters_are_not_reported(run: Run) -> None:
    assert "a-bound-parameter" not in json.dumps(run.records["hook_methods"])


@pytest.mark.parametrize(
    ("task_id", "states"),
    [
        ("operator", ["FINISHED", "FINISHED"]),
        ("operator_fails", ["FAILED"]),
        ("operator_retries", ["FAILED"]),
        ("value_check", ["FINISHED"]),
        ("skips", ["FINISHED"]),
        ("catches", ["FAILED", "FINISHED"]),
        ("times_out", ["FAILED"]),
        ("maria", ["FINISHED", "FAILED"]),
    ],
)
def test_a_statement_s_state_is_its_own_and_not_its_task_s(run: Run, task_id: str, states: list[str]) -> None:
    assert _states(run, task_id) == states


@pytest.mark.parametrize(
    ("task_id", "kind", "name"),
    [
        ("operator_fails", "USER_ERROR", "UNDEFINED_COLUMN"),
        ("operator_retries", "USER_ERROR", "DIVISION_BY_ZERO"),
        ("catches", "USER_ERROR", "UNDEFINED_TABLE"),
        ("maria", "USER_ERROR", "1146"),
        ("times_out", "INSUFFICIENT_RESOURCES", None),
    ],
)
def test_a_failure_says_what_it_was(run: Run, task_id: str, kind: str, name: str | None) -> None:
    failure = next(record["failureInfo"] for record in run.records[task_id] if record["queryState"] == "FAILED")
    assert failure["errorCode"]["type"] == kind
    assert failure["failureMessage"]
    if name is not None:
        assert name in json.dumps(failure["errorCode"])


def test_tags_say_where_a_statement_comes_from(run: Run) -> None:
    assert {*run.records["mapped"][2]["tags"]} >= {
        "source:airflow",
        "dag_id:every_way",
        "task_id:mapped",
        "run_id:r1",
        "map_index:2",
        "conn_id:pg",
        "conn_type:postgres",
        "operator:SQLExecuteQueryOperator",
        "owner:ann",
        "dag_tag:matrix",
        "team:data",
    }
    assert not any(tag.startswith("map_index:") for tag in run.records["operator"][0]["tags"])


def test_the_context_is_that_of_the_connection(run: Run, postgres: dict[str, Any]) -> None:
    context = run.records["operator"][0]["context"]
    assert context["user"] == postgres["login"]
    assert context["catalog"] == "test"
    assert context["queryType"] == "SELECT"
    assert context["serverVersion"].startswith("15")
    assert airflow.__version__ in context["userAgent"]


def test_the_server_s_own_log_has_the_same_statements(run: Run) -> None:
    """What PostgreSQL was asked, without internal queries of drivers and hooks, is what was reported."""
    reported = [
        record["query"]
        for records in run.records.values()
        for record in records
        if "conn_type:postgres" in record["tags"] and "insert_rows" not in record["query"]
    ]
    asked = [one.text for one in run.logged if "insert_rows" not in one.text and not _is_internal(one.text)]
    assert sorted(_plain(text) for text in reported) == sorted(_plain(text) for text in asked)


# Internal queries of psycopg and SQLAlchemy: transactions, savepoints, and questions about the server and its types.
_INTERNAL = re.compile(
    r"BEGIN|COMMIT|ROLLBACK|(SAVEPOINT|RELEASE) \"_pg3|select (pg_catalog|current_)|show "
    r"|SELECT (t.oid, typarray|typname AS)"
)


def _is_internal(text: str) -> bool:
    return _INTERNAL.match(" ".join(text.split())) is not None


def _plain(text: str) -> str:
    """Return a text without differences of white space, and of how a driver sends parameters."""
    text = text.replace("%s", "$1").replace("'a-bound-parameter'", "$1")
    return " ".join(text.rstrip("; \n").split())


def test_start_and_duration_agree_with_the_server_s_log(run: Run) -> None:
    """As closely as a noisy machine allows: the hook sees a little more than the server."""
    (record,) = run.records["takes_long"]
    (logged,) = [one for one in run.logged if "takes_long" in one.text]
    assert logged.duration_ms is not None
    assert logged.duration_ms >= 500
    assert logged.duration_ms <= record["duration_ms"] < logged.duration_ms + 5_000
    started_at = datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00"))
    assert started_at <= logged.started_at + timedelta(milliseconds=2)
    assert logged.started_at - started_at < timedelta(seconds=5)


def test_each_record_has_an_id_of_its_own(run: Run) -> None:
    ids = [record["queryId"] for records in run.records.values() for record in records]
    assert len(set(ids)) == len(ids)


def test_no_secret_leaves_or_is_logged(run: Run, token: str) -> None:
    everything = json.dumps(run.records) + run.output
    assert "SELECT 'takes_long'" in everything
    assert services.POSTGRES_PASSWORD not in everything
    assert token not in everything


def test_nothing_is_left_in_the_outbox(run: Run) -> None:
    folders = [run.outbox / name for name in ("open", "ready", "claimed", "dead")]
    assert [list(folder.iterdir()) for folder in folders] == [[], [], [], []]
