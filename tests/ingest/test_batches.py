"""Batches: what goes into one request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from airflow_provider_ryft.exceptions import (
    InvalidQueryError,
    MisconfiguredError,
)
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support import strategies
from support.pushes import queries, query, sizes, stored


@pytest.mark.parametrize(
    ("count", "requests"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1201, [500, 500, 201])]
)
def test_queries_go_in_batches_of_500(sandbox: Sandbox, client: IngestClient, count: int, requests: list[int]) -> None:
    """By default a request holds 500 queries; all arrive, once and in order, and nothing is sent for none."""
    result = client.push(queries(count))
    assert sizes(sandbox) == requests
    assert stored(sandbox) == [f"q-{number}" for number in range(count)]
    assert (result.accepted, result.requests, result.retries, result.refused) == (count, len(requests), 0, [])


def test_what_arrives_is_the_payload(sandbox: Sandbox, client: IngestClient) -> None:
    """The server receives what ``to_payload`` gives."""
    one = Query.from_payload(strategies.VALID)
    client.push([one, query(2, "SELECT '🦆\x00'")])
    assert sandbox.records() == [one.to_payload(), query(2, "SELECT '🦆\x00'").to_payload()]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(strategies.queries(), max_size=8), count=st.integers(1, 4))
def test_any_query_is_taken(sandbox: Sandbox, client: IngestClient, several: list[Query], count: int) -> None:
    """Whatever a query holds, a server that checks it takes it, and has what was sent."""
    sandbox.store.clear()
    client.limits.max_count = count
    assert client.push(several).accepted == len(several)
    assert [Query.from_payload(record) for record in sandbox.records()] == several


def test_an_iterable_is_read_batch_by_batch(sandbox: Sandbox, client: IngestClient) -> None:
    """A generator is never further than one batch and one query ahead of what was sent."""
    ahead = []

    def endless() -> Iterator[Query]:
        for number in range(3000):
            ahead.append(number + 1 - sum(sizes(sandbox)))
            yield query(number)

    assert client.push(endless()).accepted == 3000
    assert max(ahead) <= 501


def test_a_failure_leaves_the_rest_of_an_iterable_alone(sandbox: Sandbox, client: IngestClient) -> None:
    """What follows the batch that failed is not read, and not sent."""
    sandbox.faults.set(Fault(status=401))
    rest = iter(queries(2000))
    with pytest.raises(MisconfiguredError):
        client.push(rest)
    assert len(sandbox.requests) == 1
    assert next(rest).query_id == "q-501"


def test_an_iterable_that_fails_is_not_hidden(sandbox: Sandbox, client: IngestClient) -> None:
    """Its error comes through; the batches before it were delivered."""

    def broken() -> Iterator[Query]:
        yield from queries(600)
        raise OSError("the cursor is gone")

    with pytest.raises(OSError, match="the cursor is gone"):
        client.push(broken())
    assert len(stored(sandbox)) == 500


def test_both_limits_can_be_set(sandbox: Sandbox, token: str) -> None:
    """Batches are as small as the limits say."""
    with IngestClient(token, base_url=sandbox.url, max_batch_count=7) as client:
        client.push(queries(20))
    assert sizes(sandbox) == [7, 7, 6]
    sandbox.requests.clear()
    line = len(query(10).encode())
    with IngestClient(token, base_url=sandbox.url, max_batch_bytes=3 * line + 4) as client:
        client.push([query(number) for number in range(10, 20)])
    assert sizes(sandbox) == [3, 3, 3, 1]
    assert max(request.length for request in sandbox.requests) == 3 * line + 4


def test_a_batch_is_one_mebibyte_by_default(sandbox: Sandbox, client: IngestClient) -> None:
    """Long queries make small batches: as many as fit into 1 MiB."""
    client.push(queries(30, "x" * 100_000))
    assert sizes(sandbox) == [10, 10, 10]
    assert all(request.length <= 1 << 20 for request in sandbox.requests)


def test_a_query_beyond_the_limit_goes_alone(sandbox: Sandbox, client: IngestClient) -> None:
    """The server decides about a query that is bigger than a batch; its neighbours do not travel with it."""
    several = [query(0), query(1, "x" * 2_000_000), query(2), query(3)]
    assert client.push(several).accepted == 4
    assert sizes(sandbox) == [1, 1, 2]
    assert stored(sandbox) == ["q-0", "q-1", "q-2", "q-3"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, 2000), max_size=40),
    count=st.integers(1, 10),
    size=st.integers(1, 4000),
)
def test_batches_keep_both_limits_and_are_no_smaller_than_needed(
    sandbox: Sandbox, client: IngestClient, lengths: list[int], count: int, size: int
) -> None:
    """Every query arrives once and in order, within the limits, and no batch could have taken the next query too."""
    sandbox.store.clear()
    sandbox.requests.clear()
    client.limits.max_count, client.limits.max_bytes = count, size
    several = [query(number, "x" * length) for number, length in enumerate(lengths)]
    client.push(several)
    assert stored(sandbox) == [each.query_id for each in several]
    position = 0
    for request in sandbox.requests:
        assert request.queries == 1 or (request.queries <= count and request.length <= size)
        position += request.queries
        if position < len(several):
            assert request.queries == count or request.length + 1 + len(several[position].encode()) > size


def test_lines_that_are_encoded_already_are_sent_as_they_are(sandbox: Sandbox, client: IngestClient) -> None:
    """``push_lines`` takes what ``encode`` gave, from a generator too."""
    assert client.push_lines(each.encode() for each in queries(3)).accepted == 3
    assert stored(sandbox) == ["q-0", "q-1", "q-2"]


@pytest.mark.parametrize("wrong", [{"queryId": "q-1"}, "SELECT 1", b"{}", None, 7, [query(1)]])
def test_something_else_than_a_query_is_an_error(sandbox: Sandbox, client: IngestClient, wrong: Any) -> None:
    """Payloads, text and lists in the place of a query are refused, and nothing of their batch is sent."""
    with pytest.raises(InvalidQueryError, match=rf"only a Query can be pushed, not {type(wrong).__name__}"):
        client.push([query(1), wrong])
    assert len(sandbox.requests) == 0


def test_a_payload_in_the_place_of_the_list_is_an_error(sandbox: Sandbox, client: IngestClient) -> None:
    """A forgotten list is noticed, and not sent key by key."""
    with pytest.raises(InvalidQueryError, match="only a Query can be pushed, not str"):
        client.push(strategies.VALID)
    with pytest.raises(TypeError, match="Query"):
        client.push(query(1))  # type: ignore[arg-type]
    assert len(sandbox.requests) == 0
