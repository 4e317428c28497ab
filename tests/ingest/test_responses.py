"""Answers: their class, what is read of them, and when they count."""

from __future__ import annotations

import email.utils
import gzip
import time
from contextlib import closing

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.responses import Response, ResponseClass, classify_status, retry_after
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.pushes import LATER, REFUSED, TOO_LARGE
from support.raw_server import Conversation, RawServer, Talk, answer, keep_answering, within_reason
from support.transports import BODY, LONG, failure, post, transport_to

# --- classes


def test_every_status_is_in_its_class() -> None:
    """No status is in two classes, or in none; what is not listed needs manual action."""
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


# --- answers


def test_a_message_is_one_short_line(sandbox: Sandbox, token: str) -> None:
    """White space is folded, what cannot be printed is left out, and the rest is cut."""
    sandbox.faults.set(Fault(status=400, body="a\r\n\t b\x1b[31m\x00 \u202ec " + "d" * 100_000))
    message = post(sandbox.url, token).message
    assert message.startswith("a b[31m c ddd")
    assert len(message) == 501
    assert message.endswith("…")


def test_a_body_that_is_no_text_is_no_problem(token: str) -> None:
    """Invalid UTF-8 is shown as far as it goes."""
    with RawServer(keep_answering(answer("400 Bad Request", b"\xff\xfeno\x80"))) as server:
        assert post(server.url, token).message == "\ufffd\ufffdno\ufffd"


def test_a_token_that_the_server_repeats_is_masked(token: str) -> None:
    """Neither the body nor the location of an answer shows the token."""
    hidden = "\u200b".join([token[:5], token[5:]])
    body = f"bad token {token}, {token * 30}, {hidden}".encode()
    headers = (f"Location: https://{token}.example/{token}", f"Retry-After: {token}", f"X-Echo: {token}")
    with RawServer(keep_answering(answer("302 Found", body, *headers))) as server:
        said = post(server.url, token)
    assert said.message.startswith("bad token ***, ***")
    assert token[:6] not in repr(said)


@pytest.mark.parametrize(
    ("content_type", "body", "is_html"),
    [
        ("text/html; charset=utf-8", "<!DOCTYPE html><title>Log in</title>", True),
        ("Text/HTML", "\n <h1>Bad gateway</h1>", True),
        ("application/xhtml+xml", "<html></html>", True),
        ("text/html", "OK", False),
        ("text/html", "", False),
        ("application/json", "<html>", False),
        ("application/json", "{}", False),
    ],
)
def test_a_page_for_people_is_recognised(
    sandbox: Sandbox, token: str, content_type: str, body: str, *, is_html: bool
) -> None:
    """A page is not mistaken for text that only has its type, which frameworks give to anything."""
    sandbox.faults.set(Fault(status=200, body=body, content_type=content_type))
    said = post(sandbox.url, token)
    assert said.is_html is is_html
    assert said.message == ("(an HTML page)" if is_html else body)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 413, 429, 500, 503, 599])
def test_any_status_is_an_answer(sandbox: Sandbox, token: str, status: int) -> None:
    """The transport judges nothing."""
    sandbox.faults.set(Fault(status=status, body=""))
    assert post(sandbox.url, token) == Response(status)


def test_a_compressed_answer_is_read(token: str) -> None:
    """A server may compress; what says so and is not compressed is an answer without a message."""
    good = answer("400 Bad", gzip.compress(b"no such field"), "Content-Encoding: gzip")
    with RawServer(keep_answering(good)) as server:
        assert post(server.url, token).message == "no such field"
    with RawServer(keep_answering(answer("200 OK", b"no gzip", "Content-Encoding: gzip"))) as server:
        assert post(server.url, token) == Response(200)


def _broken(status: str) -> Talk:
    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(f"HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\nbegin".encode())

    return talk


def _broken_chunks(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbeg")


@pytest.mark.parametrize(
    "talk", [_broken("200 OK"), _broken("201 Created"), _broken_chunks], ids=["200", "201", "chunks"]
)
def test_a_success_that_breaks_off_confirms_nothing(token: str, talk: Talk) -> None:
    """A 2xx counts only when it arrived whole."""
    with RawServer(talk) as server:
        error = failure(server.url, token)
    assert (error.kind, str(error)) == ("connection", "the connection broke in the middle of its answer")


def test_a_success_counts_only_with_its_last_byte(token: str) -> None:
    """Wherever a connection ends in good order within an answer, its head or its body, it is no answer."""
    whole = answer("200 OK", b'{"accepted": 1}', "Content-Type: application/json", "Connection: close")

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(whole[: conversation.server.connections - 1])

    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        for cut in range(len(whole)):
            with pytest.raises(NoResponseError):
                pytest.fail(f"{whole[:cut]!r} was taken for {transport.post(BODY, LONG)}")
        assert transport.post(BODY, LONG).status == 200


def test_an_answer_may_end_with_its_connection(token: str) -> None:
    """A server of old does not say how long its answer is."""

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"taken" * (conversation.server.connections - 1))

    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        assert transport.post(BODY, LONG) == Response(200)
        assert transport.post(BODY, LONG) == Response(200, "taken")


@pytest.mark.parametrize("status", [302, 401, 503])
def test_a_refusal_that_breaks_off_is_still_one(token: str, status: int) -> None:
    """The status of any other answer counts, whatever became of its body."""
    with RawServer(_broken(f"{status} Whatever")) as server:
        assert post(server.url, token).status == status


@pytest.mark.parametrize("status", [200, 302, 400])
def test_of_a_long_answer_only_the_beginning_is_read(token: str, status: int) -> None:
    """An endless answer is no reason to read without end."""

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(f"HTTP/1.1 {status} Whatever\r\nLocation: /x".encode())
        conversation.send(b"\r\nContent-Length: 1000000000000\r\n\r\n")
        while not conversation.server.is_closing.is_set():
            conversation.send(b"a" * 100_000)

    with RawServer(talk) as server:
        assert within_reason(30, lambda: post(server.url, token)).status == status


# --- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("86400", 86400.0),
        ("999999999999", 999999999999.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("\u0661\u0662", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """Seconds are read, a past date is now, and nonsense is as good as nothing."""
    assert retry_after(value) == seconds


def test_retry_after_of_a_date_is_the_time_until_then() -> None:
    """A date to come is the seconds that are left."""
    seconds = retry_after(email.utils.formatdate(time.time() + 86400, usegmt=True))
    assert seconds is not None
    assert 86400 - 3600 < seconds <= 86400


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{0,9} ?[-+A-Z0-9]{0,6}")
)
def test_retry_after_never_fails(value: str) -> None:
    """Whatever the header says, the result is seconds, 0 or more, or nothing."""
    seconds = retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [429, 503, 413, 301])
def test_retry_after_is_returned_and_not_obeyed(sandbox: Sandbox, token: str, status: int) -> None:
    """The transport sends once, and leaves it to its caller what to do about it."""
    sandbox.faults.set(Fault(status=status, retry_after="86400"))
    assert within_reason(30, lambda: post(sandbox.url, token)).retry_after == 86400
    assert len(sandbox.requests) == 1
