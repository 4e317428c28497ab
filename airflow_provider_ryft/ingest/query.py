"""The one record that Ryft's Ingest API takes: a query that has ended.

The classes here are immutable and cannot exist invalid: bad input raises
:class:`~airflow_provider_ryft.exceptions.InvalidQueryError`, which names the field in the API's own spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from airflow_provider_ryft.exceptions import InvalidQueryError
from airflow_provider_ryft.ingest import fields
from airflow_provider_ryft.ingest.fields import (
    MAX_SHOWN_LENGTH,
    ErrorType,
    Field,
    Number,
    QueryState,
    QueryType,
    abbreviated,
    closest,
    described,
    write,
)

__all__ = ["ErrorType", "FailureInfo", "Query", "QueryContext", "QueryState", "QueryType"]

AnyRecord = TypeVar("AnyRecord", bound="_Record")


class _Record:
    """A value that consists of fields, which are checked and normalised when it is made.

    ``_path`` is where it is in the payload of a query; ``_keys`` has a field for each attribute, in the order of the
    payload.
    """

    __slots__ = ()

    _path: ClassVar[str] = ""
    _keys: ClassVar[Mapping[str, Field]] = {}

    def __post_init__(self) -> None:
        below = f"{self._path}." if self._path else ""
        for attribute, key in self._keys.items():
            given = getattr(self, attribute)
            value = key.accept(given, below)
            if value is not given:
                object.__setattr__(self, attribute, value)

    @classmethod
    def from_payload(cls: type[AnyRecord], payload: Mapping[str, Any]) -> AnyRecord:
        """Read the record from the API's own JSON object.

        :param payload: the decoded JSON object; a time may also be a ``datetime``
        :raises InvalidQueryError: for an unknown, missing or wrong field
        """
        attributes = {key.path: attribute for attribute, key in cls._keys.items()}
        values = {attributes[path]: value for path, value in _leaves(cls._path, payload, attributes)}
        for attribute, key in cls._keys.items():
            if key.required and attribute not in values:
                raise InvalidQueryError(_join(cls._path, key.path), "is required, and missing")
        return cls(**values)

    def to_payload(self) -> dict[str, Any]:
        """Return the record as the API's own JSON object; what is absent is left out."""
        return fields.payload(self._keys, self._values())

    def _values(self) -> dict[str, Any]:
        return {attribute: getattr(self, attribute) for attribute in self._keys}


def _leaves(path: str, payload: object, known: Iterable[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each known key of a payload with its value; refuse what is unknown."""
    if not isinstance(payload, Mapping):
        raise InvalidQueryError(_join(path, prefix), f"must be a JSON object, not {described(payload)}")
    below = f"{prefix}." if prefix else ""
    allowed = {key[len(below) :].split(".")[0] for key in known if key.startswith(below)}
    for name, value in payload.items():
        if name not in allowed:
            is_short = isinstance(name, str) and name.isidentifier() and len(name) <= MAX_SHOWN_LENGTH
            given = name if is_short else abbreviated(name)
            raise InvalidQueryError(_join(path, below + given), _unknown(given, allowed))
        key = f"{below}{name}"
        if value is None:
            raise InvalidQueryError(_join(path, key), "must not be null; leave it out if there is none")
        if key in known:
            yield key, value
        else:
            yield from _leaves(path, value, known, key)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


def _unknown(name: str, allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    by_letters = {_letters(known): known for known in names}
    meant = closest(_letters(name), by_letters)
    if meant is not None:
        return f"unknown field; did you mean {by_letters[meant]}?"
    return f"unknown field; allowed: {', '.join(names)}"


def _letters(name: str) -> str:
    """Reduce a name to what ``query_id`` and ``QueryID`` have in common."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


# --- checks of what contains other records


def _context(_name: str, value: object) -> QueryContext:
    return value if isinstance(value, QueryContext) else QueryContext.from_payload(value)  # type: ignore[arg-type]


def _failures(name: str, value: object) -> FailureInfo | tuple[FailureInfo, ...] | None:
    """Accept one failure or several, and keep which of the two it was; an empty list is none."""
    if not isinstance(value, (list, tuple)):
        return _failure(name, value)
    return tuple(_failure(f"{name}[{position}]", failure) for position, failure in enumerate(value)) or None


def _failure(name: str, value: object) -> FailureInfo:
    if isinstance(value, FailureInfo):
        return value
    try:
        return FailureInfo.from_payload(value)  # type: ignore[arg-type]
    except InvalidQueryError as error:
        raise InvalidQueryError(name + error.field.removeprefix(FailureInfo._path), error.problem) from None


# What is the same for many queries in a row.
_write_recurring = lru_cache(maxsize=64)(write)


def _write_failure(failure: FailureInfo | tuple[FailureInfo, ...]) -> str:
    """Write a failure; one with a number is no key for a cache, because 1 and 1.0 are equal and not written alike."""
    recurs = isinstance(failure, FailureInfo) and failure.error_code is None
    return _write_recurring(failure) if recurs else write(failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureInfo(_Record):
    """Why a query failed.

    :param error_type: what made it fail
    :param error_code: the engine's own numeric code
    :param error_name: the engine's own name of the error
    :param failure_message: the engine's message, for people
    :param failure_type: name of the exception or error class
    """

    error_type: ErrorType
    error_code: Number | None = None
    error_name: str | None = None
    failure_message: str | None = None
    failure_type: str | None = None

    _path: ClassVar[str] = fields.FAILURE_PATH
    _keys: ClassVar[Mapping[str, Field]] = fields.FAILURE


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryContext(_Record):
    """Where a query ran; all of it is optional.

    :param catalog: the catalog's name as Ryft knows it
    :param schema: the namespace of unqualified table names
    :param query_type: the kind of statement
    :param server_version: the engine's version
    :param user: the user or service account that ran the query
    :param user_agent: the client that sent it
    """

    catalog: str | None = None
    schema: str | None = None
    query_type: QueryType | None = None
    server_version: str | None = None
    user: str | None = None
    user_agent: str | None = None

    _path: ClassVar[str] = fields.CONTEXT_PATH
    _keys: ClassVar[Mapping[str, Field]] = fields.CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(_Record):
    """A query that has ended, as Ryft takes it.

    :param query_id: the engine's own id if it is known, otherwise any unique text; the same in every redelivery
    :param query: the text of the statement
    :param query_state: how it ended
    :param timestamp: when it started: an aware ``datetime``, or ISO 8601 text with an offset; kept in UTC, in
        milliseconds
    :param duration_ms: how long it ran, in milliseconds
    :param context: where it ran
    :param tags: free labels
    :param failure_info: why it failed: one :class:`FailureInfo` or several
    :raises InvalidQueryError: for a field that the API would not take
    """

    context: QueryContext = field(default_factory=QueryContext)
    query_id: str
    query: str = field(repr=False)  # may be megabytes, and hold secrets
    query_state: QueryState
    timestamp: datetime
    duration_ms: Number
    tags: tuple[str, ...] = ()
    failure_info: FailureInfo | tuple[FailureInfo, ...] | None = None
    _line: bytes | None = field(default=None, init=False, repr=False, compare=False)

    _keys: ClassVar[Mapping[str, Field]] = {
        **fields.QUERY,
        "context": Field(fields.CONTEXT_PATH, _context, required=True, write=_write_recurring),
        "tags": fields.QUERY["tags"].written_by(_write_recurring),
        "failure_info": Field(fields.FAILURE_PATH, _failures, write=_write_failure),
    }

    def encode(self) -> bytes:
        """Return the payload as one line of UTF-8 JSON; it is encoded only once."""
        if self._line is None:
            encoded = fields.encoded_fields(self._keys, self._values())
            object.__setattr__(self, "_line", f"{{{','.join(encoded.values())}}}".encode())
        return self._line  # type: ignore[return-value]  # set just above
