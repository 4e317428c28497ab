"""The client: what it is made with, and a token that no error shows."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_ryft.exceptions import (
    ConfigurationError,
    DeliveryError,
    InvalidQueryError,
    MisconfiguredError,
    RefusedQueriesError,
    RyftError,
    ServerUnavailableError,
)
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.results import PushResult, RefusedQuery
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.pushes import queries, stored
from support.raw_server import Conversation, RawServer, answer, keep_answering

PASSWORD = "-".join(["hunter", "2"])  # so that it is not in the source line of a traceback


# --- what it is made with


def test_one_connection_serves_all_pushes(token: str) -> None:
    """Batches and pushes share a connection; ``close`` ends it, and the next push opens another."""
    with RawServer(keep_answering()) as server, IngestClient(token, base_url=server.url, max_batch_count=1) as client:
        client.push(queries(3))
        client.push(queries(2))
        assert (server.connections, len(server.requests)) == (1, 5)
        client.close()
        client.push(queries(1))
        assert (server.connections, len(server.requests)) == (2, 6)


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
def test_no_error_shows_the_token(
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
