"""The fields of a query: where each is in the payload, what it may be, and how it is written.

Every fact about them comes from the API's page ("Payload Schema" of *Custom engine*, Ryft's documentation). The records
that have these fields are in :mod:`~airflow_provider_ryft.ingest.query`, apart from here because a task that reports
what it runs needs none of them: to define them takes 3.4 ms of its first statement.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from enum import Enum
from json.encoder import encode_basestring
from typing import Any, TypeVar

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
    """What made a query fail."""

    USER_ERROR = "USER_ERROR"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"
    EXTERNAL = "EXTERNAL"


Number = int | float
Check = Callable[[str, Any], Any]
AnyEnum = TypeVar("AnyEnum", bound=Enum)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write(value: object) -> str:
    """Write a value of a field, or a payload, as JSON."""
    return _ENCODER.encode(_plain(value))


class Field:
    """A field.

    :param path: where it is in the payload; a dot descends into an object
    :param check: from its path and a given value to the value that is kept; raises :class:`InvalidQueryError`
    :param required: whether it must be there
    :param absent: what its attribute is when the payload does not have it
    :param write: writes what is kept as JSON
    """

    __slots__ = ("absent", "check", "path", "required", "write")

    def __init__(
        self,
        path: str,
        check: Check,
        *,
        required: bool = False,
        absent: object = None,
        write: Callable[[Any], str] = write,
    ) -> None:
        self.path = path
        self.check = check
        self.required = required
        self.absent = absent
        self.write = write

    def accept(self, given: object, below: str = "") -> Any:
        """Return what is kept of what is given.

        :param below: what the path begins with in an error
        :raises InvalidQueryError: if it is not what it must be
        """
        value = self.check(below + self.path, given) if given is not None or self.required else None
        return self.absent if value is None else value

    def written_by(self, write: Callable[[Any], str]) -> Field:
        """Return the same field, written in another way."""
        return Field(self.path, self.check, required=self.required, absent=self.absent, write=write)


def payload(fields: Mapping[str, Field], values: Mapping[str, object]) -> dict[str, Any]:
    """Return a JSON object of what is kept; what is absent is left out.

    :param fields: by attribute
    :param values: by attribute
    """
    found: dict[str, Any] = {}
    for attribute, field in fields.items():
        value = values[attribute]
        if value == field.absent:
            continue
        name, target = field.path, found
        if "." in name:
            *parents, name = name.split(".")
            for parent in parents:
                target = target.setdefault(parent, {})
        target[name] = _plain(value)
    return found


def encoded_fields(fields: Mapping[str, Field], values: Mapping[str, object]) -> dict[str, str]:
    """Write each field that is there, by attribute: ``"queryId":"q-1"``.

    :param fields: by attribute, none of them in an object
    :param values: what is kept, by attribute
    """
    written = {}
    for attribute, field in fields.items():
        value = values[attribute]
        if field.required or value != field.absent:
            written[attribute] = f'"{field.path}":{field.write(value)}'
    return written


# --- parts of error messages


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant."""
    from difflib import get_close_matches  # as long as half of this module to import, and for errors only

    found = get_close_matches(name, list(names), n=1)
    return found[0] if found else None


MAX_SHOWN_LENGTH = 80
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlong = 40


def described(value: object) -> str:
    """Show a bad value in an error message: its type, and the beginning of what it is."""
    return f"{type(value).__name__} {abbreviated(value)}"


def abbreviated(value: object) -> str:
    """Show the beginning of a bad value."""
    try:
        text = _SHORT.repr(value)
    except ValueError:
        return "of too many digits"  # Python writes 4300 of them
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}…"


# --- plain values


def _plain(value: object) -> object:
    if type(value) is str:  # most values are
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, tuple):
        return [item if type(item) is str else _plain(item) for item in value]
    to_payload = getattr(value, "to_payload", None)  # of a record
    return to_payload() if to_payload else value


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
        raise InvalidQueryError(name, f"must be text, not {described(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str.__str__(value)


def _identifier(name: str, value: object) -> str:
    text = _text(name, value)
    if not text.strip():
        raise InvalidQueryError(name, f"must not be empty, got {described(value)}")
    return text


def _one_of(kind: type[AnyEnum]) -> Callable[[str, object], AnyEnum]:
    def check(name: str, value: object) -> AnyEnum:
        if isinstance(value, kind):
            return value
        if isinstance(value, str):
            try:
                return kind(value)
            except ValueError:
                pass
        allowed = [member.value for member in kind]
        meant = closest(value.upper(), allowed) if isinstance(value, str) else None
        hint = f" (did you mean {meant}?)" if meant else ""
        raise InvalidQueryError(name, f"must be one of {', '.join(allowed)}, not {described(value)}{hint}")

    return check


def _number(name: str, value: object) -> Number:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidQueryError(name, f"must be a number, not {described(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an int beyond what a JSON reader's double can hold
        finite = False
    if not finite:
        raise InvalidQueryError(name, f"must be a finite number, not {described(value)}")
    return value


def _duration(name: str, value: object) -> Number:
    if type(value) is float and 0.0 <= value < math.inf:  # most are
        return value
    number = _number(name, value)
    if number < 0:
        raise InvalidQueryError(name, f"must be a number of milliseconds, 0 or more, not {described(value)}")
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
        raise InvalidQueryError(name, f"must be {_TIMES}, not {described(value)}")
    try:
        is_aware = moment.utcoffset() is not None
    except ValueError:  # of pandas' NaT, which is a datetime, too
        raise InvalidQueryError(name, f"must be {_TIMES}, not {described(value)}") from None
    if not is_aware:
        raise InvalidQueryError(name, f"has no time zone ({described(value)}); allowed: {_TIMES}")
    if type(moment) is datetime and moment.tzinfo is timezone.utc:
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000, fold=0)
    try:
        utc = moment.astimezone(timezone.utc)
    except OverflowError:
        raise InvalidQueryError(name, f"is outside the years 1 to 9999 in UTC: {described(value)}") from None
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
        raise InvalidQueryError(name, f"must be a list of texts, not {described(value)}")
    if set(map(type, value)) == {str} and "".join(value).isascii():  # most tags are
        return tuple(value)
    return tuple(_text(f"{name}[{position}]", tag) for position, tag in enumerate(value))


# --- how fields are written that need no more than this


def _write_time(moment: datetime) -> str:
    return f'"{_time(moment)}"'


def _write_number(number: Number) -> str:
    kind = type(number)
    return repr(number) if kind is float or kind is int else write(number)  # which is finite


# --- the fields


CONTEXT: Mapping[str, Field] = {
    "catalog": Field("catalog", _text),
    "schema": Field("schema", _text),
    "query_type": Field("queryType", _one_of(QueryType)),
    "server_version": Field("serverVersion", _text),
    "user": Field("user", _text),
    "user_agent": Field("userAgent", _text),
}

FAILURE: Mapping[str, Field] = {
    "error_type": Field("errorCode.type", _one_of(ErrorType), required=True),
    "error_code": Field("errorCode.code", _number),
    "error_name": Field("errorCode.name", _text),
    "failure_message": Field("failureMessage", _text),
    "failure_type": Field("failureType", _text),
}

CONTEXT_PATH = "context"
FAILURE_PATH = "failureInfo"


def _object(fields: Mapping[str, Field]) -> Check:
    """Accept the values of an object's fields, by attribute, and return the object."""

    def check(path: str, values: Any) -> dict[str, Any]:
        kept = {attribute: field.accept(values.get(attribute), f"{path}.") for attribute, field in fields.items()}
        return payload(fields, kept)

    return check


QUERY: Mapping[str, Field] = {
    "context": Field(CONTEXT_PATH, _object(CONTEXT), required=True),
    "query_id": Field("queryId", _identifier, required=True, write=encode_basestring),
    "query": Field("query", _text, required=True, write=encode_basestring),
    "query_state": Field("queryState", _one_of(QueryState), required=True, write=encode_basestring),
    "timestamp": Field("timestamp", instant, required=True, write=_write_time),
    "duration_ms": Field("duration_ms", _duration, required=True, write=_write_number),
    "tags": Field("tags", _tags, absent=()),
    "failure_info": Field(FAILURE_PATH, _object(FAILURE)),
}
