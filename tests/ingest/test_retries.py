"""Retries: what is tried again, when, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_ryft.exceptions import (
    ServerUnavailableError,
)
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.results import PushResult
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.pushes import LATER, Clock, queries, stored
from support.raw_server import within_reason


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
def test_a_retry_after_beyond_the_deadline_is_reported_and_not_waited_for(
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
    ("address", "message"),
    [
        ("https://nowhere.invalid", "its name could not be looked up"),
        ("http://127.0.0.1:9", "the connection failed (Connection refused)"),
    ],
)
def test_a_server_that_is_not_there_is_tried_until_the_deadline(
    token: str, waits: list[float], clock: Clock, address: str, message: str
) -> None:
    """No connection is a reason to try again, and to say why when time is up."""
    with IngestClient(token, base_url=address) as client:
        push = _with_clock_at_each_try(client, clock, 20)
        with pytest.raises(ServerUnavailableError) as caught:
            push(queries(1))
    assert message in str(caught.value)
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
