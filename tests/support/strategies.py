"""Hypothesis strategies for queries, and a list of payloads that are none.

``queries()`` gives valid :class:`Query` objects, ``payloads()`` valid JSON objects of the API, and ``INVALID`` payloads
that must be refused, each with the path of the field that the error must name.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pendulum
from hypothesis import strategies as st

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query, QueryContext, QueryState, QueryType

_FIRST, _LAST = datetime(1, 1, 3, tzinfo=timezone.utc), datetime(9999, 12, 29, tzinfo=timezone.utc)
_NAIVE = st.datetimes(_FIRST.replace(tzinfo=None), _LAST.replace(tzinfo=None))
_PIECES = st.sampled_from(
    [
        "",
        "\x00",
        "\x7f",
        "\n",
        "\r\n",
        "\t",
        "\u2028",
        "\u0085",
        '"',
        "\\",
        "</script>",
        "🦆",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        "שלום",
        "\ufeff",
        "\uffff",
        "\U0010ffff",
        "SELECT 'ü' FROM \"таблица\" -- 表",
        "x" * 5_000,
        "🦆" * 2_000,
    ]
)
_SURROGATES = st.sampled_from(["\ud800", "\udfff", "\ud83e\udd86", "\udd86\ud83e", "a\udc80b"])


def texts() -> st.SearchStrategy[str]:
    """Text that UTF-8 can carry, some of it strange or long."""
    return st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30), _PIECES, st.text(max_size=5).flatmap(_around)
    )


def _around(text: str) -> st.SearchStrategy[str]:
    clean = text.encode("utf-8", "replace").decode()
    return _PIECES.map(lambda piece: f"{clean}{piece}{clean}")


def any_texts() -> st.SearchStrategy[str]:
    """Text as Python may hold it: also with surrogates, alone or in pairs."""
    return st.one_of(texts(), st.tuples(texts(), _SURROGATES, texts()).map("".join), st.text(max_size=20))


def identifiers(of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Text that is not blank."""
    return of.filter(lambda text: bool(text.strip()))


def numbers() -> st.SearchStrategy[int | float]:
    """Numbers that a reader of JSON can hold."""
    most = int(1.7e308)
    return st.one_of(
        st.integers(-most, most),
        st.integers(-1_000, 1_000),
        st.floats(allow_nan=False, allow_infinity=False),
    )


def durations() -> st.SearchStrategy[int | float]:
    """Milliseconds, 0 or more."""
    return numbers().map(abs)


def offsets() -> st.SearchStrategy[timezone]:
    """Offsets from UTC in whole minutes, which is what ISO 8601 can write."""
    minutes = st.integers(-23 * 60 - 59, 23 * 60 + 59)
    return minutes.map(lambda m: timezone(timedelta(minutes=m)))


def moments() -> st.SearchStrategy[datetime]:
    """Aware times, of Python and of pendulum, that are in the years 1 to 9999 also in UTC."""
    zones = st.one_of(st.just(timezone.utc), offsets(), st.timezones())
    aware = st.builds(lambda moment, zone: moment.replace(tzinfo=zone), _NAIVE, zones)
    pendulums = st.builds(
        lambda moment, zone: pendulum.instance(moment.replace(tzinfo=timezone.utc)).in_timezone(zone),
        _NAIVE,
        st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]),
    )
    return st.one_of(aware, pendulums)


def times() -> st.SearchStrategy[str]:
    """ISO 8601 text with an offset, in its many spellings."""

    def write(moment: datetime, zone: timezone, form: int, separator: str, utc: str) -> str:
        local = moment.replace(tzinfo=zone)
        offset = local.strftime("%z")
        spelled = [utc, f"{offset[:3]}:{offset[3:]}", offset, offset[:3]][form]
        if form == 0:
            local = moment
        elif form == 3:
            local = moment.replace(tzinfo=None)
        fraction = [
            "",
            f".{moment.microsecond // 1000:03}",
            f",{moment.microsecond:06}",
            f".{moment.microsecond:06}789",
        ]
        date, time = f"{local.year:04}-{local:%m-%d}", f"{local:%H:%M:%S}"
        if moment.second % 2:
            date, time = date.replace("-", ""), time.replace(":", "")
        return f"{date}{separator}{time}{fraction[moment.microsecond % 4]}{spelled}"

    return st.builds(
        write,
        _NAIVE,
        offsets(),
        st.integers(0, 3),
        st.sampled_from(["T", "t", " "]),
        st.sampled_from(["Z", "z"]),
    )


def failures() -> st.SearchStrategy[FailureInfo]:
    """Valid failures."""
    return st.builds(
        FailureInfo,
        error_type=st.sampled_from(ErrorType),
        error_code=st.none() | numbers(),
        error_name=st.none() | any_texts(),
        failure_message=st.none() | any_texts(),
        failure_type=st.none() | any_texts(),
    )


def contexts() -> st.SearchStrategy[QueryContext]:
    """Valid contexts, also empty ones."""
    text = st.none() | any_texts()
    return st.builds(
        QueryContext,
        catalog=text,
        schema=text,
        query_type=st.none() | st.sampled_from(QueryType),
        server_version=text,
        user=text,
        user_agent=text,
    )


def queries() -> st.SearchStrategy[Query]:
    """Valid queries, built as a program would."""
    return st.builds(
        Query,
        context=contexts(),
        query_id=identifiers(any_texts()),
        query=any_texts(),
        query_state=st.sampled_from(QueryState),
        timestamp=moments() | times(),
        duration_ms=durations(),
        tags=st.lists(any_texts(), max_size=4),
        failure_info=st.none() | failures() | st.lists(failures(), max_size=3),
    )


def payloads() -> st.SearchStrategy[dict[str, Any]]:
    """Valid payloads as strict JSON can carry them, any optional field there or not."""
    code = st.fixed_dictionaries(
        {"type": st.sampled_from([kind.value for kind in ErrorType])},
        optional={"code": numbers(), "name": texts()},
    )
    failure = st.fixed_dictionaries({"errorCode": code}, optional={"failureMessage": texts(), "failureType": texts()})
    context = st.fixed_dictionaries(
        {},
        optional={
            "catalog": texts(),
            "schema": texts(),
            "queryType": st.sampled_from([kind.value for kind in QueryType]),
            "serverVersion": texts(),
            "user": texts(),
            "userAgent": texts(),
        },
    )
    return st.fixed_dictionaries(
        {
            "context": context,
            "queryId": identifiers(texts()),
            "query": texts(),
            "queryState": st.sampled_from([state.value for state in QueryState]),
            "timestamp": times(),
            "duration_ms": durations(),
        },
        optional={
            "tags": st.lists(texts(), max_size=4),
            "failureInfo": failure | st.lists(failure, max_size=3),
        },
    )


class Invalid(NamedTuple):
    """A payload that must be refused.

    :param payload: the decoded JSON value
    :param field: the path that the error must name; empty if it is the payload as a whole
    :param name: what is wrong, for the test's id
    """

    payload: Any
    field: str
    name: str


VALID: dict[str, Any] = {
    "context": {
        "catalog": "iceberg",
        "schema": "gold",
        "queryType": "SELECT",
        "serverVersion": "476",
        "user": "airflow",
        "userAgent": "suite",
    },
    "queryId": "q-1",
    "query": "SELECT 1",
    "queryState": "FAILED",
    "timestamp": "2026-03-10T12:00:00.000Z",
    "duration_ms": 12.5,
    "tags": ["dag:sales", "task:load"],
    "failureInfo": {
        "errorCode": {"type": "USER_ERROR", "code": 1, "name": "SYNTAX_ERROR"},
        "failureMessage": "line 1:8: no such column",
        "failureType": "io.trino.spi.TrinoException",
    },
}
"""A payload with every field; each entry of ``INVALID`` differs from it in one."""

_ABSENT = object()


def changed(path: str, value: Any, of: dict[str, Any] = VALID) -> dict[str, Any]:
    """Return a payload whose field at ``path`` is another one."""
    payload = deepcopy(of)
    *parents, name = path.split(".")
    target = payload
    for parent in parents:
        target = target[parent]
    if value is _ABSENT:
        del target[name]
    else:
        target[name] = value
    return payload


def without(path: str) -> dict[str, Any]:
    """Return a payload without the field at ``path``."""
    return changed(path, _ABSENT)


_TEXTS = [
    "query",
    "queryId",
    "context.catalog",
    "context.schema",
    "context.serverVersion",
    "context.user",
    "context.userAgent",
    "failureInfo.errorCode.name",
    "failureInfo.failureMessage",
    "failureInfo.failureType",
]
_NUMBERS = ["duration_ms", "failureInfo.errorCode.code"]
_ENUMS = ["queryState", "context.queryType", "failureInfo.errorCode.type"]
_OBJECTS = ["context", "failureInfo", "failureInfo.errorCode"]
_REQUIRED = [
    "context",
    "query",
    "queryId",
    "queryState",
    "timestamp",
    "duration_ms",
    "failureInfo.errorCode",
    "failureInfo.errorCode.type",
]
_OPTIONAL = ["tags", "failureInfo", *_TEXTS[2:], "failureInfo.errorCode.code", "context.queryType"]

# The field that the API misses when an object is missing as a whole is the one that it requires in it.
_NAMED = {"failureInfo.errorCode": "failureInfo.errorCode.type"}


def _invalid() -> list[Invalid]:
    cases = [Invalid(without(path), _NAMED.get(path, path), f"{path} missing") for path in _REQUIRED]
    cases += [Invalid(changed(path, None), path, f"{path} null") for path in dict.fromkeys(_REQUIRED + _OPTIONAL)]
    for path in _TEXTS:
        cases += [
            Invalid(changed(path, value), path, f"{path} is {type(value).__name__}")
            for value in (7, 1.5, True, ["SELECT 1"], {"text": "SELECT 1"})
        ]
    for path in _NUMBERS:
        cases += [
            Invalid(changed(path, value), path, f"{path} is {value!r:.20}")
            for value in (True, False, "12", "", [1], {}, float("nan"), float("inf"), -float("inf"), 10**400)
        ]
    for path in _ENUMS:
        cases += [
            Invalid(changed(path, value), path, f"{path} is {value!r}")
            for value in ("", "finished", "SELECTS", " FAILED", "USER", 1, True, ["FAILED"])
        ]
    for path in _OBJECTS:
        cases += [Invalid(changed(path, value), path, f"{path} is {value!r}") for value in ("iceberg", 1, True, "")]
    cases += [
        Invalid(changed("context", []), "context", "context is a list"),
        Invalid(changed("failureInfo.errorCode", []), "failureInfo.errorCode", "errorCode is a list"),
        Invalid(changed("failureInfo", {}), "failureInfo.errorCode.type", "failureInfo is empty"),
        Invalid(changed("failureInfo.errorCode", {}), "failureInfo.errorCode.type", "errorCode is empty"),
        Invalid(changed("failureInfo", ["x"]), "failureInfo[0]", "failureInfo holds text"),
        Invalid(changed("failureInfo", [[]]), "failureInfo[0]", "failureInfo holds a list"),
        Invalid(changed("failureInfo", [None]), "failureInfo[0]", "failureInfo holds null"),
        Invalid(
            changed("failureInfo", [VALID["failureInfo"], {"errorCode": {"type": "OOPS"}}]),
            "failureInfo[1].errorCode.type",
            "second failure's type",
        ),
        Invalid(changed("queryId", ""), "queryId", "queryId empty"),
        Invalid(changed("queryId", " \n\u2003"), "queryId", "queryId blank"),
        Invalid(changed("duration_ms", -1), "duration_ms", "duration negative"),
        Invalid(changed("duration_ms", -1e-9), "duration_ms", "duration slightly negative"),
        Invalid(changed("tags", "dag:sales"), "tags", "tags is text"),
        Invalid(changed("tags", {"dag": "sales"}), "tags", "tags is an object"),
        Invalid(changed("tags", 1), "tags", "tags is a number"),
        Invalid(changed("tags", ["dag:sales", 1]), "tags[1]", "second tag is a number"),
        Invalid(changed("tags", [None]), "tags[0]", "a tag is null"),
        Invalid(changed("tags", [["dag:sales"]]), "tags[0]", "a tag is a list"),
    ]
    cases += [
        Invalid(changed("timestamp", value), "timestamp", f"timestamp is {value!r}")
        for value in (
            "",
            "now",
            "2026-03-10",
            "2026-03-10T12:00:00",
            "2026-03-10T12:00:00.000",
            "2026-03-10 12:00",
            "12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-03-10T24:00:00Z",
            "2026-03-10T12:60:00Z",
            "2026-03-10T12:00:61Z",
            "2026-03-10T12:00:00+25:00",
            "2026-03-10T12:00:00+01:60",
            "2026-03-10T12:00:00 Z",
            "2026-03-10T12:00:00Z\n",
            " 2026-03-10T12:00:00Z",
            "2026-3-10T12:00:00Z",
            "2026-0310T12:00:00Z",
            "2026-03-10T12:0000Z",
            "26-03-10T12:00:00Z",
            "12026-03-10T12:00:00Z",
            "0000-03-10T12:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2026-03-10T12:00:00UTC",
            "2026-03-10T12:00:00.Z",
            "\uff12\uff10\uff12\uff16-03-10T12:00:00Z",
            "Tue, 10 Mar 2026 12:00:00 GMT",
            "1773144000",
            1773144000,
            1773144000.5,
            True,
            ["2026-03-10T12:00:00Z"],
        )
    ]
    cases += [
        Invalid(changed(path, "x"), path, f"unknown {path}")
        for path in (
            "query_id",
            "durationMs",
            "sql",
            "context.catalogue",
            "context.query_type",
            "failureInfo.message",
            "failureInfo.errorCode.Type",
            "failureInfo.errorCode.stack",
        )
    ]
    cases += [Invalid(value, "", f"payload is {value!r}") for value in ([], [VALID], "SELECT 1", 1, True, None)]
    return cases


INVALID: list[Invalid] = _invalid()
"""Every class of error of every field."""
