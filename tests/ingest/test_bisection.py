"""Bisection: each query that is refused is found, unless it is the contract that is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from airflow_provider_ryft.exceptions import (
    MisconfiguredError,
)
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.results import PushResult
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support import strategies
from support.pushes import REFUSED, TOO_LARGE, ids, queries, query, sizes, stored
from support.raw_server import Conversation, RawServer, answer

# --- refused


@pytest.mark.parametrize("status", REFUSED)
def test_a_single_query_that_is_refused_is_in_the_result(sandbox: Sandbox, client: IngestClient, status: int) -> None:
    """There is nothing to halve: one request, and the refusal is in the result."""
    sandbox.faults.set(Fault(status=status, body="bad tags"))
    result = client.push(queries(1))
    assert (result.accepted, result.requests) == (0, 1)
    assert [(each.query_id, each.status, each.message) for each in result.refused] == [("q-0", status, "bad tags")]


@pytest.mark.parametrize("position", [0, 1, 250, 498, 499])
def test_one_bad_query_among_many_is_found_by_halving(sandbox: Sandbox, client: IngestClient, position: int) -> None:
    """The other 499 are delivered once each, in at most 2 * log2(500) + 1 requests."""
    sandbox.faults.set(Fault(refuse=f"^q-{position}$"))
    result = client.push(queries(500))
    assert ids(result.refused) == [f"q-{position}"]
    assert result.accepted == 499
    assert sorted(stored(sandbox)) == sorted(f"q-{number}" for number in range(500) if number != position)
    assert len(sandbox.requests) <= 19


@pytest.mark.parametrize(
    "bad",
    [range(100), range(400, 500), range(0, 500, 2), range(1, 500), [0, 499], range(200, 216)],
    ids=["the first", "the last", "every second", "all but one", "the ends", "a cluster"],
)
def test_many_bad_queries_are_all_found(sandbox: Sandbox, client: IngestClient, bad: Iterable[int]) -> None:
    """However they lie, each bad query is refused by itself and each good one delivered once."""
    wrong = {f"q-{number}" for number in bad}
    sandbox.faults.set(Fault(refuse=f"^({'|'.join(wrong)})$"))
    client.push([query(1000)])  # the server is known to take queries
    result = client.push(queries(500))
    assert set(ids(result.refused)) == wrong
    assert len(result.refused) == len(wrong)
    assert result.accepted == 500 - len(wrong)
    assert sorted(stored(sandbox)[1:]) == sorted(f"q-{number}" for number in range(500) if f"q-{number}" not in wrong)


def test_a_cluster_is_not_taken_for_a_server_that_refuses_everything(sandbox: Sandbox, client: IngestClient) -> None:
    """Also a client that has never delivered anything finds bad neighbours, and delivers the rest."""
    wrong = [f"q-{number}" for number in range(100, 160)]
    sandbox.faults.set(Fault(refuse=f"^({'|'.join(wrong)})$"))
    result = client.push(queries(500))
    assert ids(result.refused) == sorted(wrong)
    assert result.accepted == 440


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bad=st.lists(st.booleans(), max_size=40),
    count=st.integers(1, 40),
    most=st.none() | st.integers(400, 4000),
    known=st.booleans(),
)
def test_no_query_is_lost_or_doubled_whatever_is_refused(
    sandbox: Sandbox, token: str, bad: list[bool], count: int, most: int | None, *, known: bool
) -> None:
    """Each query is accepted or refused, or an error says that nothing was: never two of it, never none."""
    sandbox.store.clear()
    sandbox.faults.set(Fault(refuse="BAD"), *([Fault(max_bytes=most)] if most else []))
    several = [query(number, "BAD" if is_bad else "SELECT 1") for number, is_bad in enumerate(bad)]
    with IngestClient(token, base_url=sandbox.url, max_batch_count=count) as client:
        client.limits.has_accepted = known
        try:
            result = client.push(several)
        except MisconfiguredError as error:
            assert all(bad[:count])
            assert not known
            result = error.result or PushResult()
            assert result.accepted == 0
            return
    assert ids(result.refused) == sorted(each.query_id for each, is_bad in zip(several, bad, strict=True) if is_bad)
    assert sorted(stored(sandbox)) == sorted(
        each.query_id for each, is_bad in zip(several, bad, strict=True) if not is_bad
    )
    assert result.accepted == len(stored(sandbox))


def test_a_fault_in_the_middle_of_halving_is_waited_out(
    sandbox: Sandbox, client: IngestClient, waits: list[float]
) -> None:
    """Halves are retried like whole batches."""
    sandbox.faults.set(Fault(refuse="BAD"), Fault(status=503, probability=0.5))
    several = queries(64)
    several[20] = query(20, "BAD")
    result = client.push(several)
    assert (ids(result.refused), result.accepted) == (["q-20"], 63)
    assert result.retries == len(waits) > 0
    assert sorted(stored(sandbox)) == sorted(f"q-{number}" for number in range(64) if number != 20)


# --- when it is the contract that is wrong


@pytest.mark.parametrize("status", REFUSED)
@pytest.mark.parametrize("count", [2, 3, 15, 16, 17, 500])
def test_a_server_that_refuses_all_alike_is_not_believed(
    sandbox: Sandbox, client: IngestClient, status: int, count: int
) -> None:
    """Queries that are all refused for the same are kept: this version is wrong, and few requests show it."""
    sandbox.faults.set(Fault(status=status, body='{"error": "unknown field duration_ms"}'))
    with pytest.raises(MisconfiguredError) as caught:
        client.push(queries(count))
    assert "what this version sends. Nothing was dropped. Look for a newer airflow-provider-ryft" in str(caught.value)
    assert "unknown field duration_ms" in str(caught.value)
    assert caught.value.status == status
    assert caught.value.result is not None
    assert (caught.value.result.accepted, caught.value.result.refused) == (0, [])
    assert len(sandbox.requests) <= 60
    assert stored(sandbox) == []


@pytest.mark.parametrize(
    "message",
    [
        "query {id}: column 4 at byte {number} is unknown",
        "request 7f3a{number:04}-19ee-{number:04}a: no",
        '{{"error": "bad", "queryId": "{id}", "position": {number}, "trace": "9{number}f-aa"}}',
    ],
)
def test_ids_and_numbers_do_not_make_refusals_differ(token: str, message: str) -> None:
    """What a server says of each query or request in particular does not hide that it refuses all for the same."""

    def talk(conversation: Conversation) -> None:
        while request := conversation.read():
            first = json.loads(request.partition(b"\r\n\r\n")[2])[0]
            number = len(conversation.server.requests)
            conversation.send(answer("400 Bad", message.format(id=first["queryId"], number=number).encode()))

    names = random.Random(7).sample(["a", "e", "is", "no", "unknown", "bad", "q", "x-y", "(", "\\", "7", "ü"], 12)
    with RawServer(talk) as server, IngestClient(token, base_url=server.url) as client:
        several = [Query.from_payload({**strategies.VALID, "queryId": name}) for name in names]
        with pytest.raises(MisconfiguredError, match="Nothing was dropped"):
            client.push(several)


def test_refusals_for_different_reasons_are_believed(token: str) -> None:
    """A server that says something else of each query has looked at them."""

    def talk(conversation: Conversation) -> None:
        while request := conversation.read():
            first = json.loads(request.partition(b"\r\n\r\n")[2])[0]
            conversation.send(answer("400 Bad", f"cannot read {first['query']}".encode()))

    with RawServer(talk) as server, IngestClient(token, base_url=server.url) as client:
        result = client.push([query(1, "alpha"), query(2, "beta"), query(3, "gamma")])
        assert ids(result.refused) == ["q-1", "q-2", "q-3"]


def test_a_server_that_took_queries_before_is_believed(sandbox: Sandbox, client: IngestClient) -> None:
    """Once the contract was seen to be right, a batch of bad queries is a batch of bad queries."""
    assert client.push(queries(1)).accepted == 1
    sandbox.faults.set(Fault(refuse="BAD"))
    assert len(client.push(queries(20, "BAD")).refused) == 20


# --- too large


def test_a_batch_that_is_too_large_is_halved_by_bytes(sandbox: Sandbox, client: IngestClient) -> None:
    """All queries arrive, once and in order, in requests that the server allows."""
    sandbox.faults.set(Fault(max_bytes=20_000))
    result = client.push(query(number, "x" * (number * 40)) for number in range(60))
    assert (result.accepted, result.refused) == (60, [])
    assert stored(sandbox) == [f"q-{number}" for number in range(60)]


def test_halves_by_bytes_are_even(sandbox: Sandbox, client: IngestClient) -> None:
    """One long query among short ones does not stay with half of them."""
    several = [query(0, "x" * 50_000), *queries(101)[1:]]
    sandbox.faults.set(Fault(max_bytes=55_000))
    assert client.push(several).accepted == 101
    assert sizes(sandbox) == [101, 1, 100]


def test_the_limit_is_learned(sandbox: Sandbox, client: IngestClient) -> None:
    """Later batches, and later pushes, are small enough at once."""
    sandbox.faults.set(Fault(max_bytes=60_000))
    assert client.push(queries(3000, "x" * 100)).accepted == 3000
    refused = [request.length for request in sandbox.requests if request.status == TOO_LARGE]
    assert len(refused) <= 3
    assert client.limits.max_bytes <= 60_000
    assert client.limits.max_bytes >= 30_000
    sandbox.requests.clear()
    client.push(queries(1000, "x" * 100))
    assert {request.status for request in sandbox.requests} == {200}


def test_a_query_that_is_too_large_by_itself_is_refused(sandbox: Sandbox, client: IngestClient) -> None:
    """The others are delivered, and the limit is not lowered for its sake beyond what helps."""
    sandbox.faults.set(Fault(max_bytes=5_000))
    several = [query(0), query(1, "x" * 6_000), query(2), query(3, "x" * 6_000)]
    result = client.push(several)
    assert (result.accepted, ids(result.refused)) == (2, ["q-1", "q-3"])
    assert {each.status for each in result.refused} == {TOO_LARGE}
    assert client.limits.max_bytes >= 2_500


def test_queries_that_are_all_too_large_are_refused(sandbox: Sandbox, client: IngestClient) -> None:
    """Size is about each query, so a server that finds all of them too large is believed."""
    sandbox.faults.set(Fault(max_bytes=100))
    result = client.push(queries(20))
    assert (result.accepted, len(result.refused)) == (0, 20)
