"""The record that the Ingest API takes: valid or not there at all, and JSON in every case."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
import typing
from collections import OrderedDict
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pandas as pd
import pendulum
import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.exceptions import InvalidQueryError
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query, QueryContext, QueryState, QueryType
from support import strategies

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)

# What the API's page shows, as it shows it.
EXAMPLE = """{
    "context": {
      "catalog": "iceberg",
      "schema": "gold",
      "queryType": "SELECT",
      "user": "my-service",
      "userAgent": "my-client"
    },
    "timestamp": "2026-03-10T12:00:00.000Z",
    "duration_ms": 100,
    "query": "SELECT * FROM gold.my_table",
    "queryId": "test-001",
    "queryState": "FINISHED",
    "tags": ["source:my-engine"]
  }"""
BULK_EXAMPLE = """[
    {
      "context": { "catalog": "iceberg" },
      "queryId": "q-123",
      "query": "SELECT * FROM my_table",
      "queryState": "FINISHED",
      "duration_ms": 1230,
      "timestamp": "2026-03-10T12:00:00.000Z"
    },
    {
      "context": { "catalog": "iceberg" },
      "queryId": "q-124",
      "query": "SELECT count(*) FROM events",
      "queryState": "FINISHED",
      "duration_ms": 450,
      "timestamp": "2026-03-10T12:01:00.000Z"
    }
  ]"""


def query(**changes: Any) -> Query:
    """Build a query that differs from a plain one in what is given."""
    given: dict[str, Any] = {
        "query_id": "q-1",
        "query": "SELECT 1",
        "query_state": "FINISHED",
        "timestamp": NOON,
        "duration_ms": 1,
    }
    return Query(**{**given, **changes})


def strict(line: bytes) -> Any:
    """Decode JSON as a reader does that takes no NaN, no lone surrogate and no key twice."""

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), f"a key twice in {pairs}"
        return dict(pairs)

    text = line.decode("utf-8")
    decoded = json.loads(text, parse_constant=no_constant, object_pairs_hook=no_twins)
    json.dumps(decoded, ensure_ascii=False).encode("utf-8")  # fails for a surrogate that came as an escape
    return decoded


# --- the API's own JSON


def test_single_example_of_the_api_page_round_trips() -> None:
    """The page's single query is read and written back as the same JSON value."""
    payload = json.loads(EXAMPLE)
    assert Query.from_payload(payload).to_payload() == payload


def test_bulk_example_of_the_api_page_round_trips() -> None:
    """Each query of the page's array is read, and encoded to the same JSON value."""
    payloads = json.loads(BULK_EXAMPLE)
    assert [strict(Query.from_payload(payload).encode()) for payload in payloads] == payloads


def test_example_is_read_into_the_fields_with_their_types() -> None:
    """Reading the page's example gives the attributes that a program works with."""
    read = Query.from_payload(json.loads(EXAMPLE))
    assert read == Query(
        context=QueryContext(
            catalog="iceberg",
            schema="gold",
            query_type=QueryType.SELECT,
            user="my-service",
            user_agent="my-client",
        ),
        timestamp=NOON,
        duration_ms=100,
        query="SELECT * FROM gold.my_table",
        query_id="test-001",
        query_state=QueryState.FINISHED,
        tags=("source:my-engine",),
    )


def test_every_field_of_the_api_page_is_carried() -> None:
    """A payload with every field that the page lists is written back as the same JSON value."""
    assert strict(Query.from_payload(strategies.VALID).encode()) == strategies.VALID


def test_absent_fields_are_left_out() -> None:
    """What was not given is not in the payload, but the context is, as the API requires."""
    assert query().to_payload() == {
        "context": {},
        "queryId": "q-1",
        "query": "SELECT 1",
        "queryState": "FINISHED",
        "timestamp": "2026-03-10T12:00:00.000Z",
        "duration_ms": 1,
    }


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (
            QueryType,
            "SELECT EXPLAIN DESCRIBE INSERT UPDATE DELETE ANALYZE DATA_DEFINITION ALTER_TABLE_EXECUTE MERGE",
        ),
        (QueryState, "FINISHED SUCCEEDED FAILED"),
        (ErrorType, "USER_ERROR INTERNAL_ERROR INSUFFICIENT_RESOURCES EXTERNAL"),
    ],
)
def test_enumerations_are_those_of_the_api_page(enum: type[QueryType], values: str) -> None:
    """The enumerations have the page's values, no more and no fewer."""
    assert [member.value for member in enum] == values.split()


def test_failure_is_one_object_or_several() -> None:
    """``failureInfo`` stays one object where it was one, and a list where it was a list, even of one."""
    one = {"errorCode": {"type": "EXTERNAL"}}
    for shape in (one, [one], [one, {**one, "failureMessage": "second"}]):
        payload = {**strategies.VALID, "failureInfo": shape}
        assert Query.from_payload(payload).to_payload()["failureInfo"] == shape


def test_attribute_takes_a_failure_several_and_their_payloads() -> None:
    """``failure_info`` takes objects as well as payloads, in a list or alone."""
    failure = FailureInfo(error_type="EXTERNAL", error_code=7)
    payload = {"errorCode": {"type": "EXTERNAL", "code": 7}}
    assert query(failure_info=failure) == query(failure_info=payload)
    assert query(failure_info=[failure, payload]) == query(failure_info=(payload, failure))
    assert query(failure_info=[failure]).failure_info == (failure,)


@pytest.mark.parametrize("field", ["tags", "failure_info"])
@pytest.mark.parametrize("nothing", [None, [], ()])
def test_an_empty_list_is_the_same_as_none(field: str, nothing: object) -> None:
    """No tags and no failures are one and the same, however they are spelt, and are left out."""
    empty = query(**{field: nothing})
    assert empty == query()
    assert hash(empty) == hash(query())
    assert empty.to_payload() == query().to_payload()


def test_context_as_payload_is_read() -> None:
    """``context`` takes a payload as well as an object."""
    assert query(context={"queryType": "MERGE"}).context == QueryContext(query_type=QueryType.MERGE)


@given(strategies.queries())
def test_reading_what_was_written_gives_the_same_query(original: Query) -> None:
    """``from_payload(to_payload(q)) == q``, also by way of the wire."""
    assert Query.from_payload(original.to_payload()) == original
    assert Query.from_payload(strict(original.encode())) == original


@given(strategies.payloads())
def test_a_valid_payload_loses_nothing(payload: dict[str, Any]) -> None:
    """A payload is written back as it was, but for the spelling of its time and empty lists."""
    expected = {name: value for name, value in payload.items() if value != []}
    written = Query.from_payload(payload).to_payload()
    expected["timestamp"] = written["timestamp"]
    assert written == expected
    assert Query.from_payload(written) == Query.from_payload(payload)


@given(strategies.queries())
def test_wire_is_strict_json_in_one_line(original: Query) -> None:
    """What is encoded is UTF-8, one line, strict JSON, and equal to the payload."""
    line = original.encode()
    assert b"\n" not in line
    assert b"\r" not in line
    assert strict(line) == original.to_payload()


@given(strategies.queries())
def test_pickle_copy_and_replace_keep_a_query_and_its_hash(original: Query) -> None:
    """Copies of every kind equal the original, are hashed alike, and encode to the same bytes."""
    line = original.encode()
    copies = [
        pickle.loads(pickle.dumps(original)),
        copy.copy(original),
        copy.deepcopy(original),
        dataclasses.replace(original),
    ]
    for twin in copies:
        assert twin == original
        assert hash(twin) == hash(original)
        assert twin.encode() == line


def test_encoding_is_done_once() -> None:
    """The second call gives the very bytes of the first."""
    one = query()
    assert one.encode() is one.encode()


def test_replace_does_not_keep_the_old_bytes() -> None:
    """A changed copy is encoded again, and checked."""
    original = query()
    original.encode()
    assert strict(dataclasses.replace(original, query="SELECT 2").encode())["query"] == "SELECT 2"
    with pytest.raises(InvalidQueryError, match="duration_ms"):
        dataclasses.replace(original, duration_ms=-1)


# --- cannot change


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Query)])
def test_query_cannot_be_changed(name: str) -> None:
    """No attribute can be set or deleted."""
    one = query()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, name, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(one, name)


def test_query_takes_no_further_attributes() -> None:
    """A misspelt attribute is an error, not a silent addition."""
    with pytest.raises((AttributeError, TypeError)):
        query().tag = "x"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="querry"):
        query(querry="SELECT 1")


def test_changing_what_it_was_made_from_does_not_change_it() -> None:
    """Lists and objects that were given are copied."""
    payload = copy.deepcopy(strategies.VALID)
    read = Query.from_payload(payload)
    payload["tags"].append("later")
    payload["context"]["user"] = "mallory"
    payload["failureInfo"]["errorCode"]["type"] = "EXTERNAL"
    written = read.to_payload()
    assert written == strategies.VALID
    written["context"]["user"] = "mallory"
    assert read.to_payload() == strategies.VALID


def test_repr_does_not_show_the_statement() -> None:
    """The text of a statement, which may hold secrets, is not in the ``repr``."""
    shown = repr(query(query="SELECT 'hunter2'"))
    assert "q-1" in shown
    assert "hunter2" not in shown


def test_annotations_can_be_read_at_runtime() -> None:
    """Type hints resolve, for the tools that read them."""
    assert typing.get_type_hints(Query)["context"] is QueryContext


# --- text


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\ud800x", "\ufffdx"),
        ("\ud800\ud800\udc00", "\ufffd\U00010000"),
        ("\ud83e\udd86", "🦆"),
        ("nul \x00 stays", "nul \x00 stays"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("1\u2028", "1\u2028"),
    ],
)
def test_text_becomes_what_utf8_can_carry(given_text: str, kept: str) -> None:
    """A pair of surrogates is its character, a lone one is replaced, and all else stays as it is."""
    one = query(query=given_text, query_id=given_text, tags=[given_text], context=QueryContext(user=given_text))
    assert strict(one.encode()) == {
        **query().to_payload(),
        "query": kept,
        "queryId": kept,
        "tags": [kept],
        "context": {"user": kept},
    }


@given(st.text())
def test_any_text_is_carried(text: str) -> None:
    """Whatever text Python holds goes to the wire, unchanged where UTF-8 can say it."""
    carried = strict(query(query=text).encode())["query"]
    try:
        text.encode()
    except UnicodeEncodeError:
        assert "\ufffd" in carried or len(carried) < len(text)
    else:
        assert carried == text


def test_megabytes_of_text_are_carried_whole() -> None:
    """Nothing is cut, and text is not blown up by escapes."""
    text = "SELECT 'ü🦆' -- " + "表" * 2_000_000
    line = query(query=text).encode()
    assert strict(line)["query"] == text
    assert len(line) < len(text.encode()) + 300


def test_text_of_a_subclass_becomes_plain_text() -> None:
    """A string of another type, such as a template's, is kept as plain text, which any process can unpickle."""

    class Markup(str):
        __slots__ = ()

    assert type(query(query=Markup("SELECT 1")).query) is str


# --- times


@pytest.mark.parametrize(
    ("given_time", "written"),
    [
        (NOON, "2026-03-10T12:00:00.000Z"),
        (datetime(2026, 3, 10, 14, tzinfo=timezone(timedelta(hours=2))), "2026-03-10T12:00:00.000Z"),
        (pendulum.datetime(2026, 3, 10, 8, tz="America/New_York"), "2026-03-10T12:00:00.000Z"),
        (datetime(2026, 3, 10, 12, 0, 0, 999_999, tzinfo=timezone.utc), "2026-03-10T12:00:00.999Z"),
        (datetime(33, 1, 2, tzinfo=timezone.utc), "0033-01-02T00:00:00.000Z"),
        ("2026-03-10T12:00:00Z", "2026-03-10T12:00:00.000Z"),
        ("2026-03-10t12:00:00z", "2026-03-10T12:00:00.000Z"),
        ("2026-03-10 12:00Z", "2026-03-10T12:00:00.000Z"),
        ("20260310T120000Z", "2026-03-10T12:00:00.000Z"),
        ("2026-03-10T12:00:00,5Z", "2026-03-10T12:00:00.500Z"),
        ("2026-03-10T12:00:00.123456789Z", "2026-03-10T12:00:00.123Z"),
        ("2026-03-10T14:00:00+02:00", "2026-03-10T12:00:00.000Z"),
        ("2026-03-10T14:00:00+0200", "2026-03-10T12:00:00.000Z"),
        ("2026-03-10T14:00:00+02", "2026-03-10T12:00:00.000Z"),
        ("2026-03-10T08:30:00-03:30", "2026-03-10T12:00:00.000Z"),
        ("2026-03-09T23:00:00-13:00", "2026-03-10T12:00:00.000Z"),
    ],
)
def test_times_are_written_in_utc_with_milliseconds(given_time: datetime | str, written: str) -> None:
    """Aware times of every kind, and ISO 8601 text, are written as UTC in milliseconds with a Z."""
    assert query(timestamp=given_time).to_payload()["timestamp"] == written


@given(strategies.moments())
def test_a_time_is_kept_to_the_millisecond(moment: datetime) -> None:
    """What is kept is the same instant, less than a millisecond earlier at the most."""
    kept = query(timestamp=moment).timestamp
    assert timedelta(0) <= moment - kept < timedelta(milliseconds=1)
    assert kept.tzinfo is timezone.utc
    assert type(kept) is datetime


@pytest.mark.parametrize(
    "moment",
    [
        pd.Timestamp("2026-03-10T12:00:00.123456789Z").tz_convert(timezone.utc),
        pendulum.DateTime(2026, 3, 10, 12, 0, 0, 123_456, tzinfo=timezone.utc),
    ],
)
def test_a_time_of_a_library_becomes_a_plain_one(moment: datetime) -> None:
    """Its class may know nanoseconds, and compare otherwise."""
    kept = query(timestamp=moment).timestamp
    assert type(kept) is datetime
    assert kept == NOON.replace(microsecond=123_000)


@pytest.mark.parametrize("naive", [NOON.replace(tzinfo=None), pendulum.naive(2026, 3, 10, 12), "2026-03-10T12:00:00"])
def test_a_time_without_a_zone_is_an_error(naive: datetime | str) -> None:
    """A naive time is not guessed at; the error says what is missing and what is allowed."""
    with pytest.raises(InvalidQueryError, match=r"timestamp: has no time zone \(.*2026.*allowed: .*offset"):
        query(timestamp=naive)


def test_a_time_that_is_missing_in_a_frame_is_no_time() -> None:
    """``NaT`` is a ``datetime``, of which nothing can be asked."""
    with pytest.raises(InvalidQueryError, match=r"timestamp: must be a datetime .*, not NaTType NaT"):
        query(timestamp=pd.NaT)


def test_a_date_is_no_time() -> None:
    """A ``date`` is refused, though ``datetime`` is one."""
    with pytest.raises(InvalidQueryError, match=r"timestamp: must be a datetime .*, not date datetime.date\(2026"):
        query(timestamp=date(2026, 3, 10))


@pytest.mark.parametrize(
    "edge",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
    ],
)
def test_a_time_outside_the_calendar_is_an_error(edge: datetime) -> None:
    """A time that is before the year 1 or after 9999 in UTC is refused with a reason."""
    with pytest.raises(InvalidQueryError, match="timestamp: is outside the years 1 to 9999"):
        query(timestamp=edge)


# --- errors


@pytest.mark.parametrize(("payload", "field"), [pytest.param(*case[:2], id=case.name) for case in strategies.INVALID])
def test_an_invalid_payload_names_the_field(payload: Any, field: str) -> None:
    """Each class of error of each field is one error that names the field, in a sentence of bounded length."""
    with pytest.raises(InvalidQueryError) as caught:
        Query.from_payload(payload)
    assert caught.value.field == field
    assert str(caught.value) == (f"{field}: {caught.value.problem}" if field else caught.value.problem)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"queryState": "FINISHD"}, "must be one of FINISHED, SUCCEEDED, FAILED, not str 'FINISHD' (did you mean"),
        ({"queryState": "finished"}, "not str 'finished' (did you mean FINISHED?)"),
        ({"context": {"queryType": "ALTER"}}, "context.queryType: must be one of SELECT, EXPLAIN, DESCRIBE, INSERT"),
        ({"failureInfo": {"errorCode": {"type": "USER"}}}, "must be one of USER_ERROR, INTERNAL_ERROR, INSUFFICIENT"),
        ({"duration_ms": True}, "duration_ms: must be a number, not bool True"),
        ({"duration_ms": "12"}, "duration_ms: must be a number, not str '12'"),
        ({"duration_ms": -1}, "duration_ms: must be a number of milliseconds, 0 or more, not int -1"),
        ({"duration_ms": math.nan}, "duration_ms: must be a finite number, not float nan"),
        ({"duration_ms": 10**400}, "duration_ms: must be a finite number, not int 1000000000"),
        ({"duration_ms": 10**5000}, "duration_ms: must be a finite number, not int of too many digits"),
        ({"duration_ms": Decimal("1.5")}, "duration_ms: must be a number, not Decimal Decimal('1.5')"),
        ({"duration_ms": timedelta(1)}, "duration_ms: must be a number, not timedelta datetime.timedelta(days=1)"),
        ({"query": b"SELECT 1"}, "query: must be text, not bytes b'SELECT 1'"),
        ({"queryId": "  "}, "queryId: must not be empty, got str '  '"),
        ({"tags": "a,b"}, "tags: must be a list of texts, not str 'a,b'"),
        ({"tags": {"a"}}, "tags: must be a list of texts, not set {'a'}"),
        ({"tags": ["a", 2]}, "tags[1]: must be text, not int 2"),
        ({"timestamp": "yesterday"}, "or ISO 8601 text with an offset such as 2026-03-10T12:00:00.000Z, not str 'yest"),
        ({"context": None}, "context: must not be null; leave it out if there is none"),
        ({"context": "iceberg"}, "context: must be a JSON object, not str 'iceberg'"),
    ],
)
def test_an_error_names_field_value_and_what_is_allowed(payload: dict[str, Any], message: str) -> None:
    """The message says where, what was given, and what would be right."""
    with pytest.raises(InvalidQueryError) as caught:
        Query.from_payload({**strategies.VALID, **payload})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("query_id", "queryId"),
        ("queryID", "queryId"),
        ("durationMs", "duration_ms"),
        ("duration", "duration_ms"),
        ("time_stamp", "timestamp"),
        ("failure_info", "failureInfo"),
        ("tag", "tags"),
        ("context.catalogue", "catalog"),
        ("context.query_type", "queryType"),
        ("context.server_version", "serverVersion"),
        ("context.useragent", "userAgent"),
        ("failureInfo.errorcode", "errorCode"),
        ("failureInfo.failure_message", "failureMessage"),
        ("failureInfo.errorCode.Type", "type"),
    ],
)
def test_a_misspelt_key_is_an_error_that_suggests_the_right_one(path: str, meant: str) -> None:
    """A near miss is not dropped in silence: the error says which key was meant."""
    with pytest.raises(InvalidQueryError) as caught:
        Query.from_payload(strategies.changed(path, "x"))
    assert str(caught.value) == f"{path}: unknown field; did you mean {meant}?"


def test_an_unknown_key_is_an_error_that_lists_the_known_ones() -> None:
    """A key that resembles none gets the list of those there are."""
    with pytest.raises(
        InvalidQueryError, match=r"failureInfo\.errorCode\.xyz: unknown field; allowed: code, name, type"
    ):
        Query.from_payload(strategies.changed("failureInfo.errorCode.xyz", 1))


@pytest.mark.parametrize(
    "name", ["", "a b", "x" * 1_000_000, "a\ud800", "line\nbreak", 5, pytest.param(10**5000, id="huge"), ("a",)]
)
@pytest.mark.parametrize("where", ["", "context", "failureInfo", "failureInfo.errorCode"])
def test_a_strange_key_does_not_spoil_the_message(name: object, where: str) -> None:
    """Whatever a key is, the error is one short line that can be printed."""
    payload = copy.deepcopy(strategies.VALID)
    target = payload
    for step in where.split(".") if where else []:
        target = target[step]
    target[name] = 1  # type: ignore[index]
    with pytest.raises(InvalidQueryError, match="unknown field") as caught:
        Query.from_payload(payload)
    assert caught.value.field.startswith(where)
    message = str(caught.value)
    assert len(message) < 250
    assert "\n" not in message
    message.encode()


@pytest.mark.parametrize(
    "value",
    [b"x" * 1_000_000, [["x" * 1_000] * 50] * 50, {"k" * 1_000: {"k": ["x"] * 1_000}}, type("Odd", (), {})()],
    ids=["bytes", "lists", "objects", "instance"],
)
@pytest.mark.parametrize("field", ["queryId", "duration_ms", "queryState", "timestamp", "tags", "failureInfo"])
def test_a_huge_value_is_shown_shortened(field: str, value: object) -> None:
    """An error shows the beginning of a value, however large it is."""
    with pytest.raises(InvalidQueryError) as caught:
        Query.from_payload({**strategies.VALID, field: value})
    assert len(str(caught.value)) < 300


def test_an_object_that_cannot_be_shown_is_still_named() -> None:
    """A value whose ``repr`` fails gives the same error as any other."""

    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(InvalidQueryError, match="duration_ms: must be a number, not Mute"):
        query(duration_ms=Mute())


@pytest.mark.parametrize(
    "change",
    [
        {"query_id": ""},
        {"query_id": None},
        {"query": None},
        {"query_state": "DONE"},
        {"timestamp": None},
        {"duration_ms": None},
        {"duration_ms": math.inf},
        {"context": None},
        {"tags": "a"},
        {"failure_info": "broken"},
        {"failure_info": [None]},
    ],
)
def test_an_object_cannot_be_built_invalid(change: dict[str, Any]) -> None:
    """The constructor refuses what ``from_payload`` refuses, by the API's own names."""
    with pytest.raises(InvalidQueryError) as caught:
        query(**change)
    (attribute,) = change
    path = Query._keys[attribute].path
    assert caught.value.field.split("[")[0] == path


def test_parts_cannot_be_built_invalid() -> None:
    """Context and failure are checked when they are made, each under its own name."""
    with pytest.raises(InvalidQueryError, match=r"context\.queryType: must be one of"):
        QueryContext(query_type="SELEC")
    with pytest.raises(InvalidQueryError, match=r"failureInfo\.errorCode\.type: must be one of"):
        FailureInfo(error_type=None)
    with pytest.raises(InvalidQueryError, match=r"failureInfo\.errorCode\.code: must be a number"):
        FailureInfo(error_type="EXTERNAL", error_code=True)


def test_first_failure_and_second_are_told_apart() -> None:
    """An error in a list of failures says which one."""
    with pytest.raises(InvalidQueryError, match=r"failureInfo\[1\].failureType: must be text"):
        query(failure_info=[FailureInfo(error_type="EXTERNAL"), {"errorCode": {"type": "EXTERNAL"}, "failureType": 1}])


def test_an_error_is_a_value_error_and_survives_pickling() -> None:
    """The error can be caught as ``ValueError``, and cross a process boundary with all that it says."""
    with pytest.raises(ValueError) as caught:
        query(duration_ms=-1)
    error = caught.value
    assert isinstance(error, InvalidQueryError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.field, again.problem) == (
        InvalidQueryError,
        str(error),
        "duration_ms",
        error.problem,
    )


def test_any_mapping_is_read() -> None:
    """A payload may be any mapping, such as a row of a database."""
    assert Query.from_payload(MappingProxyType(OrderedDict(strategies.VALID))) == Query.from_payload(strategies.VALID)


@given(st.dictionaries(st.sampled_from([*strategies.VALID, "x"]), st.none() | st.integers() | st.text(max_size=5)))
def test_nonsense_is_refused_with_the_one_kind_of_error(payload: dict[str, Any]) -> None:
    """Whatever is put into a payload, the answer is a query or an :class:`InvalidQueryError`."""
    for candidate in (payload, {**strategies.VALID, **payload}):
        with suppress(InvalidQueryError):
            strict(Query.from_payload(candidate).encode())
