"""Whole queries: what they hold of task, connection and outcome, and what never leaves."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from airflow_provider_ryft import __version__
from airflow_provider_ryft.ingest.query import ErrorType, QueryState, QueryType
from airflow_provider_ryft.query_builder.statement_text import WITHHELD
from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from airflow_provider_ryft.query_builder.templates import SOURCE
from support.built_queries import NOON, Refused, connection, encoded, make_statement, query_builder
from support.masker import SECRET

pytestmark = pytest.mark.usefixtures("mask_secret")


@pytest.fixture
def broken_masker(replace_maskers: Callable[..., None]) -> None:
    """Break Airflow's masker."""

    def fail(_text: str) -> str:
        raise RuntimeError("broken")

    replace_maskers(fail)


def test_a_finished_statement() -> None:
    """Every part of the payload is where the API wants it."""
    query = query_builder(tags=("env:prod",)).query(
        make_statement(
            "INSERT INTO t SELECT 1",
            conn_id="lake",
            connection=connection(login="bob", schema="gold", extra='{"catalog": "iceberg"}'),
            engine_id="20260310_1",
            server_version="480",
        )
    )
    airflow_version = sys.modules["airflow"].__version__
    assert query.to_payload() == {
        "context": {
            "catalog": "iceberg",
            "schema": "gold",
            "queryType": "INSERT",
            "serverVersion": "480",
            "user": "bob",
            "userAgent": f"airflow-provider-ryft/{__version__} apache-airflow/{airflow_version}",
        },
        "queryId": "20260310_1",
        "query": "INSERT INTO t SELECT 1",
        "queryState": "FINISHED",
        "timestamp": "2026-03-10T12:00:00.000Z",
        "duration_ms": 12.5,
        "tags": [
            "source:airflow",
            "dag_id:etl",
            "task_id:load",
            "run_id:manual__1",
            "try_number:2",
            "operator:SQLExecuteQueryOperator",
            "owner:data",
            "dag_tag:a",
            "dag_tag:nightly",
            "env:prod",
            "conn_id:lake",
            "conn_type:trino",
        ],
    }


def test_a_failed_statement() -> None:
    """The failure is the statement's, and the engine's id is kept where it has one."""
    query = query_builder().query(make_statement(error=Refused("no such table"), engine_id="01a"))
    assert query.query_state is QueryState.FAILED
    assert query.query_id == "01a"
    failure: Any = query.failure_info
    assert (failure.error_type, failure.failure_message) == (ErrorType.USER_ERROR, "no such table")
    assert failure.failure_type.endswith(".Refused")


def test_a_statement_that_runs_when_its_process_dies() -> None:
    """What is reported then is a failure from outside."""
    query = query_builder().interrupted(make_statement(duration_ms=None))
    assert query.query_state is QueryState.FAILED
    assert query.query_id == "q-1"
    failure: Any = query.failure_info
    assert (failure.error_type, failure.error_name) == (ErrorType.EXTERNAL, "TASK_INTERRUPTED")
    assert "duration:unknown" in query.tags
    assert query.duration_ms > 0  # since noon


def test_a_duration_that_is_not_known_is_estimated() -> None:
    """It is never zero: the time since the statement started, and the query says so."""
    query = query_builder().query(
        make_statement(started_at=datetime.now(timezone.utc) - timedelta(hours=1), duration_ms=None)
    )
    assert query.duration_ms >= 3_600_000
    assert "duration:estimated" in query.tags
    assert "duration:estimated" not in query_builder().query(make_statement()).tags
    ahead = datetime.now(timezone.utc) + timedelta(hours=1)
    assert query_builder().query(make_statement(started_at=ahead, duration_ms=None)).duration_ms == 0


def test_an_end_that_was_not_observed_is_tagged() -> None:
    """The state is a guess then, whichever it is."""
    for error, state in ((None, QueryState.FINISHED), (Refused("no"), QueryState.FAILED)):
        query = query_builder().query(make_statement(error=error, outcome_known=False))
        assert query.query_state is state
        assert "query_state:unknown" in query.tags
    assert "query_state:unknown" not in query_builder().query(make_statement()).tags


def test_no_known_secret_leaves(mask_secret: Callable[[str], None]) -> None:
    """Not in the text, the failure, a tag, or the context; also not one that Airflow learns while the task runs."""
    facts = TaskFacts(dag_id=f"d-{SECRET}", run_id="r-late-secret", owner=SECRET, dag_tags=(SECRET,))
    builder = query_builder(facts, tags=(f"t:{SECRET}",), contexts={"lake": {"catalog": f"c-{SECRET}"}})
    held = connection(login="late-secret", schema=SECRET)
    statement = make_statement(
        f"COPY t '{SECRET}'", conn_id="lake", connection=held, error=Refused(f"near {SECRET} late-secret")
    )
    before = encoded(builder.query(statement))
    assert SECRET not in before
    assert "late-secret" in before
    mask_secret("late-secret")
    for query in (builder.query(statement), builder.interrupted(statement)):
        assert SECRET not in encoded(query)
        assert "late-secret" not in encoded(query)
        assert "dag_id:d-***" in query.tags
        assert query.context.catalog == "c-***"
        assert query.query == "COPY t '***'"


@pytest.mark.usefixtures("broken_masker")
def test_what_cannot_be_checked_is_withheld(caplog: pytest.LogCaptureFixture) -> None:
    """If the masker fails the statement is reported without its words, and that is counted."""
    builder = query_builder()
    with caplog.at_level("DEBUG"):
        query = builder.query(make_statement("SELECT 'private'", conn_id="lake", error=Refused("private")))
    assert query.query == WITHHELD
    assert "private" not in encoded(query) + caplog.text
    assert "lake" not in encoded(query)
    assert query.tags == (SOURCE, "tags:withheld", "query_text:withheld")
    assert query.query_state is QueryState.FAILED
    assert query.context.query_type is QueryType.SELECT
    assert builder.omitted_parts == {"text": 1, "tags and context": 1, "failure message": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"duration_ms": float("nan")},
        {"duration_ms": float("inf")},
        {"duration_ms": -1},
        {"duration_ms": "5"},
        {"started_at": NOON.replace(tzinfo=None)},
        {"engine_id": ""},
        {"engine_id": ["a", "b"]},
        {"server_version": ("15", "0")},
        {"conn_id": "\0"},
        {"connection": object()},
        {"connection": SimpleNamespace(conn_type=["x"], login=object(), schema={}, extra_dejson=None)},
        {"connection": "trino://lake"},
        {"hook": 5},
        {"hook": type("Slotted", (), {"__slots__": ()})()},
        {"text": None},
        {"text": ""},
        {"text": "\ud800 \0 \U0010ffff"},
        {"error": Refused()},
        {"error": Refused(b"bytes")},
        {"error": KeyboardInterrupt()},
    ],
)
@pytest.mark.parametrize("masking", [False, True])
def test_an_odd_part_does_not_keep_a_statement_from_being_reported(fields: dict[str, Any], masking: bool) -> None:
    """Whatever is odd is left out; the rest is a query that the API takes."""
    fields.setdefault("text", "SELECT 1")
    for query in (
        query_builder(mask_literals=masking).query(make_statement(**fields)),
        query_builder(mask_literals=masking).interrupted(make_statement(**fields)),
    ):
        assert query.encode()
        assert query.query_id == "q-1"
        assert "dag_id:etl" in query.tags


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), message=st.text(), tag=st.text(), masking=st.booleans(), length=st.integers(256, 400))
def test_any_text_can_be_reported(text: str, message: str, tag: str, masking: bool, length: int) -> None:
    """No text, message or tag breaks a description, and around a secret none lets it pass."""
    builder = query_builder(
        TaskFacts(owner=f"{tag}{SECRET}{tag}"), mask_literals=masking, max_query_length=length, tags=(f"{tag}{SECRET}",)
    )
    statement = make_statement(f"{text}{SECRET}{text}", error=Refused(f"{message}{SECRET}{message}"))
    assert SECRET not in encoded(builder.query(statement))


def test_threads_share_a_builder() -> None:
    """Statements may end in many threads at once."""
    builder = query_builder()
    users: list[str] = []

    def build(number: int) -> None:
        held = connection(login=f"user-{number}")
        for _ in range(200):
            query = builder.query(make_statement(conn_id=f"c{number % 2}", connection=held))
            users.append(f"{query.context.user} user-{number}")

    threads = [threading.Thread(target=build, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(users) == 1_600
    assert all(len(set(pair.split())) == 1 for pair in users)
