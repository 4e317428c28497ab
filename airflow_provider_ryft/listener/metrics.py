"""The numbers of ``ryft.*``, through Airflow's own metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

PREFIX = "ryft."


def count(name: str, number: int, tags: Mapping[str, str]) -> None:
    """Add to a counter.

    :param name: ``captured``, ``reported``, ``refused``, ``kept`` or ``dropped``, all of statements
    :param number: how many; 0 is not sent
    :param tags: of the task
    """
    if number:
        _stats().incr(f"{PREFIX}{name}", number, tags=dict(tags))


def time(name: str, seconds: float, tags: Mapping[str, str]) -> None:
    """Report a duration.

    :param name: ``delivery``
    :param seconds: how long it took
    :param tags: of the task
    """
    _stats().timing(f"{PREFIX}{name}", timedelta(seconds=seconds), tags=dict(tags))


def _stats() -> Any:
    from airflow.providers.common.compat.sdk import Stats

    return Stats
