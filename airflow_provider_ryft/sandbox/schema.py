"""Checks a record against the JSON Schema of the Ingest API, and says in sentences what is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from airflow_provider_ryft.exceptions import InvalidQueryError, RyftError
from airflow_provider_ryft.ingest.fields import instant

try:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError
    from jsonschema.validators import extend
except ImportError:
    raise RyftError(
        "The sandbox needs jsonschema, which is not installed. Run: pip install 'airflow-provider-ryft[sandbox]'"
    ) from None

_SHOWN = 80
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=InvalidQueryError)  # type: ignore[untyped-decorator]  # jsonschema has no types
def _is_instant(value: object) -> bool:
    """Refuse what a pattern can't, such as the 30th of February."""
    return not isinstance(value, str) or bool(instant("timestamp", value))


def _is_number(_checker: object, value: object) -> bool:
    """Refuse what Python's JSON reader makes of ``NaN`` and ``1e999``, and what no other reader's double can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of one query."""
    text = files(__package__).joinpath("query.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator() -> Draft202012Validator:
    types = Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number)
    return extend(Draft202012Validator, type_checker=types)(schema(), format_checker=_FORMATS)


def problems(record: object) -> list[str]:
    """Say what is wrong with a record: a sentence for each problem, beginning with the path of its field.

    :param record: one decoded JSON value
    :return: nothing for a record that the Ingest API would take
    """
    try:
        found = {problem for error in _validator().iter_errors(record) for problem in _sentences(error)}
    except RecursionError:
        return ["record: is nested too deeply"]
    return sorted(found)


def _sentences(error: ValidationError) -> Iterator[str]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    for below, reason in _reasons(error):
        yield f"{(path + below).lstrip('.') or 'record'}: {reason}"


def _reasons(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, each with the path from the error's own field to the one that is meant."""
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield _required(name, error.schema), "is required, and missing"
    elif error.validator == "additionalProperties":
        known = error.schema["properties"]
        for name in error.instance:
            if name not in known:
                yield f".{_named(name)}", f"unknown field; allowed: {', '.join(sorted(known))}"
    else:
        yield "", f"{_allowed(error)}, not {_shown(error.instance)}"


def _required(name: str, parent: dict[str, Any]) -> str:
    """Return the path of a missing field; of a missing object, the path of the field that is required in it."""
    below = parent["properties"][name]
    return f".{name}" + "".join(_required(child, below) for child in below.get("required", ())[:1])


def _allowed(error: ValidationError) -> str:
    if error.validator == "enum":
        return f"must be one of {', '.join(error.validator_value)}"
    if error.validator == "type":
        wanted = error.validator_value
        return "must be a finite number" if wanted == "number" else f"must be of type {wanted}"
    if error.validator == "minimum":
        return f"must be {error.validator_value} or more"
    if error.absolute_path[-1] == "queryId":
        return "must not be empty"
    return "must be ISO 8601 with an offset, such as 2026-03-10T12:00:00.000Z"


def _named(name: str) -> str:
    return name if name.isidentifier() and len(name) <= _SHOWN else _shown(name)


def _shown(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
