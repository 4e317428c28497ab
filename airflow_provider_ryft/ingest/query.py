"""The one record that Ryft's Ingest API takes: a query that has ended.

Every fact about its fields comes from the API's page ("Payload Schema" of *Custom engine*, Ryft's documentation). The
classes here are immutable and cannot exist invalid: bad input raises
:class:`~airflow_provider_ryft.exceptions.InvalidQueryError`, which names the field in the API's own spelling.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, TypeVar

from airflow_provider_ryft.exceptions import InvalidQueryError


class QueryType(str, Enum):
    """What kind of statement a query is."""

    SELECT = "SELECT"
    EXPLAIN = "EXPLAIN"
    DESCRIBE = "DESCRIBE"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    ANALYZE = "ANALYZE"
    DATA_DEFINITION = "DATA_DEFINITION"
    ALTER_TABLE_EXECUTE = "ALTER_TABLE_EXECUTE"
    MERGE = "MERGE"


class QueryState(str, Enum):
    """How a query ended."""

    FINISHED = "FINISHED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class ErrorType(str, Enum):
    """Who or what made a query fail."""

    USER_ERROR = "USER_ERROR"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"
    EXTERNAL = "EXTERNAL"


Number = int | float
Check = Callable[[str, Any], Any]
AnyEnum = TypeVar("AnyEnum", bound=Enum)
AnyRecord = TypeVar("AnyRecord", bound="_Record")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _write(value: object) -> str:
    return _ENCODER.encode(_plain(value))


class _Key(NamedTuple):
    """Where an attribute stands in the payload (a dot descends into an object), and what it must be."""

    path: str
    check: Check
    required: bool = False
    absent: object = None  # what the attribute is when the payload does not have it
    write: Callable[[Any], str] = _write  # as JSON


class _Record:
    """A value whose fields are checked and normalised when it is made.

    ``_path`` names the record in error messages; ``_keys`` has an entry for each attribute, in the payload's order.
    """

    __slots__ = ()

    _path: ClassVar[str] = ""
    _keys: ClassVar[Mapping[str, _Key]] = {}

    def __post_init__(self) -> None:
        where = f"{self._path}." if self._path else ""
        for attribute, (path, check, required, absent, _) in self._keys.items():
            given = getattr(self, attribute)
            value = check(where + path, given) if given is not None or required else None
            if value is None:
                value = absent
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
        payload: dict[str, Any] = {}
        for attribute, key in self._keys.items():
            value = getattr(self, attribute)
            if value == key.absent:
                continue
            name, target = key.path, payload
            if "." in name:
                *parents, name = name.split(".")
                for parent in parents:
                    target = target.setdefault(parent, {})
            target[name] = _plain(value)
        return payload


def _leaves(path: str, payload: object, known: Iterable[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each known key of a payload with its value; refuse what is unknown."""
    if not isinstance(payload, Mapping):
        raise InvalidQueryError(_join(path, prefix), f"must be a JSON object, not {_show(payload)}")
    below = f"{prefix}." if prefix else ""
    allowed = {key[len(below) :].split(".")[0] for key in known if key.startswith(below)}
    for name, value in payload.items():
        if name not in allowed:
            shown = name if isinstance(name, str) and name.isidentifier() and len(name) <= _SHOWN else _shown(name)
            raise InvalidQueryError(_join(path, below + shown), _unknown(shown, allowed))
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
    near = get_close_matches(_letters(name), by_letters, n=1)
    if near:
        return f"unknown field; did you mean {by_letters[near[0]]}?"
    return f"unknown field; allowed: {', '.join(names)}"


def _letters(name: str) -> str:
    """Reduce a name to what ``query_id`` and ``QueryID`` have in common."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_SHOWN = 80
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlong = 40


def _show(value: object) -> str:
    """Show a bad value in an error message: its type, and the beginning of what it is."""
    return f"{type(value).__name__} {_shown(value)}"


def _shown(value: object) -> str:
    try:
        shown = _SHORT.repr(value)
    except ValueError:
        return "of too many digits"  # Python writes 4300 of them
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _plain(value: object) -> object:
    if type(value) is str:  # most values are
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, _Record):
        return value.to_payload()
    if isinstance(value, tuple):
        return [item if type(item) is str else _plain(item) for item in value]
    return value


def _time(moment: datetime) -> str:
    """Return a time as the API's page writes it; it is in UTC and in whole milliseconds, see :func:`instant`."""
    date = moment.year, moment.month, moment.day
    return _TIME % (*date, moment.hour, moment.minute, moment.second, moment.microsecond // 1000)


_TIME = "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"  # takes half the time of isoformat


# --- checks: (name of the field, value) -> the value as it is kept


def _text(name: str, value: object) -> str:
    """Accept text, and make it what UTF-8 can carry: a pair of surrogates is its character, a lone one ``U+FFFD``."""
    if type(value) is str and value.isascii():
        return value
    if not isinstance(value, str):
        raise InvalidQueryError(name, f"must be text, not {_show(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str.__str__(value)


def _identifier(name: str, value: object) -> str:
    text = _text(name, value)
    if not text.strip():
        raise InvalidQueryError(name, f"must not be empty, got {_show(value)}")
    return text


def _one_of(kind: type[AnyEnum]) -> Callable[[str, object], AnyEnum]:
    allowed = [member.value for member in kind]

    def check(name: str, value: object) -> AnyEnum:
        if isinstance(value, kind):
            return value
        if isinstance(value, str) and value in allowed:
            return kind(value)
        near = get_close_matches(value.upper(), allowed, n=1) if isinstance(value, str) else []
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InvalidQueryError(name, f"must be one of {', '.join(allowed)}, not {_show(value)}{hint}")

    return check


def _number(name: str, value: object) -> Number:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidQueryError(name, f"must be a number, not {_show(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an int beyond what a JSON reader's double can hold
        finite = False
    if not finite:
        raise InvalidQueryError(name, f"must be a finite number, not {_show(value)}")
    return value


def _duration(name: str, value: object) -> Number:
    number = _number(name, value)
    if number < 0:
        raise InvalidQueryError(name, f"must be a number of milliseconds, 0 or more, not {_show(value)}")
    return number


_ISO_8601 = (
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})[Tt ]"
    r"([0-9]{2})(:?)([0-9]{2})(?:\6([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:[Zz]|([+-])([0-9]{2})(?::?([0-5][0-9]))?)?"
)
_TIMES = "a datetime with a time zone, or ISO 8601 text with an offset such as 2026-03-10T12:00:00.000Z"


def instant(name: str, value: object) -> datetime:
    """Accept an aware time; keep it in UTC and in whole milliseconds, as it is written on the wire.

    :param name: what to call it in an error
    :param value: an aware ``datetime``, or ISO 8601 text with an offset
    :raises InvalidQueryError: for anything else
    """
    moment = _parse(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise InvalidQueryError(name, f"must be {_TIMES}, not {_show(value)}")
    if moment.utcoffset() is None:
        raise InvalidQueryError(name, f"has no time zone ({_show(value)}); allowed: {_TIMES}")
    try:
        utc = moment.astimezone(timezone.utc)
    except OverflowError:
        raise InvalidQueryError(name, f"is outside the years 1 to 9999 in UTC: {_show(value)}") from None
    milliseconds = utc.microsecond // 1000 * 1000
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, milliseconds, tzinfo=timezone.utc)


def _parse(text: str) -> datetime | None:
    """Read ISO 8601 text (date and time, basic or extended); ``None`` if it is something else.

    Python 3.10's ``datetime.fromisoformat`` does not read ``Z``, and pendulum takes a time without an offset for UTC,
    which would hide the mistake.
    """
    match = re.fullmatch(_ISO_8601, text)  # compiled when it is first needed, and kept by re
    if match is None:
        return None
    year, _, month, day, hour, _, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    zone = timezone.utc if text[-1] in "Zz" else None
    try:
        if sign:
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
            zone = timezone(-offset if sign == "-" else offset)
        microsecond = int((fraction or "0")[:6].ljust(6, "0"))
        date_and_time = int(year), int(month), int(day), int(hour), int(minute), int(second or 0)
        return datetime(*date_and_time, microsecond, tzinfo=zone)
    except ValueError:
        return None


def _tags(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidQueryError(name, f"must be a list of texts, not {_show(value)}")
    if set(map(type, value)) == {str} and "".join(value).isascii():  # most tags are
        return tuple(value)
    return tuple(_text(f"{name}[{position}]", tag) for position, tag in enumerate(value))


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
_write_recurring = lru_cache(maxsize=64)(_write)


def _write_time(moment: datetime) -> str:
    return f'"{_time(moment)}"'


def _write_number(number: Number) -> str:
    kind = type(number)
    return repr(number) if kind is float or kind is int else _write(number)  # which is finite


def _write_failure(failure: FailureInfo | tuple[FailureInfo, ...]) -> str:
    """Write a failure; one with a number is no key for a cache, because 1 and 1.0 are equal and not written alike."""
    recurs = isinstance(failure, FailureInfo) and failure.error_code is None
    return _write_recurring(failure) if recurs else _write(failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureInfo(_Record):
    """Why a query failed.

    :param error_type: who or what made it fail
    :param error_code: the engine's own numeric code
    :param error_name: the engine's own name of the error
    :param failure_message: what a person should read
    :param failure_type: name of the exception or error class
    """

    error_type: ErrorType
    error_code: Number | None = None
    error_name: str | None = None
    failure_message: str | None = None
    failure_type: str | None = None

    _path: ClassVar[str] = "failureInfo"
    _keys: ClassVar[Mapping[str, _Key]] = {
        "error_type": _Key("errorCode.type", _one_of(ErrorType), required=True),
        "error_code": _Key("errorCode.code", _number),
        "error_name": _Key("errorCode.name", _text),
        "failure_message": _Key("failureMessage", _text),
        "failure_type": _Key("failureType", _text),
    }


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

    _path: ClassVar[str] = "context"
    _keys: ClassVar[Mapping[str, _Key]] = {
        "catalog": _Key("catalog", _text),
        "schema": _Key("schema", _text),
        "query_type": _Key("queryType", _one_of(QueryType)),
        "server_version": _Key("serverVersion", _text),
        "user": _Key("user", _text),
        "user_agent": _Key("userAgent", _text),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(_Record):
    """A query that has ended, as Ryft takes it.

    :param query_id: the engine's own id if it is known, otherwise any unique text; kept over every redelivery
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

    _keys: ClassVar[Mapping[str, _Key]] = {
        "context": _Key("context", _context, required=True, write=_write_recurring),
        "query_id": _Key("queryId", _identifier, required=True, write=_ENCODER.encode),
        "query": _Key("query", _text, required=True, write=_ENCODER.encode),
        "query_state": _Key("queryState", _one_of(QueryState), required=True, write=_ENCODER.encode),
        "timestamp": _Key("timestamp", instant, required=True, write=_write_time),
        "duration_ms": _Key("duration_ms", _duration, required=True, write=_write_number),
        "tags": _Key("tags", _tags, absent=(), write=_write_recurring),
        "failure_info": _Key("failureInfo", _failures, write=_write_failure),
    }

    @classmethod
    def key(cls, attribute: str) -> _Key:
        """Return what is known of an attribute: where it stands in the payload, what it must be, how it is written."""
        return cls._keys[attribute]

    def encode(self) -> bytes:
        """Return the payload as one line of UTF-8 JSON; it is encoded once, however often it is asked for."""
        if self._line is None:
            object.__setattr__(self, "_line", f"{{{','.join(self.pieces().values())}}}".encode())
        return self._line  # type: ignore[return-value]  # set just above

    def pieces(self) -> dict[str, str]:
        """Return each attribute that is there as the payload has it, in the payload's order: ``"queryId":"q-1"``."""
        pieces = {}
        for attribute, (path, _, required, absent, write) in self._keys.items():
            value = getattr(self, attribute)
            if required or value != absent:
                pieces[attribute] = f'"{path}":{write(value)}'
        return pieces
