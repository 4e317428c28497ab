"""A template writes what a query writes."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_ryft.exceptions import InvalidQueryError
from airflow_provider_ryft.ingest.query import FailureInfo, Query, QueryState
from airflow_provider_ryft.ingest.query_template import QueryTemplate, json_id, json_text, json_time
from support import strategies

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


def of(query: Query) -> QueryTemplate:
    failure = query.failure_info
    return QueryTemplate(
        context=dataclasses.asdict(query.context),
        query_state=query.query_state,
        tags=query.tags,
        failure_info=dataclasses.asdict(failure) if isinstance(failure, FailureInfo) else None,
    )


def encode(template: QueryTemplate, query_id: Any, text: Any, timestamp: Any, duration_ms: Any) -> bytes:
    return template.encode(json_id(query_id), json_text(text), json_time(timestamp), duration_ms)


@given(strategies.queries(), strategies.queries())
def test_what_it_writes_is_what_the_query_would(common: Query, own: Query) -> None:
    """Byte by byte, for the query that it was made from and for every other one with its own text, id and times."""
    template = of(common)
    for one in (common, own):
        expected = Query(
            context=common.context,
            query_id=one.query_id,
            query=one.query,
            query_state=common.query_state,
            timestamp=one.timestamp,
            duration_ms=one.duration_ms,
            tags=common.tags,
            failure_info=common.failure_info if isinstance(common.failure_info, FailureInfo) else None,
        )
        assert encode(template, one.query_id, one.query, one.timestamp, one.duration_ms) == expected.encode()


def test_signs_of_a_format_are_only_signs() -> None:
    template = QueryTemplate(
        context={"catalog": "%s%(x)d", "user": "100%"},
        query_state=QueryState.FAILED,
        tags=("%%", "%d"),
        failure_info={"error_type": "EXTERNAL", "failure_message": "%s at %"},
    )
    payload = json.loads(encode(template, "%s", "SELECT '%s' LIKE '%'", NOON, 1))
    assert payload["context"] == {"catalog": "%s%(x)d", "user": "100%"}
    assert payload["tags"] == ["%%", "%d"]
    assert payload["failureInfo"]["failureMessage"] == "%s at %"
    assert payload["query"] == "SELECT '%s' LIKE '%'"
    assert payload["queryId"] == "%s"


@pytest.mark.parametrize(
    ("position", "value", "field"),
    [(0, " ", "queryId"), (1, None, "query"), (2, NOON.replace(tzinfo=None), "timestamp"), (3, -1, "duration_ms")],
)
def test_a_value_that_is_wrong_is_refused_as_a_query_refuses_it(position: int, value: Any, field: str) -> None:
    values: list[Any] = ["q-1", "SELECT 1", NOON, 1.5]
    values[position] = value
    with pytest.raises(InvalidQueryError, match=field):
        encode(QueryTemplate(context={}, query_state=QueryState.FINISHED), *values)


def test_what_is_common_is_checked_when_it_is_made() -> None:
    with pytest.raises(InvalidQueryError, match="queryState"):
        QueryTemplate(context={}, query_state="DONE")  # type: ignore[arg-type]
    with pytest.raises(InvalidQueryError, match=r"context\.queryType"):
        QueryTemplate(context={"query_type": "SELCT"}, query_state=QueryState.FINISHED)
    with pytest.raises(InvalidQueryError, match=r"failureInfo\.errorCode\.type"):
        QueryTemplate(context={}, query_state=QueryState.FAILED, failure_info={"error_name": "E"})
