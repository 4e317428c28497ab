"""The JSON Schema and ``Query`` state the same facts, and both are those of the API's page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import event, given, settings, strategies as st

from airflow_provider_ryft.exceptions import InvalidQueryError
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query, QueryContext, QueryState, QueryType
from airflow_provider_ryft.sandbox.schema import problems, schema
from support.strategies import INVALID, VALID, Invalid, changed, payloads, queries, times, without

# "Payload Schema" of the API's page.
REQUIRED = {"context", "query", "queryId", "queryState", "timestamp", "duration_ms", "failureInfo.errorCode.type"}
OPTIONAL = {
    "context.catalog",
    "context.schema",
    "context.queryType",
    "context.serverVersion",
    "context.user",
    "context.userAgent",
    "tags",
    "failureInfo",
    "failureInfo.errorCode.code",
    "failureInfo.errorCode.name",
    "failureInfo.failureMessage",
    "failureInfo.failureType",
}


def refused_field(payload: Any) -> str | None:
    """Return the field that ``Query`` refuses, or ``None`` if it takes the payload."""
    try:
        Query.from_payload(payload)
    except InvalidQueryError as error:
        return error.field
    return None


def names(problem: str, field: str) -> bool:
    """Return whether a sentence is about a field; the empty one is the whole record."""
    return problem.startswith(f"{field or 'record'}: ")


def test_fields_are_those_of_the_page_and_of_query() -> None:
    failure = schema()["$defs"]["failure"]
    in_schema = {
        *schema()["properties"],
        *(f"context.{name}" for name in schema()["properties"]["context"]["properties"]),
        *(f"failureInfo.{name}" for name in failure["properties"]),
        *(f"failureInfo.errorCode.{name}" for name in failure["properties"]["errorCode"]["properties"]),
    } - {"failureInfo.errorCode"}
    in_query = {
        *(key.path for key in Query._keys.values()),
        *(f"context.{key.path}" for key in QueryContext._keys.values()),
        *(f"failureInfo.{key.path}" for key in FailureInfo._keys.values()),
    }
    assert in_schema == in_query == REQUIRED | OPTIONAL


def test_required_fields_are_those_of_the_page_and_of_query() -> None:
    failure = schema()["$defs"]["failure"]
    assert failure["required"] == ["errorCode"]
    in_schema = {
        *schema()["required"],
        *(f"failureInfo.errorCode.{name}" for name in failure["properties"]["errorCode"]["required"]),
    }
    in_query = {
        *(key.path for key in Query._keys.values() if key.required),
        *(f"context.{key.path}" for key in QueryContext._keys.values() if key.required),
        *(f"failureInfo.{key.path}" for key in FailureInfo._keys.values() if key.required),
    }
    assert in_schema == in_query == REQUIRED


def test_values_of_enums_are_those_of_the_enums() -> None:
    failure = schema()["$defs"]["failure"]["properties"]["errorCode"]["properties"]
    context = schema()["properties"]["context"]["properties"]
    assert context["queryType"]["enum"] == [member.value for member in QueryType]
    assert schema()["properties"]["queryState"]["enum"] == [member.value for member in QueryState]
    assert failure["type"]["enum"] == [member.value for member in ErrorType]


def test_it_is_a_valid_json_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema())


@given(query=queries())
def test_valid_is_every_query_that_can_be_built(query: Query) -> None:
    assert problems(query.to_payload()) == []
    assert problems(json.loads(query.encode())) == []


@given(payload=payloads())
def test_valid_is_every_payload_that_query_takes(payload: dict[str, Any]) -> None:
    assert refused_field(payload) is None
    assert problems(payload) == []


def test_valid_are_the_examples_of_the_page() -> None:
    single = {
        "context": {
            "catalog": "iceberg",
            "schema": "gold",
            "queryType": "SELECT",
            "user": "my-service",
            "userAgent": "my-client",
        },
        "timestamp": "2026-03-10T12:00:00.000Z",
        "duration_ms": 100,
        "query": "SELECT * FROM gold.my_table",
        "queryId": "test-001",
        "queryState": "FINISHED",
        "tags": ["source:my-engine"],
    }
    bulk = {
        "context": {"catalog": "iceberg"},
        "queryId": "q-123",
        "query": "SELECT * FROM my_table",
        "queryState": "FINISHED",
        "duration_ms": 1230,
        "timestamp": "2026-03-10T12:00:00.000Z",
    }
    assert problems(single) == problems(bulk) == problems({**bulk, "context": {}}) == []


@pytest.mark.parametrize("invalid", INVALID, ids=[invalid.name for invalid in INVALID])
def test_an_invalid_record_is_refused_by_both_with_the_name_of_its_field(invalid: Invalid) -> None:
    assert refused_field(invalid.payload) == invalid.field
    found = problems(invalid.payload)
    assert len(found) == 1
    assert names(found[0], invalid.field)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (without("duration_ms"), "duration_ms: is required, and missing"),
        (changed("failureInfo", {}), "failureInfo.errorCode.type: is required, and missing"),
        (
            changed("context.table", "x"),
            "context.table: unknown field; allowed: catalog, queryType, schema, serverVersion, user, userAgent",
        ),
        (
            changed("queryState", "OK"),
            'queryState: must be one of FINISHED, SUCCEEDED, FAILED, not "OK"',
        ),
        (changed("tags", [1]), "tags[0]: must be of type string, not 1"),
        (changed("duration_ms", -1), "duration_ms: must be 0 or more, not -1"),
        (changed("duration_ms", float("nan")), "duration_ms: must be a finite number, not NaN"),
        (changed("queryId", " "), 'queryId: must not be empty, not " "'),
        (
            changed("timestamp", "today"),
            'timestamp: must be ISO 8601 with an offset, such as 2026-03-10T12:00:00.000Z, not "today"',
        ),
        ("SELECT 1", 'record: must be of type object, not "SELECT 1"'),
    ],
)
def test_an_invalid_record_is_explained_in_one_sentence(payload: Any, problem: str) -> None:
    assert problems(payload) == [problem]


def test_all_problems_are_listed_each_once() -> None:
    record = {**changed("failureInfo", [{}, {"errorCode": {"type": "OOPS", "x": 1}}]), "sql": "", "catalog": ""}
    del record["query"], record["queryId"]
    assert [problem.split(": ")[0] for problem in problems(record)] == [
        "catalog",
        "failureInfo[0].errorCode.type",
        "failureInfo[1].errorCode.type",
        "failureInfo[1].errorCode.x",
        "query",
        "queryId",
        "sql",
    ]


@pytest.mark.parametrize("name", ["", " ", "a" * 10_000, "\ud800", "\x00\n", "dürations"])
def test_an_unknown_name_of_any_kind_makes_no_problem_of_its_own(name: str) -> None:
    (found,) = problems({**VALID, name: 1})
    assert "unknown field" in found
    assert len(found) < 300
    found.encode()


def test_a_long_value_is_shortened() -> None:
    (found,) = problems(changed("tags", "x" * 1_000_000))
    assert len(found) < 200


def test_a_record_that_is_nested_too_deeply() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert problems(changed("context", deep)) == ["record: is nested too deeply"]
    while deep:  # Python itself would recurse to free it
        deep = deep[0]


# --- a valid payload with one change


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value inside a JSON value."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from places(inner, (*path, step))


def misspellings(name: str) -> st.SearchStrategy[str]:
    """Return names like this one that are others."""
    cut = st.integers(0, len(name) - 1).map(lambda position: name[:position] + name[position + 1 :])
    others = st.sampled_from([name.upper(), name.capitalize(), name + "s", f"_{name}", "errorCode", "type", "user"])
    return (cut | others).filter(lambda other: other != name and other.isidentifier())


def edits(text: str) -> st.SearchStrategy[str]:
    """Return texts that differ from this one in a few characters."""
    characters = st.sampled_from([*"0123456789-+:.,TZtz zW/", "\n", "٣", "\u2212", ""])

    def edited(changes: list[tuple[int, int, str]]) -> str:
        result = text
        for position, length, new in changes:
            at = position % (len(result) + 1)
            result = result[:at] + new + result[at + length :]
        return result

    change = st.tuples(st.integers(0, 40), st.integers(0, 2), characters)
    return st.lists(change, min_size=1, max_size=3).map(edited)


def json_values() -> st.SearchStrategy[Any]:
    """Return all that Python's JSON reader can make, also of what is no JSON."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from([10**308, 10**309, -(10**400), "", " ", "\u00a0", "\ud800", "FINISHED", "SELECT", "EXTERNAL"]),
        st.text(max_size=5),
        times(),
    )
    failure = st.just(VALID["failureInfo"])
    names = st.sampled_from(["type", "errorCode", "catalog", "code"])
    return st.recursive(
        leaves | failure, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2)
    )


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """Return a valid payload with one change, which may leave it valid."""
    payload = deepcopy(draw(payloads()))
    path = draw(st.sampled_from(list(places(payload))))
    parent = payload
    for step in path[:-1]:
        parent = parent[step]
    old = parent[path[-1]]
    changes = ["drop", "type"]
    if isinstance(path[-1], str):
        changes += ["misspell", "add"]
    if isinstance(old, (str, int, float)):
        changes += ["value"] * 2
    change = draw(st.sampled_from(changes))
    event(change)
    if change == "drop":
        del parent[path[-1]]
    elif change == "type":
        parent[path[-1]] = draw(json_values())
    elif change == "misspell":
        parent[draw(misspellings(path[-1]))] = parent.pop(path[-1])
    elif change == "add":
        parent[draw(st.sampled_from(["sql", "type", "code", "durationMs", *VALID, *VALID["context"]]))] = old
    elif isinstance(old, str):
        parent[path[-1]] = draw(edits(old))
    else:
        parent[path[-1]] = draw(st.sampled_from([-old, 0, -0.0, str(old), old != 0]))
    return payload


@settings(max_examples=150, deadline=None)
@given(mutant=mutants())
def test_one_change_is_judged_alike_by_both(mutant: Any) -> None:
    field = refused_field(mutant)
    found = problems(mutant)
    event("valid" if field is None else "invalid")
    if field is None:
        assert found == []
    else:
        assert any(names(problem, field) for problem in found)


@settings(max_examples=200, deadline=None)
@given(text=times().flatmap(edits))
def test_both_agree_on_what_a_time_is(text: str) -> None:
    field = refused_field(changed("timestamp", text))
    event("valid" if field is None else "invalid")
    assert bool(problems(changed("timestamp", text))) == (field is not None)
    assert field in (None, "timestamp")


@settings(max_examples=150, deadline=None)
@given(value=json_values())
def test_both_agree_on_what_a_record_is(value: Any) -> None:
    field = refused_field(value)
    assert field is not None
    assert any(names(problem, field) for problem in problems(value))
