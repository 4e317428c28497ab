"""Every option of the ``[ryft]`` section, read in one place as one value.

What each option means is in the provider's metadata (:mod:`airflow_provider_ryft.get_provider_info`), which Airflow
shows. How numbers and flags are read, and what is said of a misspelt name, holds for the extra of a connection too.
"""

from __future__ import annotations

import json
import logging
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

SECTION = "ryft"

log = logging.getLogger(__name__)

Context = Mapping[str, str | None]
AnyNumber = TypeVar("AnyNumber", int, float)


class Settings:
    """The options of the ``[ryft]`` section, with their defaults; a value that cannot be changed.

    It is no named tuple, because each task would take 0.3 ms to define one.
    """

    disabled: bool = False
    conn_id: str = "ryft_default"
    tags: tuple[str, ...] = ()
    contexts: Mapping[str, Context] = MappingProxyType({})
    mask_literals: bool = False
    max_query_length: int = 1 << 20
    exclude_dags: tuple[str, ...] = ()
    exclude_operators: tuple[str, ...] = ()
    exclude_connections: tuple[str, ...] = ()
    exclude_connection_types: tuple[str, ...] = ()
    selective_enable: bool = False
    outbox_path: str = ""
    outbox_max_bytes: int = 256 << 20
    outbox_max_age: float = 7 * 86400.0
    delivery_timeout: float = 4.0
    delivery: str = "inline"

    def __init__(self, **options: Any) -> None:
        unknown = options.keys() - OPTIONS
        if unknown:
            raise TypeError(f"there is no option {min(unknown)}")
        vars(self).update(options)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and all(getattr(self, name) == getattr(other, name) for name in OPTIONS)

    def outbox_folder(self) -> str:
        """Return where this machine's outbox is: ``outbox_path`` if it is a folder, or one below Airflow's home."""
        from airflow.configuration import AIRFLOW_HOME

        folder = "" if is_url(self.outbox_path) else self.outbox_path
        return folder or os.path.join(AIRFLOW_HOME, "ryft-outbox")


OPTIONS = tuple(Settings.__annotations__)


def is_url(path: str) -> bool:
    """Return whether an outbox is in an object store, and not in a folder."""
    return "://" in path


def read() -> Settings:
    """Read the options from Airflow's configuration.

    It never fails: an option that cannot be read is logged in one sentence and has its default; one that keeps
    something private counts as set, because its author meant to set it, and then everything is excluded.
    """
    from airflow.configuration import conf

    return parse(lambda name: conf.get(SECTION, name, fallback=None))


def parse(get: Callable[[str], str | None]) -> Settings:
    """Return the settings that texts stand for; see :func:`read`.

    :param get: the text of an option by its name, or ``None`` if it is not given
    """
    values: dict[str, Any] = {}
    for name in OPTIONS:
        text: object = None
        try:
            text = get(name)
            if text is None or not str(text).strip():
                continue
            values[name] = _PARSERS[name](str(text).strip())
        except Exception as error:  # a wrong value, or a configuration file that cannot be read at this place
            taken_as = "not given"
            if name in _SAFE_IF_UNREADABLE:
                values[name], taken_as = _SAFE_IF_UNREADABLE[name]
            allowed = str(error) if isinstance(error, NotAllowedError) else f"{type(error).__name__}: {error}"
            log.warning(
                "Option %s of section [%s] is %s, which cannot be used: %s. It is taken as %s.",
                name,
                SECTION,
                reprlib.repr(text),
                allowed,
                taken_as,
            )
    return Settings(**values)


class NotAllowedError(ValueError):
    """A value is not what it must be.

    :param allowed: what it must be
    :param found: what is wrong, where that is not plain
    """

    def __init__(self, allowed: str, found: str = "") -> None:
        super().__init__(f"{found}it must be {allowed}")
        self.allowed = allowed


_SAFE_IF_UNREADABLE = {
    **dict.fromkeys(("disabled", "mask_literals", "selective_enable"), (True, "true, to be on the safe side")),
    **dict.fromkeys(
        ("exclude_dags", "exclude_operators", "exclude_connections", "exclude_connection_types"),
        (("*",), "*, to be on the safe side"),
    ),
}

_FLAGS = dict.fromkeys(("true", "t", "yes", "1", "on"), True) | dict.fromkeys(("false", "f", "no", "0", "off"), False)


def flag(value: object, words: Mapping[str, bool] = _FLAGS) -> bool:
    """Return the flag that a text or a JSON value stands for, read as Airflow does, comment after it included."""
    found = words.get(str(value).split("#")[0].strip().lower())
    if found is None:
        raise NotAllowedError("true or false")
    return found


def number(
    kind: Callable[[Any], AnyNumber], allowed: str, is_allowed: Callable[[AnyNumber], bool] = lambda _number: True
) -> Callable[[object], AnyNumber]:
    """Return a parser of the numbers that ``kind`` makes of a text or a JSON value, and that ``is_allowed`` accepts."""

    def parse(value: object) -> AnyNumber:
        try:
            found = kind(value)
            if not isinstance(value, bool) and is_allowed(found):
                return found
        except (TypeError, ValueError, OverflowError):
            pass
        raise NotAllowedError(allowed)

    return parse


def _whole_number(lowest: int) -> Callable[[object], int]:
    return number(int, f"a whole number, {lowest} or more", lambda found: found >= lowest)


def _seconds(highest: float) -> Callable[[object], float]:
    allowed = f"a number of seconds, more than 0 and at most {highest:g}"
    return number(float, allowed, lambda found: 0 < found <= highest)  # which refuses NaN too


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """Return what to say of an unknown name: the one that was meant, or all that are allowed."""
    from difflib import get_close_matches

    names = list(allowed)
    near = get_close_matches(name.lower(), names, n=1)
    return f"did you mean {near[0]}?" if near else f"allowed: {', '.join(names)}"


def _list(text: str) -> tuple[str, ...]:
    """Read a JSON list of texts, or texts between commas or on lines; a pattern may begin with a bracket, too."""
    if not text.startswith("[") or not (text.endswith("]") or '"' in text or "'" in text):
        return tuple(part.strip() for line in text.splitlines() for part in line.split(",") if part.strip())
    parts = _json(text, _LIST)
    if not all(isinstance(part, str) for part in parts):
        raise NotAllowedError(_LIST)
    return tuple(part.strip() for part in parts if part.strip())


_LIST = "a JSON list of texts, or texts separated by commas"

_CONTEXT = ("catalog", "schema", "user")
_CONTEXTS = (
    'a JSON object such as {"trino_default": {"catalog": "lake", "schema": "gold", "user": "etl"}}, '
    "by connection id or connection type"
)


def _contexts(text: str) -> Mapping[str, Context]:
    contexts = _json(text, _CONTEXTS)
    if not isinstance(contexts, dict):
        raise NotAllowedError(_CONTEXTS)
    return MappingProxyType({name: _context(name, context) for name, context in contexts.items()})


def _context(name: str, context: object) -> Context:
    if not isinstance(context, dict):
        raise NotAllowedError(_CONTEXTS)
    for key, value in context.items():
        if key not in _CONTEXT:
            raise NotAllowedError(_CONTEXTS, f"{name!r} has an unknown {key!r} ({suggestion(key, _CONTEXT)}); ")
        if value is not None and not isinstance(value, str):
            raise NotAllowedError(_CONTEXTS, f"{key} of {name!r} must be text, or null for none; ")
    return MappingProxyType(dict(context))


def _json(text: str, allowed: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise NotAllowedError(f"{allowed} ({error})") from None


def _place(text: str) -> str:
    if not is_url(text):
        return os.path.expanduser(text)
    scheme, _, rest = text.partition("://")
    if not scheme.isalnum() or not rest.strip("/"):
        raise NotAllowedError("a folder, or a place in an object store such as s3://conn_id@bucket/ryft")
    return text.rstrip("/")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise NotAllowedError(f"one of {', '.join(allowed)}")
        return text.lower()

    return parse


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "disabled": flag,
    "conn_id": str,
    "tags": _list,
    "contexts": _contexts,
    "mask_literals": flag,
    "max_query_length": _whole_number(256),
    "exclude_dags": _list,
    "exclude_operators": _list,
    "exclude_connections": _list,
    "exclude_connection_types": _list,
    "selective_enable": flag,
    "outbox_path": _place,
    "outbox_max_bytes": _whole_number(1 << 16),
    "outbox_max_age": _seconds(10 * 365 * 86400.0),
    # Airflow ends a task's process 20 s after its work, and other listeners need time too.
    "delivery_timeout": _seconds(15.0),
    "delivery": _one_of("inline", "outbox"),
}
