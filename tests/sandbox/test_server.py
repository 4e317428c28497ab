"""The sandbox answers as an ingest API does, and misbehaves as its faults say."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.sandbox.state import MAX_BODY, Request
from support.strategies import INVALID, VALID, Invalid, payloads

PATH = "/ingest/push/queries"
# Some of each kind; the schema's own test has them all.
JSON_INVALID = [invalid for invalid in INVALID if not re.search("NaN|Infinity", json.dumps(invalid.payload))][::5]
Post = Callable[..., requests.Response]


def payload(query_id: str = "q-1", **fields: Any) -> dict[str, Any]:
    return {**VALID, "queryId": query_id, **fields}


@pytest.fixture(autouse=True)
def _without_a_traceback(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail what makes the sandbox stumble: it would otherwise look like one more lost connection."""
    yield
    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture
def post(sandbox: Sandbox, token: str) -> Iterator[Post]:
    """Return a function that posts a body, or a value as JSON, over one kept connection."""
    with requests.Session() as session:

        def push(
            value: Any = None, *, body: bytes | None = None, path: str = PATH, **headers: str | bytes
        ) -> requests.Response:
            given = {name.replace("_", "-"): text for name, text in headers.items()}
            return session.post(
                sandbox.url + path,
                data=json.dumps(value).encode() if body is None else body,
                headers={"X-Ryft-Token": token, "Content-Type": "application/json", **given},
                timeout=60,
                allow_redirects=False,
            )

        yield push


def raw(sandbox: Sandbox, *sent: bytes) -> bytes:
    """Send bytes over one connection and return all that comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=60) as connection:
        for part in sent:
            connection.sendall(part)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


def until_reset(connection: socket.socket) -> bytes:
    """Return all that comes until the connection is reset; an ordinary end is an error."""
    received = b""
    try:
        while byte := connection.recv(1):
            received += byte
    except ConnectionResetError:
        return received
    raise AssertionError(received)


def head(token: str, length: object, *more: str) -> bytes:
    lines = [
        f"POST {PATH} HTTP/1.1",
        "Host: 127.0.0.1",
        f"X-Ryft-Token: {token}",
        "Content-Type: application/json",
        *([] if length is None else [f"Content-Length: {length}"]),
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_accepts_a_single_object(sandbox: Sandbox, post: Post) -> None:
    answer = post(payload())
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    assert sandbox.records() == [payload()]


def test_accepts_an_array_in_its_order(sandbox: Sandbox, post: Post) -> None:
    answer = post([payload("q-1"), payload("q-2"), payload("q-1")])
    assert (answer.status_code, answer.json()) == (200, {"accepted": 3})
    assert [record["queryId"] for record in sandbox.records()] == ["q-1", "q-2", "q-1"]


def test_accepts_an_empty_array(sandbox: Sandbox, post: Post) -> None:
    answer = post([])
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0})
    assert sandbox.records() == []


def test_accepts_a_content_type_with_a_charset(post: Post) -> None:
    assert post(payload(), Content_Type="application/json; charset=utf-8").status_code == 200


def test_accepts_any_query_that_the_client_sends(sandbox: Sandbox, token: str) -> None:
    with IngestClient(token, base_url=sandbox.url) as client:

        @settings(max_examples=50, deadline=None)
        @given(sent=payloads())
        def check(sent: dict[str, Any]) -> None:
            sandbox.store.clear()
            query = Query.from_payload(sent)
            assert client.push([query]).accepted == 1
            assert sandbox.records() == [query.to_payload()]

        check()


def test_accepts_many_requests_over_one_connection(sandbox: Sandbox, token: str) -> None:
    body = json.dumps(payload()).encode()
    request = head(token, len(body)) + body
    last = head(token, len(body), "Connection: close") + body
    received = raw(sandbox, request * 49 + last)
    assert received.count(b"HTTP/1.1 200 OK") == 50
    assert sandbox.store.count() == 50


def test_a_client_of_http_1_0_is_not_left_waiting(sandbox: Sandbox, token: str) -> None:
    request = head(token, 2).replace(b"HTTP/1.1", b"HTTP/1.0", 1) + b"[]"
    assert raw(sandbox, request).startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_was_accepted_survives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    for number in range(2):
        with Sandbox(db=path) as sandbox, IngestClient("any", base_url=sandbox.url) as client:
            client.push([Query.from_payload(payload(f"q-{number}"))])
    with Sandbox(db=path) as sandbox:
        assert [record["queryId"] for record in sandbox.records()] == ["q-0", "q-1"]
        assert requests.get(f"{sandbox.url}/queries", timeout=60).json() == sandbox.records()[::-1]


def test_sixteen_pushers_at_once_lose_nothing(sandbox: Sandbox, token: str) -> None:
    def push(thread: int) -> None:
        with IngestClient(token, base_url=sandbox.url, max_batch_count=7) as client:
            results.append(client.push(Query.from_payload(payload(f"q-{thread}-{n}")) for n in range(100)))

    results: list[Any] = []
    threads = [threading.Thread(target=push, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.accepted for result in results] == [100] * 16
    received = sorted(record["queryId"] for record in sandbox.records())
    assert received == sorted(f"q-{thread}-{n}" for thread in range(16) for n in range(100))


@pytest.mark.parametrize("invalid", JSON_INVALID, ids=[invalid.name for invalid in JSON_INVALID])
def test_a_bad_record_refuses_the_whole_request_and_names_its_field(
    sandbox: Sandbox, post: Post, invalid: Invalid
) -> None:
    answer = post([payload("good"), invalid.payload])
    assert answer.status_code == 400
    (reason,) = answer.json()["reasons"]
    assert reason["position"] == 1
    assert reason["problem"].startswith(f"{invalid.field or 'record'}: ")
    assert sandbox.records() == []


def test_reasons_have_position_id_and_problem(post: Post) -> None:
    answer = post([payload(), payload("bad", duration_ms="long"), 7])
    assert answer.json() == {
        "error": "None of the 3 queries was taken; problems found: 2",
        "reasons": [
            {"position": 1, "queryId": "bad", "problem": 'duration_ms: must be a finite number, not "long"'},
            {"position": 2, "queryId": None, "problem": "record: must be of type object, not 7"},
        ],
    }


def test_reasons_end_after_twenty(post: Post) -> None:
    answer = post([7] * 1_000_000)
    assert answer.status_code == 400
    assert answer.json()["error"] == "None of the 1000000 queries was taken; problems found: 20 or more"
    assert [reason["position"] for reason in answer.json()["reasons"]] == list(range(20))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value"),
        (b"   ", "Expecting value"),
        (b"[", "Expecting value"),
        (b"{'queryId': 1}", "property name"),
        (b"[]]", "Extra data"),
        (b"\xef\xbb\xbf[]", "BOM"),
        (b'["\xff"]', "utf-8"),
        ("[]".encode("utf-16"), "utf-8"),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"[" * 100_000, "recursion"),
        (b"[" + b"1" * 5_000 + b"]", "4300"),
    ],
)
def test_refuses_what_is_no_json(sandbox: Sandbox, post: Post, body: bytes, reason: str) -> None:
    answer = post(body=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The body is not JSON: ")
    assert reason in answer.json()["error"]
    assert sandbox.records() == []


@pytest.mark.parametrize("depth", range(100, 1_001, 25))
def test_refuses_what_is_nested_too_deeply_for_some_of_python(post: Post, depth: int) -> None:
    nested = b'{"context": ' + b"[" * depth + b"]" * depth + b"}"
    assert post(body=nested).status_code == 400
    assert post(payload()).status_code == 200


@pytest.mark.parametrize("field", ["queryId", "query", "tags"])
def test_refuses_half_a_surrogate_pair(sandbox: Sandbox, post: Post, field: str) -> None:
    value = "a\ud83e" if field != "tags" else ["a\ud83e"]
    answer = post(payload(**{field: value}))
    assert answer.status_code == 400
    assert answer.json() == {"error": "The body holds half a surrogate pair, which is no character."}
    assert sandbox.records() == []


def test_accepts_an_escaped_character_that_is_whole(sandbox: Sandbox, post: Post) -> None:
    body = json.dumps(payload("🦆", tags=["🦆"])).encode()
    assert b"\\ud83e\\udd86" in body
    assert post(body=body).status_code == 200
    assert sandbox.records()[0]["queryId"] == "🦆"


@pytest.mark.parametrize("duration", [b"1e400", b"-1e400", b"1" + b"0" * 400])
def test_refuses_numbers_that_no_double_holds(post: Post, duration: bytes) -> None:
    body = json.dumps(payload()).encode().replace(b'"duration_ms": 12.5', b'"duration_ms": ' + duration)
    answer = post(body=body)
    assert answer.status_code == 400
    assert answer.json()["reasons"][0]["problem"].startswith("duration_ms: must be a finite number")


@pytest.mark.parametrize("wrong", [b"", b"wrong", b"s3cret-token-of-the-suit", b"t\xe4uschend"])
def test_refuses_a_wrong_token(sandbox: Sandbox, post: Post, wrong: bytes) -> None:
    answer = post(payload(), X_Ryft_Token=wrong)
    assert (answer.status_code, answer.json()) == (401, {"error": "X-Ryft-Token is missing or wrong."})
    assert sandbox.records() == []


def test_refuses_a_missing_token_where_any_is_accepted() -> None:
    with Sandbox() as sandbox:
        statuses = [
            requests.post(sandbox.url + PATH, json=[], headers=headers, timeout=60).status_code
            for headers in ({}, {"X-Ryft-Token": ""}, {"X-Ryft-Token": "any"})
        ]
    assert statuses == [401, 401, 200]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_refuses_another_content_type(sandbox: Sandbox, post: Post, kind: str) -> None:
    assert post(payload(), Content_Type=kind).status_code == 415
    assert sandbox.records() == []


def test_refuses_a_body_of_unknown_length(sandbox: Sandbox, token: str) -> None:
    chunked = head(token, None, "Transfer-Encoding: chunked") + b"2\r\n[]\r\n0\r\n\r\n"
    for request in (chunked, *[head(token, length) for length in (None, "x", "-1", "1.5", "٣", "9" * 5_000)]):
        assert raw(sandbox, request).startswith(b"HTTP/1.1 411 "), request


def test_refuses_a_body_that_is_too_long(token: str) -> None:
    with Sandbox(token=token, max_body=1_000) as sandbox:
        headers = {"X-Ryft-Token": token, "Content-Type": "application/json"}
        with requests.Session() as session:
            for length, status in ((1_000, 200), (1_001, 413), (7_000, 413), (1_000, 200)):
                body = b"[" + b" " * (length - 2) + b"]"
                answer = session.post(sandbox.url + PATH, data=body, headers=headers, timeout=60)
                assert answer.status_code == status
        assert [request.length for request in sandbox.requests] == [1_000, 1_001, 7_000, 1_000]
    assert MAX_BODY == 10 * 1024 * 1024


def test_refuses_an_unknown_path_and_keeps_the_connection(post: Post) -> None:
    assert post([payload()], path="/ingest/push/query").status_code == 404
    assert post([payload()]).status_code == 200


def test_a_body_that_ends_too_early_is_no_request(sandbox: Sandbox, token: str) -> None:
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2]))) as connection:
        connection.sendall(head(token, 10) + b"[]")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PATH, "POST"),
        ("PUT", PATH, "POST"),
        ("DELETE", PATH, "POST"),
        ("POST", "/", "GET"),
        ("PUT", "/queries", "GET, DELETE"),
        ("POST", "/faults", "GET, PUT, DELETE"),
        ("DELETE", "/health", "GET"),
    ],
)
def test_refuses_other_methods(sandbox: Sandbox, method: str, path: str, allowed: str) -> None:
    answer = requests.request(method, sandbox.url + path, data=b"", timeout=60)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert answer.json() == {"error": f"{path} takes {allowed}, not {method}."}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_body_is_never_taken_for_the_next_request(sandbox: Sandbox, method: str) -> None:
    smuggled = b"DELETE /queries HTTP/1.1\r\n\r\n"
    sandbox.store.add([payload()])
    request = f"{method} /faults HTTP/1.1\r\nContent-Length: {len(smuggled)}\r\n\r\n".encode()
    assert raw(sandbox, request + smuggled).count(b"HTTP/1.1") == 1
    assert sandbox.store.count() == 1


def test_queries_that_cannot_be_kept_are_not_called_accepted(sandbox: Sandbox, post: Post) -> None:
    sandbox.store._db.execute("DROP TABLE delivery")
    answer = post(payload())
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("The queries can't be kept: ")


def test_fault_with_a_status_and_headers(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(status=503, retry_after="7", body="<h1>down</h1>", content_type="text/html", times=1))
    answer = post(payload())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert (answer.headers["Content-Type"], answer.text) == ("text/html", "<h1>down</h1>")
    assert sandbox.records() == []
    assert post(payload()).status_code == 200


@pytest.mark.parametrize("status", [200, 202, 204])
def test_fault_with_a_status_of_success_stores_nothing(sandbox: Sandbox, post: Post, status: int) -> None:
    sandbox.faults.set(Fault(status=status, times=1))
    assert post([7]).status_code == status
    assert sandbox.records() == []
    assert post(payload()).status_code == 200, "the connection goes on"


def test_fault_with_a_status_that_has_no_body_sends_none(sandbox: Sandbox, token: str) -> None:
    sandbox.faults.set(Fault(status=204))
    assert raw(sandbox, head(token, 2, "Connection: close") + b"[]").endswith(b"\r\n\r\n")


def test_fault_with_a_redirect(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(status=307, location="https://elsewhere.example.com/"))
    answer = post(payload())
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.example.com/")


@pytest.mark.parametrize(("reset", "kept"), [("before", 0), ("body", 0), ("stored", 1)])
def test_fault_with_a_reset(sandbox: Sandbox, post: Post, reset: str, kept: int) -> None:
    sandbox.faults.set(Fault(reset=reset, times=1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        post(payload())
    assert sandbox.store.count() == kept
    assert post(payload()).status_code == 200
    assert [request.status for request in sandbox.requests] == [None, 200]


@pytest.mark.parametrize("reset", ["before", "stored"])
def test_a_reset_is_not_an_ordinary_end(sandbox: Sandbox, token: str, reset: str) -> None:
    sandbox.faults.set(Fault(reset=reset))
    with pytest.raises(ConnectionResetError):
        raw(sandbox, head(token, 2) + b"[]")


def test_a_reset_in_the_body_comes_after_the_head_of_a_200(sandbox: Sandbox, token: str) -> None:
    sandbox.faults.set(Fault(reset="body"))
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(head(token, 2) + b"[]")
        assert until_reset(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_reset_in_the_body_of_a_refusal_keeps_its_status(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(reset="body"))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        post(7)
    assert [request.status for request in sandbox.requests] == [400]


def test_a_drip_is_the_same_answer_in_many_pieces(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(drip=0.0001, times=1))
    answer = post(payload())
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    assert post(payload()).status_code == 200, "the connection goes on"


def test_fault_with_a_delay(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(delay=0.01, times=1))
    assert post(payload()).status_code == 200


def test_a_pattern_refuses_the_request_that_holds_it(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(refuse="^bad"))
    answer = post([payload("good"), payload("bad-1"), payload("q-2", query="bad text"), payload("not bad")])
    assert answer.status_code == 400
    assert answer.json()["reasons"] == [
        {"position": 1, "queryId": "bad-1", "problem": "The sandbox was told to refuse it."},
        {"position": 2, "queryId": "q-2", "problem": "The sandbox was told to refuse it."},
    ]
    assert sandbox.records() == []
    assert post([payload("good")]).status_code == 200


def test_fault_with_a_smaller_limit_of_bytes(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.set(Fault(max_bytes=100), Fault(max_bytes=50))
    assert [post(body=b" " * length + b"[]").status_code for length in (48, 49, 99)] == [200, 413, 413]
    assert post(body=b" " * 200).json() == {"error": "200 bytes are more than 50 allowed."}


def test_faults_are_set_through_http(sandbox: Sandbox, post: Post) -> None:
    url = f"{sandbox.url}/faults"
    assert requests.get(url, timeout=60).json() == []
    faults = [{"status": 503, "times": 2}, {"refuse": "bad"}]
    assert requests.put(url, json=faults, timeout=60).json() == faults
    assert post(payload()).status_code == 503
    assert requests.get(url, timeout=60).json() == [{"status": 503, "times": 1}, {"refuse": "bad"}]
    assert requests.put(url, json={"status": 429}, timeout=60).json() == [{"status": 429}]
    assert requests.delete(url, timeout=60).status_code == 200
    assert post(payload()).status_code == 200


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"stauts": 503}', "A fault has no 'stauts'; allowed: status, "),
        (b'[{"status": 503}, {"delay": "1"}]', "delay: must be a number, not '1'"),
        (b"status=503", "The body is not JSON: "),
        (b'{"delay": NaN}', "The body is not JSON: NaN is no JSON number"),
        (b"[" * 100_000, "The body is not JSON: "),
        (b"\xff", "The body is not JSON: "),
        (b"7", "A fault must be a JSON object, not 7"),
    ],
)
def test_bad_faults_are_refused_through_http(sandbox: Sandbox, body: bytes, sentence: str) -> None:
    sandbox.faults.set(Fault(status=500))
    answer = requests.put(f"{sandbox.url}/faults", data=body, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence)
    assert sandbox.faults.waiting() == [Fault(status=500)], "what waited still waits"


def test_a_seed_makes_each_run_alike() -> None:
    def statuses(seed: int) -> list[int | None]:
        with Sandbox(seed=seed) as sandbox, requests.Session() as session:
            sandbox.faults.set(Fault(status=503, probability=0.5))
            for _ in range(40):
                session.post(sandbox.url + PATH, json=[], headers={"X-Ryft-Token": "any"}, timeout=60)
            return [request.status for request in sandbox.requests]

    assert statuses(1) == statuses(1) != statuses(2)


@pytest.fixture
def some(sandbox: Sandbox) -> None:
    for number in range(1, 4):
        state = "FAILED" if number == 2 else "FINISHED"
        sandbox.store.add([payload(f"q-{number}", queryState=state, tags=["dag:a"] * (number < 3))])


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("", ["q-3", "q-2", "q-1"]),
        ("?limit=2", ["q-3", "q-2"]),
        ("?since=1&limit=1", ["q-3"]),
        ("?since=3", []),
        ("?tag=dag:a", ["q-2", "q-1"]),
        ("?tag=dag%3Aa&state=FAILED", ["q-2"]),
        ("?state=SUCCEEDED", []),
        ("?tag=&state=", ["q-3", "q-2", "q-1"]),
    ],
)
def test_queries_come_as_json_the_latest_first(sandbox: Sandbox, wanted: str, ids: list[str]) -> None:
    answer = requests.get(f"{sandbox.url}/queries{wanted}", timeout=60)
    assert answer.headers["Content-Type"] == "application/json"
    assert [record["queryId"] for record in answer.json()] == ids


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("limit=many", "limit and since must be whole numbers."),
        ("since=1e3", "limit and since must be whole numbers."),
        ("since=99999999999999999999", "limit and since must be whole numbers."),
        ("state=OK", "state must be one of FINISHED, SUCCEEDED, FAILED."),
        ("tags=a", "unknown: tags; allowed: tag, state, limit and since."),
    ],
)
@pytest.mark.parametrize("path", ["/queries", "/"])
def test_a_bad_filter_is_explained_in_one_sentence(sandbox: Sandbox, path: str, wanted: str, sentence: str) -> None:
    answer = requests.get(f"{sandbox.url}{path}?{wanted}", timeout=60)
    assert (answer.status_code, answer.json()) == (400, {"error": sentence})


@pytest.mark.usefixtures("some")
def test_later_queries_are_asked_for_with_the_last_number(sandbox: Sandbox, post: Post) -> None:
    health = requests.get(f"{sandbox.url}/health", timeout=60).json()
    assert health == {"queries": 3, "last": 3}
    post(payload("q-4"))
    later = requests.get(f"{sandbox.url}/queries?since={health['last']}", timeout=60).json()
    assert later == [payload("q-4")]


@pytest.mark.usefixtures("some")
def test_queries_can_be_deleted(sandbox: Sandbox) -> None:
    assert requests.delete(f"{sandbox.url}/queries", timeout=60).status_code == 200
    assert requests.get(f"{sandbox.url}/queries", timeout=60).json() == []


@pytest.mark.usefixtures("some")
def test_queries_are_at_no_other_path(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/query", timeout=60).status_code == 404


@pytest.mark.usefixtures("some")
def test_queries_on_the_page(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/?state=FAILED&tag=dag:a", timeout=60)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert re.findall(r"q-\d", answer.text) == ["q-2"]
    assert "1 shown of 3 received" in answer.text


@pytest.mark.usefixtures("some")
def test_queries_on_the_page_are_the_latest_hundred(sandbox: Sandbox) -> None:
    sandbox.store.add(payload(f"many-{number}") for number in range(150))
    text = requests.get(sandbox.url, timeout=60).text
    assert re.findall(r"many-\d+", text) == [f"many-{number}" for number in range(149, 49, -1)]
    assert "100 shown of 153 received" in text
    assert requests.get(f"{sandbox.url}/?limit=2", timeout=60).text.count("<article>") == 2


@pytest.mark.usefixtures("some")
def test_queries_of_any_kind_make_a_page(sandbox: Sandbox) -> None:
    @settings(max_examples=50, deadline=None)
    @given(record=payloads())
    def check(record: dict[str, Any]) -> None:
        sandbox.store.clear()
        sandbox.store.add([record])
        answer = requests.get(sandbox.url, timeout=60)
        assert answer.status_code == 200
        assert answer.text.count("<article>") == 1

    check()


@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(drip=3_600), Fault(delay=3_600)])
def test_it_ends_while_a_request_waits_for_its_answer(fault: Fault) -> None:
    """The request and its thread end with it; what hung would be ended by the suite's own time limit."""
    ended = threading.Event()
    before = set(threading.enumerate())

    def push(url: str) -> None:
        with pytest.raises(requests.RequestException):
            requests.post(url + PATH, json=payload(), headers={"X-Ryft-Token": "any"}, timeout=250)
        ended.set()

    with Sandbox(on_request=lambda _request: arrived.set()) as sandbox:
        arrived = threading.Event()
        sandbox.faults.set(fault)
        threading.Thread(target=push, args=(sandbox.url,), daemon=True).start()
        assert arrived.wait(200)
        assert sandbox.records() == ([] if fault.hang else [payload()])
    assert ended.wait(200)
    for thread in set(threading.enumerate()) - before:
        thread.join(200)
        assert not thread.is_alive()


def test_it_ends_with_idle_connections_open() -> None:
    with Sandbox() as sandbox, requests.Session() as session:
        session.get(f"{sandbox.url}/health", timeout=60)
        connection = socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=60)
        connection.sendall(b"GET /he")
        assert session.get(f"{sandbox.url}/health", timeout=60).status_code == 200
        address = sandbox.url
    with connection, suppress(ConnectionResetError):  # a closed connection may be either
        assert connection.recv(1) == b""
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=60)


def test_its_port_is_free_again_afterwards() -> None:
    with Sandbox() as first:
        port = int(first.url.rpartition(":")[2])
        requests.get(first.url, timeout=60)
    with Sandbox(port=port) as second:
        assert requests.get(second.url, timeout=60).status_code == 200


def test_an_error_inside_is_raised_as_it_is() -> None:
    with pytest.raises(KeyError), Sandbox():
        raise KeyError


@pytest.mark.parametrize("port", [65_536, -1, 1 << 40])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"^Port {port} can't be used: it must be from 0 to 65535. Choose"):
        Sandbox(port=port)


def test_a_port_that_is_taken(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"^Port {port} can't be used: Address already in use. Choose"):
        Sandbox(port=port)


@pytest.mark.parametrize("token", ["", " \n"])
def test_an_empty_token(token: str) -> None:
    with pytest.raises(ConfigurationError, match="The token is empty"):
        Sandbox(token=token)


def test_it_looks_up_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError(arguments)

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname"):
        monkeypatch.setattr(socket, name, fail)
    with Sandbox() as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")


def test_it_listens_on_loopback_only(sandbox: Sandbox) -> None:
    assert sandbox.url.startswith("http://127.0.0.1:")
    assert sandbox._server.server_address[0] == "127.0.0.1"


def test_each_request_to_the_api_is_reported(token: str) -> None:
    reported: list[Request] = []
    query = Query.from_payload(payload())
    with Sandbox(token=token, on_request=reported.append) as sandbox:
        with IngestClient(token, base_url=sandbox.url) as client:
            client.push([query, query])
        requests.get(sandbox.url, timeout=60)
        assert reported == list(sandbox.requests) == [Request(200, 2 * len(query.encode()) + 3, 2)]
        assert sandbox.statuses() == {200: 1}


def test_the_token_is_shown_nowhere(sandbox: Sandbox, post: Post, token: str) -> None:
    answers = [post(payload(), X_Ryft_Token="wrong"), post(payload(duration_ms="x")), post(payload())]
    paths = ("/", "/queries", "/faults", "/health", "/x")
    answers += [requests.get(sandbox.url + path, timeout=60) for path in paths]
    assert not any(token in answer.text or token in str(answer.headers) for answer in answers)
    assert token not in repr(sandbox)
