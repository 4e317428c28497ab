"""Each way in which a server, or the way to it, can fail: what the task notices, and where its queries are.

The table is printed (``pytest -s``), seconds included; nothing is asserted of these, because machines are noisy.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_ryft.instrumentation import instrumentor
from airflow_provider_ryft.listener import task_report
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.settings import Settings
from support.raw_server import Conversation, RawServer, answer, keep_answering

TIMEOUT = 1.0
STATEMENTS = 8


@dataclass(frozen=True)
class Row:
    """A fault, and what should become of the queries.

    :param name: what happens
    :param arrange: returns the connection's parts for it
    :param accepted: how many queries the server has at the end of the task
    :param ready: how many wait in the outbox
    :param dead: how many are dead letters
    """

    name: str
    arrange: Callable[[ExitStack, str], dict[str, Any]]
    accepted: int = 0
    ready: int = STATEMENTS
    dead: int = 0


def misbehaving(*faults: Fault, **options: Any) -> Callable[[ExitStack, str], dict[str, Any]]:
    """A sandbox that has faults."""

    def arrange(stack: ExitStack, token: str) -> dict[str, Any]:
        sandbox = stack.enter_context(Sandbox(token=token, **options))
        sandbox.faults.set(*faults)
        return {"host": sandbox.url, "records": sandbox.records}

    return arrange


def raw(talk: Callable[[Conversation], None], **options: Any) -> Callable[[ExitStack, str], dict[str, Any]]:
    """A server that does what a function says."""
    return lambda stack, _token: {"host": stack.enter_context(RawServer(talk, **options)).url}


def refusing_connections(_stack: ExitStack, _token: str) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {"host": f"http://127.0.0.1:{probe.getsockname()[1]}"}


def redirecting_elsewhere(status: int) -> Callable[[ExitStack, str], dict[str, Any]]:
    def arrange(stack: ExitStack, token: str) -> dict[str, Any]:
        elsewhere = stack.enter_context(RawServer(keep_answering()))
        fault = Fault(status=status, location=f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/ingest")
        return {**misbehaving(fault)(stack, token), "elsewhere": elsewhere}

    return arrange


def with_a_certificate_of_an_unknown_ca(stack: ExitStack, token: str) -> dict[str, Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return {"host": stack.enter_context(RawServer(keep_answering(), tls=context)).url}


def behind_a_proxy(talk: Callable[[Conversation], None]) -> Callable[[ExitStack, str], dict[str, Any]]:
    def arrange(stack: ExitStack, _token: str) -> dict[str, Any]:
        proxy = stack.enter_context(RawServer(talk))
        return {"host": "https://ryft.example.com", "extra": {"proxies": {"https": proxy.url}}}

    return arrange


def hang_after_reading(conversation: Conversation) -> None:
    conversation.read()
    conversation.hang()


def drip(conversation: Conversation) -> None:
    conversation.read()
    conversation.drip(answer())


def reset_in_the_body(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(answer(body=b"x" * 100)[:-50])
    conversation.reset()


def garbage_in_gzip(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(answer("503 Busy", b"no gzip", "Content-Encoding: gzip"))


ALL = {"accepted": STATEMENTS, "ready": 0}

ROWS = [
    Row("nothing fails", misbehaving(), **ALL),
    Row("connection refused", refusing_connections),
    Row("reset before anything", misbehaving(Fault(reset="before"))),
    Row("reset once, then well", misbehaving(Fault(reset="before", times=1)), **ALL),
    Row("reset in the body", raw(reset_in_the_body)),
    Row("accepts and says nothing", raw(hang_after_reading)),
    Row("drips", raw(drip)),
    Row("answers after the deadline", misbehaving(Fault(delay=3.0))),
    Row("redirects elsewhere with 301", redirecting_elsewhere(301)),
    Row("redirects elsewhere with 307", redirecting_elsewhere(307)),
    Row(
        "429 with seconds",
        misbehaving(Fault(status=429, retry_after="0.1", times=1), Fault(status=429, retry_after="60")),
    ),
    Row("429 with a date", misbehaving(Fault(status=429, retry_after="Wed, 01 Jan 2031 00:00:00 GMT"))),
    Row("429 with nonsense, once", misbehaving(Fault(status=429, retry_after="soon", times=1)), **ALL),
    Row("429 with a billion seconds", misbehaving(Fault(status=429, retry_after="1000000000"))),
    Row("503 always", misbehaving(Fault(status=503))),
    Row("413 above two queries", misbehaving(Fault(max_bytes=1300)), **ALL),
    Row("400 for two of eight", misbehaving(Fault(refuse="poison")), accepted=STATEMENTS - 2, ready=0, dead=2),
    Row("401", misbehaving(Fault(status=401))),
    Row("404", misbehaving(Fault(status=404))),
    Row("a page for people", misbehaving(Fault(status=200, content_type="text/html", body="<h1>Log in</h1>"))),
    Row("garbage instead of gzip", raw(garbage_in_gzip)),
    Row("a name that does not exist", lambda _stack, _token: {"host": "https://ryft.invalid"}),
    Row("a certificate of an unknown CA", with_a_certificate_of_an_unknown_ca),
    Row("no TLS at all", lambda stack, token: {"host": misbehaving()(stack, token)["host"].replace("http:", "https:")}),
    Row("a proxy that wants a login", behind_a_proxy(keep_answering(answer("407 Login", b"")))),
    Row("a proxy that hangs", behind_a_proxy(hang_after_reading)),
]


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "lite.db")}))
    monkeypatch.setattr(task_report, "runs_here", lambda _task_instance: True)
    settings = Settings(outbox_path=str(tmp_path / "outbox"), delivery_timeout=TIMEOUT)
    monkeypatch.setattr(task_report, "_settings", lambda: settings)
    yield
    task_report._current = None
    instrumentor.stop()
    instrumentor.uninstall()


@contextmanager
def connected(row: Row, token: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        arranged = row.arrange(stack, token)
        parts = {name: value for name, value in arranged.items() if name in ("host", "extra")}
        monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps({"conn_type": "ryft", "password": token, **parts}))
        yield arranged


def run_task(first: int = 0, count: int = STATEMENTS) -> float:
    """Run a task; return how many seconds its end took."""
    task = SimpleNamespace(dag_id="etl", task_id="load", dag=None)
    task_instance = SimpleNamespace(dag_id="etl", task_id="load", run_id="r", try_number=1, map_index=-1, task=task)
    task_report.start_report(task_instance)
    hook = SqliteHook("lite")
    for number in range(first, first + count):
        hook.run(f"SELECT {number}{', ' + repr('poison') if number in (2, 5) else ''}")
    started = time.monotonic()
    task_report.finish_report(task_instance, None)
    return time.monotonic() - started


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_the_task_notices_nothing_and_no_query_is_lost(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(tmp_path / "outbox")
    with connected(row, token, monkeypatch) as arranged:
        seconds = run_task()
        accepted = arranged["records"]() if "records" in arranged else []
        # What a thread that was left behind still holds is found by the next process.
        stats = outbox.stats()
        waiting = stats.ready.queries + stats.running.queries
        where = f"{len(accepted)} accepted, {waiting} kept, {stats.dead.queries} dead"
        print(f"\n| {row.name} | nothing | {seconds:.2f} s | {where} |")
        assert (waiting, stats.dead.queries) == (row.ready, row.dead)
        if row.ready == 0:
            assert len({record["queryId"] for record in accepted}) == row.accepted
        if "elsewhere" in arranged:
            assert arranged["elsewhere"].requests == []
    assert token not in caplog.text
    assert token.encode() not in b"".join(path.read_bytes() for path in outbox_files(outbox))


def outbox_files(outbox: Outbox) -> list[Path]:
    return [path for path in Path(outbox.path).rglob("*") if path.is_file()]


def test_a_server_that_was_found_dead_is_not_asked_by_the_next_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, sandbox: Sandbox
) -> None:
    """With the breaker open, the end of a task is a rename."""
    row = Row("401", misbehaving(Fault(status=401)))
    with connected(row, token, monkeypatch):
        run_task(count=1)
    monkeypatch.setenv(
        "AIRFLOW_CONN_RYFT_DEFAULT", json.dumps({"conn_type": "ryft", "password": token, "host": sandbox.url})
    )
    seconds = run_task(first=1, count=1)
    print(f"\n| the breaker is open | nothing | {seconds:.3f} s | 2 kept |")
    assert not sandbox.requests
    assert Outbox(tmp_path / "outbox").stats().ready.queries == 2


def test_what_a_refused_token_kept_is_delivered_once_it_is_good_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    from airflow_provider_ryft.hooks.ryft import RyftIngestHook
    from airflow_provider_ryft.shipping.shipper import ship_outbox

    row = Row("401, then 200", misbehaving(Fault(status=401, times=1)))
    with connected(row, token, monkeypatch) as arranged:
        run_task()
        assert arranged["records"]() == []
        shipped = ship_outbox(Outbox(tmp_path / "outbox"), RyftIngestHook().get_conn, deadline=10, force=True)
        assert shipped.accepted == STATEMENTS
        assert len({record["queryId"] for record in arranged["records"]()}) == STATEMENTS
