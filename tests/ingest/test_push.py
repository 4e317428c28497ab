"""One push: its result, its deadline, and the answers that need manual action."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_ryft.exceptions import (
    DeliveryError,
    MisconfiguredError,
    ServerUnavailableError,
)
from airflow_provider_ryft.ingest import push as push_module
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.results import PushResult
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support import strategies
from support.pushes import Clock, ids, queries, query, sizes, stored
from support.raw_server import within_reason

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


def test_a_refused_query_is_returned_with_the_servers_message(sandbox: Sandbox, client: IngestClient) -> None:
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
def test_an_error_has_what_was_delivered_before_it(
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


def test_what_a_failed_batch_refused_is_not_in_the_result(token: str) -> None:
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


# --- misconfigured


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one(sandbox: Sandbox, client: IngestClient, status: int) -> None:
    """A 2xx with any body, or none, means that the queries were accepted."""
    sandbox.faults.set(Fault(status=status, body="" if status == 204 else "OK", content_type="text/html"))
    assert client.push(queries(2)).accepted == 2
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("status", "message"),
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
def test_what_needs_manual_action_is_asked_once(
    sandbox: Sandbox, client: IngestClient, status: int, message: str
) -> None:
    """One request, nothing refused, and an error that says what to do."""
    sandbox.faults.set(Fault(status=status, body="no entry", location="https://other.example/login?x=y"))
    with pytest.raises(MisconfiguredError) as caught:
        client.push(queries(600))
    assert message.format(url=sandbox.url) in str(caught.value)
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
