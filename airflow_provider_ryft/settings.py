"""Every option of the ``[ryft]`` section, read in one place as one value.

What each option means is said where Airflow shows it: in the provider's metadata
(:mod:`airflow_provider_ryft.get_provider_info`).
"""

from __future__ import annotations

import json
import logging
import os
import reprlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

SECTION = "ryft"

log = logging.getLogger(__name__)

Context = Mapping[str, str | None]


class Settings(NamedTuple):
    """The options of the ``[ryft]`` section, with their defaults."""

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

    def outbox_folder(self) -> str:
        """Return where this machine's outbox is: ``outbox_path`` if it is a folder, or one below Airflow's home."""
        from airflow.configuration import AIRFLOW_HOME

        folder = "" if is_url(self.outbox_path) else self.outbox_path
        return folder or os.path.join(AIRFLOW_HOME, "ryft-outbox")


def is_url(path: str) -> bool:
    """Tell whether an outbox is in an object store, and not in a folder."""
    return "://" in path


def read() -> Settings:
    """Read the options from Airflow's configuration.

    It never fails: an option that cannot be read is logged in one sentence and has its default; one that keeps
    something private is taken as set, because whoever wrote it meant to, and what is to be excluded is all then.
    """
    from airflow.configuration import conf

    return parse(lambda name: conf.get(SECTION, name, fallback=None))


def parse(get: Callable[[str], str | None]) -> Settings:
    """Make settings of texts; see :func:`read`.

    :param get: the text of an option by its name, or ``None`` if it is not given
    """
    values: dict[str, Any] = {}
    for name in Settings._fields:
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
            allowed = str(error) if isinstance(error, _NotAllowedError) else f"{type(error).__name__}: {error}"
            log.warning(
                "Option %s of section [%s] is %s, which cannot be used: %s. It is taken as %s.",
                name,
                SECTION,
                reprlib.repr(text),
                allowed,
                taken_as,
            )
    return Settings(**values)


class _NotAllowedError(ValueError):
    """What an option must be, and is not."""


_SAFE_IF_UNREADABLE = {
    **dict.fromkeys(("disabled", "mask_literals", "selective_enable"), (True, "true, to be on the safe side")),
    **dict.fromkeys(
        ("exclude_dags", "exclude_operators", "exclude_connections", "exclude_connection_types"),
        (("*",), "*, to be on the safe side"),
    ),
}


def _flag(text: str) -> bool:
    """Read a flag as Airflow does, comment after it included."""
    flag = _FLAGS.get(text.split("#")[0].strip().lower())
    if flag is None:
        raise _NotAllowedError("it must be true or false")
    return flag


_FLAGS = {"true": True, "t": True, "yes": True, "1": True, "on": True} | {
    "false": False,
    "f": False,
    "no": False,
    "0": False,
    "off": False,
}


def _list(text: str) -> tuple[str, ...]:
    """Read a JSON list of texts, or texts between commas or on lines; a pattern may begin with a bracket, too."""
    if not text.startswith("[") or not (text.endswith("]") or '"' in text or "'" in text):
        return tuple(part.strip() for line in text.splitlines() for part in line.split(",") if part.strip())
    parts = _json(text, _LIST)
    if not all(isinstance(part, str) for part in parts):
        raise _NotAllowedError(f"it must be {_LIST}")
    return tuple(part.strip() for part in parts if part.strip())


_LIST = "a JSON list of texts, or texts separated by commas"


_CONTEXT = ("catalog", "schema", "user")
_CONTEXTS = (
    'it must be a JSON object such as {"trino_default": {"catalog": "lake", "schema": "gold", "user": "etl"}}, '
    "by connection id or connection type"
)


def _contexts(text: str) -> Mapping[str, Context]:
    contexts = _json(text, _CONTEXTS.removeprefix("it must be "))
    if not isinstance(contexts, dict):
        raise _NotAllowedError(_CONTEXTS)
    return MappingProxyType({name: _context(name, context) for name, context in contexts.items()})


def _context(name: str, context: object) -> Context:
    if not isinstance(context, dict):
        raise _NotAllowedError(_CONTEXTS)
    for key, value in context.items():
        if key not in _CONTEXT:
            from difflib import get_close_matches

            near = get_close_matches(key.lower(), _CONTEXT, n=1)
            hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(_CONTEXT)}"
            raise _NotAllowedError(f"{name!r} has an unknown {key!r} ({hint}); {_CONTEXTS}")
        if value is not None and not isinstance(value, str):
            raise _NotAllowedError(f"{key} of {name!r} must be text, or null for none; {_CONTEXTS}")
    return MappingProxyType(dict(context))


def _json(text: str, allowed: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _NotAllowedError(f"it must be {allowed} ({error})") from None


def _whole_number(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise _NotAllowedError(f"it must be a whole number, {least} or more")
        return number

    return parse


def _seconds(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= most:  # which refuses NaN too
            raise _NotAllowedError(f"it must be a number of seconds, more than 0 and at most {most:g}")
        return number

    return parse


def _place(text: str) -> str:
    if not is_url(text):
        return os.path.expanduser(text)
    scheme, _, rest = text.partition("://")
    if not scheme.isalnum() or not rest.strip("/"):
        raise _NotAllowedError("it must be a folder, or a place in an object store such as s3://conn_id@bucket/ryft")
    return text.rstrip("/")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise _NotAllowedError(f"it must be one of {', '.join(allowed)}")
        return text.lower()

    return parse


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "disabled": _flag,
    "conn_id": str,
    "tags": _list,
    "contexts": _contexts,
    "mask_literals": _flag,
    "max_query_length": _whole_number(256),
    "exclude_dags": _list,
    "exclude_operators": _list,
    "exclude_connections": _list,
    "exclude_connection_types": _list,
    "selective_enable": _flag,
    "outbox_path": _place,
    "outbox_max_bytes": _whole_number(1 << 16),
    "outbox_max_age": _seconds(10 * 365 * 86400.0),
    # Airflow ends a task's process 20 s after its work, and other listeners want their share.
    "delivery_timeout": _seconds(15.0),
    "delivery": _one_of("inline", "outbox"),
}
