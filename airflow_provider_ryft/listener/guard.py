"""The one guard between Airflow and this package: nothing that goes wrong in an entry reaches the task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from airflow_provider_ryft.listener.survival import survive

P = ParamSpec("P")


def guarded(entry: Callable[P, object]) -> Callable[P, None]:
    """Wrap an entry from Airflow, so that it returns nothing and raises nothing of its own.

    Airflow 2.11 calls listeners unguarded, and 3.x catches ``Exception`` only.
    """

    @functools.wraps(entry)
    def guard(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            entry(*args, **kwargs)
        except BaseException as error:
            survive(error)

    return guard
