"""Exceptions of drivers, and what is read from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.failures.classify import failure_info
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query

USER, INTERNAL = ErrorType.USER_ERROR, ErrorType.INTERNAL_ERROR
RESOURCES, EXTERNAL = ErrorType.INSUFFICIENT_RESOURCES, ErrorType.EXTERNAL


def failure_of(run: Callable[[], Any]) -> FailureInfo:
    """Describe what a call raises."""
    with pytest.raises(BaseException) as caught:
        run()
    return described(caught.value)


def described(error: BaseException) -> FailureInfo:
    """Describe an exception, and see that the query's payload can carry the description."""
    info = failure_info(error)
    Query(
        query_id="1",
        query="select",
        query_state="FAILED",  # type: ignore[arg-type]
        timestamp="2026-03-10T12:00:00Z",  # type: ignore[arg-type]
        duration_ms=1,
        failure_info=info,
    ).encode()
    return info


def caused_by(outer: BaseException, cause: BaseException) -> BaseException:
    """Return an exception as ``raise outer from cause`` makes it."""
    try:
        raise outer from cause
    except BaseException as error:
        return error


def or_skip(connect: Callable[[], Any], server: str) -> Any:
    """Connect to a server; without one the test is skipped, unless the suite is run with services."""
    try:
        return connect()
    except Exception as error:
        if os.environ.get("RYFT_TEST_SERVICES") == "1":
            raise
        pytest.skip(f"no {server} on loopback: {type(error).__name__}")


def shaped(module: str, name: str, *args: Any, bases: tuple[str, ...] = (), **attributes: Any) -> BaseException:
    """Make an exception as a driver does, of a class with the driver's module, name and bases."""
    base: type[BaseException] = Exception
    for inherited in reversed(bases):
        base = type(inherited, (base,), {"__module__": module})
    error: BaseException = type(name, (base,), {"__module__": module})(*args)
    for attribute, value in attributes.items():
        setattr(error, attribute, value)
    return error


def oracle(code: int) -> BaseException:
    said = SimpleNamespace(code=code, full_code=f"ORA-{code:05}", message=f"ORA-{code:05}: no")
    return shaped("oracledb.exceptions", "DatabaseError", said)
