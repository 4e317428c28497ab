"""Checks a record against the JSON Schema of the Ingest API, and says in sentences what is wrong with it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from airflow_provider_ryft.exceptions import InvalidQueryError, RyftError
from airflow_provider_ryft.ingest.query import instant

try:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError
except ImportError:
    raise RyftError(
        "The sandbox needs jsonschema, which is not installed. Run: pip install 'airflow-provider-ryft[sandbox]'"
    ) from None

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=InvalidQueryError)  # type: ignore[untyped-decorator]  # jsonschema has no types
def _is_instant(value: object) -> bool:
    """Refuse what a pattern can't, such as the 30th of February."""
    return not isinstance(value, str) or bool(instant("timestamp", value))


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of one query."""
    text = files(__package__).joinpath("query.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema(), format_checker=_FORMATS)


def problems(record: object) -> list[str]:
    """Say what is wrong with a record: a sentence for each problem, beginning with the path of its field.

    :param record: one decoded JSON value
    :return: nothing for a record that the Ingest API would take
    """
    return sorted(f"{_field(error)}: {_reason(error)}" for error in _validator().iter_errors(record))


def _field(error: ValidationError) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    if error.validator == "required":
        path += "." + next(name for name in error.validator_value if name not in error.instance)
    elif error.validator == "additionalProperties":
        path += "." + next(name for name in error.instance if name not in error.schema["properties"])
    return path.lstrip(".") or "record"


def _reason(error: ValidationError) -> str:
    shown = json.dumps(error.instance, ensure_ascii=True)[:60]
    if error.validator == "required":
        return "is required, and missing"
    if error.validator == "additionalProperties":
        return f"unknown field; allowed: {', '.join(sorted(error.schema['properties']))}"
    if error.validator == "enum":
        return f"must be one of {', '.join(error.validator_value)}, not {shown}"
    if error.validator == "type":
        return f"must be of type {error.validator_value}, not {shown}"
    if error.validator in ("minimum", "maximum"):
        return f"must be a finite number{', 0 or more' if error.validator_value == 0 else ''}, not {shown}"
    if error.absolute_path and error.absolute_path[-1] == "queryId":
        return "must not be empty"
    return f"must be ISO 8601 with an offset, such as 2026-03-10T12:00:00.000Z, not {shown}"
