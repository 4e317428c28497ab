"""Delivery: batches, deadlines, the four classes of answers, and a token that nobody gets to see."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import random
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from airflow_provider_ryft.exceptions import (
    ConfigurationError,
    DeliveryError,
    InvalidQueryError,
    MisconfiguredError,
    RefusedQueriesError,
    RyftError,
    ServerUnavailableError,
)
from airflow_provider_ryft.ingest import push as push_module
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.ingest.responses import ResponseClass, classify_status
from airflow_provider_ryft.results import PushResult, RefusedQuery
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support import strategies
from support.raw_server import Conversation, RawServer, answer, keep_answering, within_reason

LATER = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]
REFUSED = [400, 422]
TOO_LARGE = 413
PASSWORD = "-".join(["hunter", "2"])  # so that it is not in the source line of a traceback


def query(number: int, text: str = "SELECT 1") -> Query:
    """Make a query that is known by its number."""
    return Query(
        query_id=f"q-{number}",
        query=text,
        query_state="FINISHED",
        timestamp=datetime(2026, 3, 10, tzinfo=timezone.utc),
        duration_ms=number,
    )


def queries(count: int, text: str = "SELECT 1") -> list[Query]:
    """Make queries numbered from 0."""
    return [query(number, text) for number in range(count)]


def ids(refused: Iterable[RefusedQuery]) -> list[str]:
    """Return the ids of refused queries, sorted."""
    return sorted(each.query_id for each in refused)


def stored(sandbox: Sandbox) -> list[str]:
    """Return the ids of all that the sandbox took, in order."""
    return [record["queryId"] for record in sandbox.records()]


def sizes(sandbox: Sandbox) -> list[int]:
    """Return how many queries each request held."""
    return [request.queries for request in sandbox.requests]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let retries come at once; return what they would have waited."""
    asked: list[float] = []
    wait = push_module._wait

    def no_wait(state: Any) -> float:
        asked.append(wait(state))
        return 0.0

    monkeypatch.setattr(push_module, "_wait", no_wait)
    return asked


@pytest.fixture
def client(sandbox: Sandbox, token: str) -> Iterator[IngestClient]:
    """Make a client of the sandbox."""
    with IngestClient(token, base_url=sandbox.url) as ready:
        yield ready


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the client look at a clock that a test moves."""
    ours = Clock()
    monkeypatch.setattr(push_module, "time", ours)
    return ours


# --- batches


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
    """Payloads, text and lists in the place of a query are refused in words, and nothing of their batch is sent."""
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


def test_one_connection_serves_all_pushes(token: str) -> None:
    """Batches and pushes share a connection; ``close`` ends it, and the next push opens another."""
    with RawServer(keep_answering()) as server, IngestClient(token, base_url=server.url, max_batch_count=1) as client:
        client.push(queries(3))
        client.push(queries(2))
        assert (server.connections, len(server.requests)) == (1, 5)
        client.close()
        client.push(queries(1))
        assert (server.connections, len(server.requests)) == (2, 6)


# --- the result


def test_result_counts_what_was_sent(sandbox: Sandbox, client: IngestClient, clock: Clock, waits: list[float]) -> None:
    """Requests, retries and bytes are those that the server saw, and the time is that of the whole push."""
    sandbox.faults.set(Fault(status=503, times=2), Fault(refuse="BAD"))

    def slow() -> Iterator[Query]:
        for number in range(6):
            clock.now += 2.5
            yield query(number, "BAD" if number == 4 else "SELECT 1")

    result = client.push(slow())
    assert (result.accepted, ids(result.refused)) == (5, ["q-4"])
    assert result.requests == len(sandbox.requests)
    assert result.retries == len(waits) == 2
    assert result.bytes == sum(request.length for request in sandbox.requests)
    assert result.seconds == 15.0


def test_a_refused_query_is_told_with_the_servers_words(sandbox: Sandbox, client: IngestClient) -> None:
    """A refusal has the query, its id, the status and what the server said about it."""
    sandbox.faults.set(Fault(refuse="BAD"))
    bad = Query.from_payload({**strategies.VALID, "query": "BAD"})
    result = client.push([query(1), bad, query(2)])
    (refused,) = result.refused
    assert (refused.query_id, refused.line) == ("q-1", bad.encode())
    assert refused.status == 400
    assert "told to refuse it" in refused.message
    assert "BAD" not in repr(refused).replace(refused.message, "")


def until_second_batch(sandbox: Sandbox, fault: Fault, size: int = 500) -> Iterator[Query]:
    """Give three batches of queries; the sandbox misbehaves from the second one on."""
    for number in range(3 * size):
        if number == size + 1:  # the first batch goes when the query after it is known
            sandbox.faults.set(fault)
        yield query(number)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=401), MisconfiguredError),
        (Fault(status=503, retry_after="86400"), ServerUnavailableError),
        (Fault(status=200, body="<html>", content_type="text/html"), MisconfiguredError),
    ],
)
def test_an_error_tells_what_was_delivered_before_it(
    sandbox: Sandbox, client: IngestClient, clock: Clock, fault: Fault, kind: type[DeliveryError]
) -> None:
    """The result of a push that fails is with the error, and what follows was not sent."""
    clock.now += 5
    with pytest.raises(kind) as caught:
        client.push(until_second_batch(sandbox, fault))
    result = caught.value.result
    assert result is not None
    assert (result.accepted, result.refused, result.requests, result.retries) == (500, [], 2, 0)
    assert result.bytes == sum(request.length for request in sandbox.requests)
    assert sizes(sandbox) == [500, 500]


def test_what_a_failed_batch_refused_is_not_told(token: str) -> None:
    """A batch that fails while it is taken apart is to be pushed again: none of its queries counts as refused."""

    def fail_after_four(request: Any) -> None:
        if len(sandbox.requests) == 4:
            sandbox.faults.set(Fault(status=401))

    with Sandbox(token=token, on_request=fail_after_four) as sandbox:
        sandbox.faults.set(Fault(refuse="BAD"))
        with IngestClient(token, base_url=sandbox.url) as client, pytest.raises(MisconfiguredError) as caught:
            client.push([query(0, "BAD"), *queries(4)[1:]])
        assert sizes(sandbox) == [4, 2, 2, 1, 1]
        assert [request.status for request in sandbox.requests] == [400, 400, 200, 400, 401]
    assert caught.value.result is not None
    assert (caught.value.result.accepted, caught.value.result.refused) == (2, [])


# --- deadlines


def test_each_batch_has_its_own_deadline(sandbox: Sandbox, client: IngestClient, clock: Clock) -> None:
    """However long the whole takes, a batch has its time."""

    def slow() -> Iterator[Query]:
        for number in range(3000):
            clock.now += 59.0 if number % 500 == 0 else 0.0
            yield query(number)

    assert client.push(slow()).accepted == 3000
    assert len(sandbox.requests) == 6


def test_one_deadline_over_everything(sandbox: Sandbox, client: IngestClient, clock: Clock) -> None:
    """With ``deadline`` the time of all batches, and of the iterable, counts; what follows is not sent."""

    def slow() -> Iterator[Query]:
        for number in range(3000):
            clock.now += 20.0 if number % 500 == 1 else 0.0
            yield query(number)

    with pytest.raises(ServerUnavailableError, match="the deadline passed before they could be sent") as caught:
        client.push(slow(), deadline=60)
    assert caught.value.result is not None
    assert (caught.value.result.accepted, caught.value.result.seconds) == (1000, 60.0)
    assert sizes(sandbox) == [500, 500]


@pytest.mark.parametrize("deadline", [0, -1.5])
def test_no_time_is_no_request(sandbox: Sandbox, client: IngestClient, deadline: float) -> None:
    """Nothing is sent when the time is up already."""
    with pytest.raises(ServerUnavailableError) as caught:
        client.push(queries(1), deadline=deadline)
    assert caught.value.result == PushResult(seconds=caught.value.result.seconds)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    "fault", [Fault(hang=True), Fault(drip=0.02), Fault(delay=3600)], ids=["hang", "drip", "delay"]
)
@pytest.mark.parametrize("overall", [True, False])
def test_a_server_that_takes_its_time_is_given_up(sandbox: Sandbox, token: str, fault: Fault, *, overall: bool) -> None:
    """A server that hangs, drips or dawdles ends in an error, and was asked once."""
    sandbox.faults.set(fault)
    with IngestClient(token, base_url=sandbox.url, deadline=3600 if overall else 0.8) as client:
        error = within_reason(60, lambda: client.push(queries(2), deadline=0.8 if overall else None))
        assert isinstance(error, ServerUnavailableError)
        assert re.search(r"it did not answer within 0\.[0-9]+ seconds", str(error))
        assert (error.status, error.retry_after) == (None, None)
        assert error.result is not None
        assert (error.result.requests, error.result.retries, error.result.accepted) == (1, 0, 0)
        assert len(sandbox.requests) == 1
        sandbox.faults.set()
        assert client.push(queries(2)).accepted == 2


def test_waits_count_against_the_deadline(
    sandbox: Sandbox, client: IngestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that would end after the deadline is not begun."""
    sandbox.faults.set(Fault(status=503))

    def wait(_state: Any) -> float:
        clock.now += 25  # as if the one before had been waited
        return 0.0

    monkeypatch.setattr(push_module, "_wait", wait)
    with pytest.raises(ServerUnavailableError):
        client.push(queries(1))
    assert len(sandbox.requests) == 3
    monkeypatch.setattr(push_module, "_wait", lambda _state: 60.0)
    sandbox.requests.clear()
    with pytest.raises(ServerUnavailableError):
        client.push(queries(1))
    assert len(sandbox.requests) == 1


# --- later


@pytest.mark.parametrize("status", LATER)
def test_a_passing_fault_is_retried(sandbox: Sandbox, client: IngestClient, waits: list[float], status: int) -> None:
    """Each status of the class *later* is tried again until the queries are taken."""
    sandbox.faults.set(Fault(status=status, times=3))
    result = client.push(queries(2))
    assert (result.accepted, result.requests, result.retries) == (2, 4, 3)
    assert stored(sandbox) == ["q-0", "q-1"]
    assert [request.status for request in sandbox.requests] == [status] * 3 + [200]


@pytest.mark.parametrize("reset", ["before", "body"])
def test_a_broken_connection_is_retried(sandbox: Sandbox, client: IngestClient, waits: list[float], reset: str) -> None:
    """A connection that breaks before or in the answer is opened again, and the queries arrive once."""
    sandbox.faults.set(Fault(reset=reset, times=2))
    result = client.push(queries(2))
    assert (result.accepted, result.requests, result.retries) == (2, 3, 2)
    assert stored(sandbox) == ["q-0", "q-1"]


def test_an_answer_that_was_lost_costs_a_duplicate(sandbox: Sandbox, client: IngestClient, waits: list[float]) -> None:
    """Delivery is at least once: what was stored before the connection broke comes again, with the same ids."""
    sandbox.faults.set(Fault(reset="stored", times=1))
    result = client.push(queries(2))
    assert (result.accepted, result.retries) == (2, 1)
    first, second = sandbox.records()[:2], sandbox.records()[2:]
    assert first == second


@pytest.mark.parametrize("status", LATER)
def test_a_lasting_fault_ends_in_an_error(sandbox: Sandbox, token: str, status: int) -> None:
    """When time is up the error says what the server said, and what to do."""
    sandbox.faults.set(Fault(status=status, body="under\nmaintenance", retry_after="86400"))
    with IngestClient(token, base_url=sandbox.url) as client, pytest.raises(ServerUnavailableError) as caught:
        client.push(queries(2))
    assert str(caught.value) == (
        f"{sandbox.url} could not take the queries in time: it answered {status} under maintenance. "
        "They are good; push them later."
    )
    assert (caught.value.status, caught.value.retry_after) == (status, 86400.0)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("value", ["86400", "999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_beyond_the_deadline_is_told_and_not_waited_for(
    sandbox: Sandbox, client: IngestClient, status: int, value: str
) -> None:
    """A server that wants hours is asked once; the caller learns how long."""
    sandbox.faults.set(Fault(status=status, retry_after=value))
    error = within_reason(60, lambda: client.push(queries(1)))
    assert isinstance(error, ServerUnavailableError)
    assert error.retry_after is not None
    assert error.retry_after > 80_000
    assert len(sandbox.requests) == 1


def test_a_retry_after_within_the_deadline_is_waited_for(
    sandbox: Sandbox, client: IngestClient, waits: list[float]
) -> None:
    """The wait is at least what the server asks for."""
    sandbox.faults.set(Fault(status=429, retry_after="7", times=1), Fault(status=503, retry_after="31", times=1))
    assert client.push(queries(1)).accepted == 1
    assert waits == [7.0, 31.0]


@pytest.mark.parametrize("value", ["0", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "", None])
def test_a_retry_after_that_says_nothing_leaves_the_wait_to_chance(
    sandbox: Sandbox, client: IngestClient, waits: list[float], value: str | None
) -> None:
    """Nonsense and the past change nothing: the wait is random, and longer the more often it failed."""
    sandbox.faults.set(Fault(status=503, retry_after=value, times=9))
    assert client.push(queries(1)).accepted == 1
    assert len(waits) == 9
    assert all(0 <= wait <= min(30, 0.25 * 2**number) for number, wait in enumerate(waits))
    assert len(set(waits)) > 5


def test_waits_never_exceed_half_a_minute(sandbox: Sandbox, client: IngestClient, waits: list[float]) -> None:
    """However often it failed, the next try comes."""
    sandbox.faults.set(Fault(status=503, times=60))
    assert client.push(queries(1)).accepted == 1
    assert max(waits) <= 30
    assert max(waits[20:]) > 3


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://nowhere.invalid", "its name could not be looked up"),
        ("http://127.0.0.1:9", "the connection failed (Connection refused)"),
    ],
)
def test_a_server_that_is_not_there_is_tried_until_the_deadline(
    token: str, waits: list[float], clock: Clock, address: str, words: str
) -> None:
    """No connection is a reason to try again, and to say why when time is up."""
    with IngestClient(token, base_url=address) as client:
        push = _with_clock_at_each_try(client, clock, 20)
        with pytest.raises(ServerUnavailableError) as caught:
            push(queries(1))
    assert words in str(caught.value)
    assert caught.value.result is not None
    assert (caught.value.result.requests, caught.value.result.retries, caught.value.status) == (3, 2, None)


def _with_clock_at_each_try(client: IngestClient, clock: Clock, seconds: float) -> Callable[[Any], PushResult]:
    """Let each request take so many seconds on the clock."""
    post = client._transport.post

    def slow_post(body: bytes, left: float) -> Any:
        clock.now += seconds
        return post(body, left)

    client._transport.post = slow_post  # type: ignore[method-assign]
    return client.push


# --- misconfigured


def test_every_status_is_in_its_class() -> None:
    """No status is in two classes, or in none; what nobody listed needs a person."""
    for status in range(100, 600):
        expected = ResponseClass.MISCONFIGURED
        if 200 <= status < 300:
            expected = ResponseClass.ACCEPTED
        elif status in LATER:
            expected = ResponseClass.LATER
        elif status in REFUSED:
            expected = ResponseClass.REFUSED
        elif status == TOO_LARGE:
            expected = ResponseClass.TOO_LARGE
        assert classify_status(status) is expected, status


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one(sandbox: Sandbox, client: IngestClient, status: int) -> None:
    """A 2xx with any words, or none, means that the queries were taken."""
    sandbox.faults.set(Fault(status=status, body="" if status == 204 else "OK", content_type="text/html"))
    assert client.push(queries(2)).accepted == 2
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refused the ingest token (401). Put a valid token of your Ryft environment there. It says: no entry"),
        (403, "refused the ingest token (403). Put a valid token"),
        (404, "There is no Ingest API at {url} (404). Check the address, its port and its path. It says: no entry"),
        (405, "There is no Ingest API at {url} (405)."),
        (410, "There is no Ingest API at {url} (410)."),
        (407, "The proxy before {url} wants a login (407). Put it into the proxy's address."),
        (300, "redirects to https://other.example (300), which is not followed because the token would go along."),
        (301, "redirects to https://other.example (301)"),
        (302, "redirects to https://other.example (302)"),
        (303, "redirects to https://other.example (303)"),
        (307, "redirects to https://other.example (307)"),
        (308, "redirects to https://other.example (308)"),
        (402, "answered 402, which an Ingest API does not. Check the address and what is before it. It says: no entry"),
        (406, "answered 406, which"),
        (409, "answered 409, which"),
        (411, "answered 411, which"),
        (415, "answered 415, which"),
        (418, "answered 418, which"),
        (431, "answered 431, which"),
        (451, "answered 451, which"),
        (501, "answered 501, which"),
        (505, "answered 505, which"),
        (511, "answered 511, which"),
        (525, "answered 525, which"),
        (530, "answered 530, which"),
    ],
)
def test_what_needs_a_person_is_asked_once(sandbox: Sandbox, client: IngestClient, status: int, words: str) -> None:
    """One request, nothing refused, and an error that says what to do."""
    sandbox.faults.set(Fault(status=status, body="no entry", location="https://other.example/login?x=y"))
    with pytest.raises(MisconfiguredError) as caught:
        client.push(queries(600))
    assert words.format(url=sandbox.url) in str(caught.value)
    assert sandbox.url in str(caught.value)
    assert caught.value.status == status
    assert caught.value.result is not None
    assert (caught.value.result.accepted, caught.value.result.refused) == (0, [])
    assert len(sandbox.requests) == 1
    assert stored(sandbox) == []


def test_a_page_for_people_is_no_success(sandbox: Sandbox, client: IngestClient) -> None:
    """The login page of a proxy answers 200, and takes nothing: the queries are kept."""
    sandbox.faults.set(Fault(status=200, body="<!DOCTYPE html><title>Log in</title>", content_type="text/html"))
    with pytest.raises(MisconfiguredError, match=r"answered 200 with a page for people, .* login page of a proxy"):
        client.push(queries(2))
    assert len(sandbox.requests) == 1


def test_a_wrong_token_is_said_to_be_wrong(sandbox: Sandbox) -> None:
    """A token that the server does not know leads to the sentence about the token."""
    with IngestClient("another", base_url=sandbox.url) as client, pytest.raises(MisconfiguredError) as caught:
        client.push(queries(1))
    assert caught.value.status == 401
    assert "refused the ingest token (401)" in str(caught.value)


# --- refused


@pytest.mark.parametrize("status", REFUSED)
def test_a_single_query_that_is_refused_is_told(sandbox: Sandbox, client: IngestClient, status: int) -> None:
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
    "words",
    [
        "query {id}: column 4 at byte {number} is unknown",
        "request 7f3a{number:04}-19ee-{number:04}a: no",
        '{{"error": "bad", "queryId": "{id}", "position": {number}, "trace": "9{number}f-aa"}}',
    ],
)
def test_ids_and_numbers_do_not_make_refusals_differ(token: str, words: str) -> None:
    """What a server says of each query or request in particular does not hide that it refuses all for the same."""

    def talk(conversation: Conversation) -> None:
        while request := conversation.read():
            first = json.loads(request.partition(b"\r\n\r\n")[2])[0]
            number = len(conversation.server.requests)
            conversation.send(answer("400 Bad", words.format(id=first["queryId"], number=number).encode()))

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


# --- what it is made with


@pytest.mark.parametrize(
    "option", ["connect_timeout", "read_timeout", "deadline", "max_batch_count", "max_batch_bytes"]
)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "5", None])
def test_a_limit_must_be_a_number_above_0(token: str, option: str, value: Any) -> None:
    """The error names the option and the value."""
    with pytest.raises(ConfigurationError, match=f"{option} must be a number above 0, not {value!r}"):
        IngestClient(token, **{option: value})


@pytest.mark.parametrize("empty", ["", " \n\t", None, b"bytes", 7])
def test_an_empty_token_is_refused(empty: Any) -> None:
    """The error says what to put there."""
    with pytest.raises(
        ConfigurationError, match=r"The ingest token is empty, or no text\. Put the token that Ryft gave"
    ):
        IngestClient(empty)


def test_a_token_may_be_pasted_with_a_line_break(sandbox: Sandbox, token: str) -> None:
    """White space around a token is not part of it."""
    with IngestClient(f"\n {token}\r\n", base_url=f" {sandbox.url}/ \n") as client:
        assert client.push(queries(1)).accepted == 1


def test_the_whole_address_of_the_api_may_be_given(sandbox: Sandbox, token: str) -> None:
    """The API's page shows the address with its path, so that is understood too."""
    with IngestClient(token, base_url=f"{sandbox.url}/ingest/push/queries") as client:
        assert client.push(queries(1)).accepted == 1
        assert client.base_url == sandbox.url


def test_the_default_is_ryfts_own_address(token: str) -> None:
    """Without an address the client is one of Ryft's."""
    client = IngestClient(token)
    assert client.base_url == "https://ingest.ryft.io"
    assert repr(client) == "IngestClient('https://ingest.ryft.io')"


def test_check_sends_an_empty_batch_and_stores_nothing(sandbox: Sandbox, client: IngestClient) -> None:
    """A check needs no query, and is not repeated."""
    assert client.check(30).status == 200
    sandbox.faults.set(Fault(status=503))
    assert client.check(30).status == 503
    sandbox.faults.set(Fault(reset="before"))
    with pytest.raises(NoResponseError):
        client.check(30)
    assert [(request.length, request.queries) for request in sandbox.requests] == [(2, 0)] * 3
    assert stored(sandbox) == []


# --- the token


def _refused(token: str, base_url: str) -> None:
    with IngestClient(token, base_url=base_url) as client:
        client.push(queries(1))
        result = client.push(queries(1))
    message = "; ".join(each.message for each in result.refused)
    raise RefusedQueriesError(message, result)


def _push(token: str, base_url: str, count: int = 1, **options: Any) -> None:
    with IngestClient(token, base_url=base_url, **{"deadline": 30, **options}) as client:
        client.push(queries(count))


def _push_in_vain(token: str, base_url: str, **options: Any) -> None:
    _push(token, base_url, deadline=0.7, **options)


def _push_nonsense(token: str, base_url: str) -> None:
    with IngestClient(token, base_url=base_url) as client:
        client.push(["SELECT 1"])  # type: ignore[list-item]


def _check(token: str, base_url: str) -> None:
    with IngestClient(token, base_url=base_url.replace("http:", "https:")) as client:
        client.check(0.7)


FAILURES: dict[str, tuple[type[RyftError], str, Callable[[str, str], None]]] = {
    "refused connection": (ServerUnavailableError, "200 OK", lambda t, _: _push_in_vain(t, "http://127.0.0.1:9")),
    "unknown name": (ServerUnavailableError, "200 OK", lambda t, _: _push_in_vain(t, "https://nowhere.invalid")),
    "dead proxy": (
        ServerUnavailableError,
        "200 OK",
        lambda t, _: _push_in_vain(t, "https://ryft.invalid", proxies={"https": f"http://{t}:{PASSWORD}@127.0.0.1:9"}),
    ),
    "no TLS": (ServerUnavailableError, "200 OK", lambda t, u: _push_in_vain(t, u.replace("http:", "https:"))),
    "unavailable": (ServerUnavailableError, "503 Echo", _push),
    "time-out": (ServerUnavailableError, "hang", _push_in_vain),
    "wrong token": (MisconfiguredError, "401 Echo", _push),
    "redirect": (MisconfiguredError, "302 Echo", _push),
    "no API": (MisconfiguredError, "404 Echo", _push),
    "wrong contract": (MisconfiguredError, "400 Echo", lambda t, u: _push(t, u, 3)),
    "refused": (RefusedQueriesError, "400 Echo", _refused),
    "no query": (InvalidQueryError, "200 OK", _push_nonsense),
    "no answer": (NoResponseError, "200 OK", _check),
    "bad token": (ConfigurationError, "200 OK", lambda t, u: _push(f"{t} {t}", u)),
    "bad address": (ConfigurationError, "200 OK", lambda t, _: _push(t, f"https://user:{t}@ryft.invalid")),
    "broken address": (ConfigurationError, "200 OK", lambda t, _: _push(t, f"https://{t}@ryft.invalid:port")),
    "secret in the query": (ConfigurationError, "200 OK", lambda t, _: _push(t, f"https://ryft.invalid?token={t}")),
    "plain http": (ConfigurationError, "200 OK", lambda t, _: _push(t, "http://ryft.invalid")),
    "bad limit": (
        ConfigurationError,
        "200 OK",
        lambda t, u: _push(t, u, max_batch_count=0, proxies={"http": f"http://{t}:{PASSWORD}@proxy"}),
    ),
    "bad bundle": (ConfigurationError, "200 OK", lambda t, u: _push(t, u, verify="/nowhere/ca.pem")),
}


def echoing(status: str) -> Callable[[Conversation], None]:
    """Answer each request with what it said, headers and all."""

    def talk(conversation: Conversation) -> None:
        while request := conversation.read():
            if status == "hang":
                conversation.hang()
            said = request.decode("latin-1").replace("\r\n", " ").encode()
            (header,) = [line for line in request.split(b"\r\n") if line.lower().startswith(b"x-ryft-token")]
            conversation.send(
                answer(status, said, header.decode(), "Retry-After: 86400", "Location: //x/" + status[-9:])
            )

    return talk


@pytest.mark.parametrize(("kind", "status", "fail"), FAILURES.values(), ids=FAILURES.keys())
def test_no_error_tells_the_token(
    token: str, caplog: pytest.LogCaptureFixture, kind: type[RyftError], status: str, fail: Callable[[str, str], None]
) -> None:
    """Neither message, repr, pickle and log, nor a traceback with local variables, has the token or a password."""
    caplog.set_level(logging.DEBUG)
    with RawServer(echoing(status)) as server, pytest.raises(kind) as caught:
        fail(token, server.url)
    error = caught.value
    logging.getLogger(__name__).error("failed", exc_info=error)
    shown = [str(error), repr(error), repr(vars(error)), caplog.text, *_frames(error)]
    assert any("airflow_provider_ryft" in frame for frame in _frames(error))
    for secret in (token, PASSWORD):
        assert not any(secret in text for text in shown)
        assert secret.encode() not in pickle.dumps(error)


def _frames(error: BaseException) -> list[str]:
    """Return what a traceback with local variables shows of everything but this file."""
    found: list[str] = []
    seen: set[int] = set()
    waiting: list[traceback.TracebackException | None] = [
        traceback.TracebackException.from_exception(error, capture_locals=True)
    ]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        found += [f"{frame.filename} {frame.locals}" for frame in each.stack if frame.filename != __file__]
        found += list(each.format_exception_only())
    return found


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("bad"),
        InvalidQueryError("query", "must be text"),
        DeliveryError("gone", PushResult(accepted=1), status=500),
        ServerUnavailableError("gone", PushResult(accepted=1), status=503, retry_after=7.5),
        ServerUnavailableError("gone"),
        MisconfiguredError("wrong", PushResult(accepted=1), status=401),
        RefusedQueriesError("two", PushResult(refused=[RefusedQuery(b'{"queryId":"q"}', 400, "no")])),
    ],
    ids=lambda error: type(error).__name__ + ("" if getattr(error, "result", 1) else " without result"),
)
def test_errors_survive_pickling_and_copying(error: RyftError) -> None:
    """An error crosses a process boundary with all that it knows."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_a_forked_child_pushes_over_its_own_connection(token: str) -> None:
    """After a fork both processes deliver, and neither disturbs the other."""
    with RawServer(keep_answering()) as server, IngestClient(token, base_url=server.url) as client:
        client.push(queries(1))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if client.push(queries(1)).accepted == 1 else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.push(queries(1))
        assert (server.connections, len(server.requests)) == (2, 3)
