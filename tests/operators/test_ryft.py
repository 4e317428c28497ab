"""The operator: from what a DAG has at hand to queries that were delivered."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_ryft.exceptions import (
    ConfigurationError,
    InvalidQueryError,
    MisconfiguredError,
    RefusedQueriesError,
)
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query, QueryContext, QueryState
from airflow_provider_ryft.operators.ryft import RyftPushQueriesOperator
from airflow_provider_ryft.sandbox.faults import Fault

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox

NOON = "2026-03-10T12:00:00.000Z"


def payload(**fields: Any) -> dict[str, Any]:
    return {"query": "SELECT 1", "queryState": "FINISHED", "timestamp": NOON, "duration_ms": 1, **fields}


def several(count: int) -> list[dict[str, Any]]:
    return [payload(queryId=f"q-{number}") for number in range(count)]


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> None:
    given = {"conn_type": "ryft", "host": sandbox.url, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps(given))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch the operator's log, which is structlog's in 3.x and the standard library's in 2.11."""
    monkeypatch.setattr(RyftPushQueriesOperator, "log", logging.getLogger("tests.operator"))
    caplog.set_level(logging.DEBUG)
    return caplog


def push(queries: Any, *, ti: dict[str, Any] | None = None, **options: Any) -> Any:
    """Run the operator as a task does that has rendered its templates."""
    where = {"dag_id": "etl", "run_id": "manual__1", "task_id": "push", "map_index": -1, "try_number": 1, **(ti or {})}
    operator = RyftPushQueriesOperator(task_id="push", queries=queries, **options)
    return operator.execute({"ti": SimpleNamespace(**where)})  # type: ignore[typeddict-item]


def test_queries_from_one_payload(sandbox: Sandbox) -> None:
    assert push(payload(queryId="q-1"))["accepted"] == 1
    assert sandbox.records() == [payload(queryId="q-1", context={})]


def test_queries_from_a_list_of_payloads(sandbox: Sandbox) -> None:
    assert push(several(3))["accepted"] == 3
    assert [record["queryId"] for record in sandbox.records()] == ["q-0", "q-1", "q-2"]


def test_queries_from_json_text_of_one(sandbox: Sandbox) -> None:
    push(json.dumps(payload(queryId="q-1")))
    assert sandbox.records() == [payload(queryId="q-1", context={})]


def test_queries_from_json_text_of_several(sandbox: Sandbox) -> None:
    push(json.dumps(several(2)))
    assert len(sandbox.records()) == 2


def test_queries_from_query_objects(sandbox: Sandbox) -> None:
    query = Query.from_payload(payload(queryId="q-1", context={"user": "ann"}))
    push(query)
    push([query, query])
    assert sandbox.records() == [query.to_payload()] * 3


def test_queries_from_objects_and_payloads_mixed_in_any_iterable(sandbox: Sandbox) -> None:
    """What another task returned may be a lazy sequence."""
    push(value for value in (Query.from_payload(payload(queryId="a", context={})), payload(queryId="b")))
    assert [record["queryId"] for record in sandbox.records()] == ["a", "b"]


def test_no_queries_is_no_request(sandbox: Sandbox) -> None:
    assert push([])["accepted"] == 0
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        (7, "queries: must be a query, a list of queries or JSON text of them, not int"),
        (None, "not NoneType"),
        (b"[]", "not bytes"),
        ("not JSON", "queries: is text, but not JSON"),
        ('"text"', "not str"),
    ],
)
def test_queries_from_something_else(sandbox: Sandbox, queries: Any, expected: str) -> None:
    with pytest.raises(InvalidQueryError, match="queries") as caught:
        push(queries)
    assert expected in str(caught.value)
    assert not sandbox.requests


def test_all_bad_queries_are_listed_by_position_before_the_first_byte(sandbox: Sandbox) -> None:
    queries = [
        payload(queryId="fine"),
        payload(duration_ms=-1),
        payload(queryID="misspelt"),
        "not a mapping",
        payload(context={"queryType": "SELEKT"}),
        payload(context=7),
        payload(tags="one"),
    ]
    with pytest.raises(InvalidQueryError) as caught:
        push(queries)
    first, *lines = str(caught.value).splitlines()
    assert first == "6 of 7 queries are not valid; nothing was sent."
    assert [line.partition(": ")[0] for line in lines] == [
        "queries[1] duration_ms",
        "queries[2] queryID",
        "queries[3] must be a JSON object, not str 'not a mapping'",
        "queries[4] context.queryType",
        "queries[5] context",
        "queries[6] tags",
    ]
    assert "did you mean queryId?" in lines[1]
    assert not sandbox.requests


def test_a_missing_id_is_the_same_in_each_try(sandbox: Sandbox) -> None:
    push([payload(), payload()], ti={"try_number": 1})
    push([payload(), payload()], ti={"try_number": 2})
    ids = [record["queryId"] for record in sandbox.records()]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2
    assert all(uuid.UUID(text).version == 5 for text in ids)


@pytest.mark.parametrize("other", [{"dag_id": "b"}, {"run_id": "b"}, {"task_id": "b"}, {"map_index": 3}])
def test_a_missing_id_differs_by_dag_run_task_and_map_index(sandbox: Sandbox, other: dict[str, Any]) -> None:
    push(payload())
    push(payload(), ti=other)
    first, second = sandbox.records()
    assert first["queryId"] != second["queryId"]


def test_a_missing_id_belongs_to_the_position(sandbox: Sandbox) -> None:
    """A query that has its own id does not shift those of the others."""
    push([payload(), payload()])
    push([payload(queryId="own"), payload()])
    ids = [record["queryId"] for record in sandbox.records()]
    assert ids[3] == ids[1]
    assert ids[2] == "own"


def test_the_ids_of_this_version_are_those_of_every_version(sandbox: Sandbox) -> None:
    """A task that is retried after an upgrade must not report its queries under new ids."""
    push(payload())
    assert sandbox.records()[0]["queryId"] == "5f0e247d-22c1-5f06-a317-4fddf42f69e1"


def test_tags_come_before_a_query_s_own_and_none_twice(sandbox: Sandbox) -> None:
    query = Query.from_payload(payload(queryId="b", context={}, tags=["b", "y"]))
    push([payload(queryId="a", tags=["b", "x"]), query], tags=["a", "b"])
    assert [record["tags"] for record in sandbox.records()] == [["a", "b", "x"], ["a", "b", "y"]]


def test_context_fills_only_what_a_query_does_not_say(sandbox: Sandbox) -> None:
    query = Query.from_payload(payload(queryId="b", context={"user": "ann"}))
    push([payload(queryId="a", context={"catalog": "own"}), query], context={"catalog": "c", "user": "etl"})
    assert [record["context"] for record in sandbox.records()] == [
        {"catalog": "own", "user": "etl"},
        {"catalog": "c", "user": "ann"},
    ]


def test_the_given_payloads_are_not_changed() -> None:
    given = payload(context={"user": "ann"}, tags=["x"])
    before = json.loads(json.dumps(given))
    push(given, tags=["a"], context={"catalog": "c"})
    assert given == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tags": "one"}, "tags: must be a list of texts, not 'one'"),
        ({"tags": [1]}, "tags: must be a list of texts, not [1]"),
        ({"context": {"catalogue": "x"}}, "context.catalogue: unknown field; did you mean catalog?"),
        ({"context": "iceberg"}, "context: must be a JSON object, not str 'iceberg'"),
    ],
)
def test_a_bad_default_is_named(sandbox: Sandbox, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        push(payload(), **options)
    assert str(caught.value) == expected
    assert not sandbox.requests


def test_the_summary_is_small_and_fit_for_xcom(sandbox: Sandbox) -> None:
    summary = push(several(1200))
    assert summary == json.loads(json.dumps(summary))
    seconds = summary.pop("seconds")
    assert seconds >= 0
    assert summary == {
        "accepted": 1200,
        "refused": 0,
        "refused_ids": [],
        "requests": 3,
        "retries": 0,
        "bytes": sum(request.length for request in sandbox.requests),
    }


def test_one_line_is_logged(log: pytest.LogCaptureFixture, token: str) -> None:
    push(several(3))
    lines = [record.getMessage() for record in log.records if record.getMessage().startswith("Ryft ")]
    assert len(lines) == 1
    assert lines[0].startswith("Ryft accepted 3 queries and refused 0, in 1 requests (0 of them retries, ")
    assert token not in log.text


def test_refused_queries_fail_the_task_when_everything_else_was_delivered(sandbox: Sandbox) -> None:
    sandbox.faults.set(Fault(refuse="^q-(3|40)$"))
    with pytest.raises(RefusedQueriesError) as caught:
        push(several(100))
    assert len(sandbox.records()) == 98
    assert str(caught.value).startswith("Ryft accepted 98 queries and refused 2; the first of these:\n  q-")
    assert {refused.query_id for refused in caught.value.result.refused} == {"q-3", "q-40"}


def test_refused_queries_can_be_skipped(sandbox: Sandbox, log: pytest.LogCaptureFixture) -> None:
    """What is dropped is reported: by id in the log, by number and id in the XCom."""
    sandbox.faults.set(Fault(refuse="^q-(3|40)$"))
    summary = push(several(100), on_refused="skip")
    assert summary["accepted"] == 98
    assert summary["refused"] == 2
    assert sorted(summary["refused_ids"]) == ["q-3", "q-40"]
    warned = [record.getMessage() for record in log.records if "refused query" in record.getMessage()]
    assert len(warned) == 2
    assert any("q-3 (400): " in line for line in warned)


def test_many_refused_queries_make_neither_a_huge_xcom_nor_a_huge_log(
    sandbox: Sandbox, log: pytest.LogCaptureFixture
) -> None:
    push(payload(queryId="first"))
    log.clear()
    sandbox.faults.set(Fault(refuse="^q-"))
    summary = push([payload(queryId="fine"), *several(50)], on_refused="skip")
    assert summary["refused"] == 50
    assert len(summary["refused_ids"]) == 20
    assert sum("refused query" in record.getMessage() for record in log.records) == 20


def test_a_wrong_choice_is_an_error_when_the_dag_is_read() -> None:
    with pytest.raises(ConfigurationError, match="on_refused must be one of fail, skip, not 'ignore'"):
        RyftPushQueriesOperator(task_id="push", queries=[], on_refused="ignore")


def test_an_undeliverable_batch_fails_the_task(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    given = {"conn_type": "ryft", "host": sandbox.url, "password": "another-t0ken"}
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps(given))
    with pytest.raises(MisconfiguredError, match="refused the ingest token") as caught:
        push(several(3))
    assert "another-t0ken" not in str(caught.value)


def test_the_connection_is_closed_also_when_the_task_fails(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    closed: list[IngestClient] = []
    monkeypatch.setattr(IngestClient, "close", lambda client: closed.append(client))
    sandbox.faults.set(Fault(status=401))
    with pytest.raises(MisconfiguredError):
        push(several(3))
    assert len(closed) == 1


def test_what_is_templated() -> None:
    """Texts inside payloads, objects left as they are, tags, context and the connection's id."""
    kept = Query(
        query_id="{{ ds }}",
        query="SELECT '{{ not ours to render }}'",
        query_state=QueryState.FINISHED,
        timestamp=datetime(2026, 3, 10, tzinfo=timezone.utc),
        duration_ms=1,
        context=QueryContext(),
    )
    operator = RyftPushQueriesOperator(
        task_id="push",
        queries=[payload(query="SELECT '{{ ds }}'", queryId="{{ ds }}"), kept],
        tags=["day:{{ ds }}"],
        context={"schema": "s_{{ ds_nodash }}"},
        ryft_conn_id="ryft_{{ ds_nodash }}",
    )
    operator.render_template_fields({"ds": "2026-03-10", "ds_nodash": "20260310"})  # type: ignore[typeddict-item]
    assert operator.queries == [payload(query="SELECT '2026-03-10'", queryId="2026-03-10"), kept]
    assert operator.tags == ["day:2026-03-10"]
    assert operator.context == {"schema": "s_20260310"}
    assert operator.ryft_conn_id == "ryft_20260310"


def test_a_query_s_text_that_ends_like_a_file_name_is_text() -> None:
    """No template extension is claimed: a statement may end with .sql, and is no file."""
    assert tuple(RyftPushQueriesOperator.template_ext) == ()


def test_every_template_field_is_an_attribute_and_an_argument() -> None:
    operator = RyftPushQueriesOperator(task_id="push", queries=[])
    assert all(hasattr(operator, name) for name in operator.template_fields)
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)
