"""The exception in a chain that is described, and how it is classified without its driver."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import ErrorType
from support.failures import EXTERNAL, RESOURCES, USER, caused_by, described, oracle, shaped


def test_the_drivers_exception_is_found_behind_those_around_it() -> None:
    """Hooks wrap what a driver raised; the statement's failure is the driver's."""
    driver = shaped(
        "oracledb.exceptions", "DatabaseError", SimpleNamespace(code=942, full_code="ORA-00942", message="no")
    )
    for depth in range(1, 8):
        wrapped: BaseException = driver
        for _ in range(depth):
            wrapped = caused_by(RuntimeError("Error running SQL statement: SELECT 'secret'"), wrapped)
        info = described(wrapped)
        assert (info.error_code, info.failure_message) == (942, "no")


def test_what_was_being_handled_counts_unless_it_was_hidden() -> None:
    """An exception raised while the driver's was handled belongs to it, unless it was raised ``from None``."""
    for hidden, code in ((False, 942), (True, None)):
        wrapped = RuntimeError("wrapped")
        wrapped.__context__ = oracle(942)
        wrapped.__suppress_context__ = hidden
        assert described(wrapped).error_code == code


def test_the_outermost_driver_wins() -> None:
    """What failed last is what failed; what was handled before it is history."""
    assert described(caused_by(oracle(942), oracle(60))).error_code == 942


def test_a_chain_that_bites_its_tail_is_read_once() -> None:
    """A circle of causes, or an endless chain, ends."""
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert described(first).failure_message == "a"
    long: BaseException = oracle(942)
    for _ in range(5_000):
        outer = RuntimeError("x")
        outer.__cause__ = long
        long = outer
    assert described(long).failure_type == "RuntimeError"


LIBRARIES = [
    ("thrift.transport.TTransport", "TTransportException", (4, "TSocket read 0 bytes"), {}, EXTERNAL),
    ("botocore.exceptions", "ConnectionClosedError", (), {"endpoint_url": "x"}, EXTERNAL),
    ("botocore.exceptions", "EndpointConnectionError", (), {"endpoint_url": "x"}, EXTERNAL),
    ("urllib3.exceptions", "ProtocolError", ("Connection broken",), {}, EXTERNAL),
    ("urllib3.exceptions", "MaxRetryError", (None, "/", None), {}, EXTERNAL),
    ("urllib3.exceptions", "EmptyPoolError", (None, "no free one"), {}, RESOURCES),
    ("google.auth.exceptions", "TransportError", ("no",), {}, EXTERNAL),
    ("google.api_core.exceptions", "RetryError", ("Timeout of 600.0s exceeded", None), {}, RESOURCES),
    ("google.api_core.exceptions", "DeadlineExceeded", ("no",), {}, RESOURCES),
    ("google.api_core.exceptions", "ServiceUnavailable", ("no",), {}, EXTERNAL),
    ("google.api_core.exceptions", "Aborted", ("Transaction was aborted",), {}, EXTERNAL),
    ("google.api_core.exceptions", "Cancelled", ("no",), {}, EXTERNAL),
    ("google.api_core.exceptions", "Conflict", ("Already exists",), {}, USER),
    ("psycopg2.pool", "PoolError", ("connection pool exhausted",), {}, RESOURCES),
    ("mysql.connector.errors", "PoolError", ("pool exhausted",), {}, RESOURCES),
]


@pytest.mark.parametrize(("module", "name", "args", "kwargs", "kind"), LIBRARIES)
def test_lost_connections_below_the_drivers(
    module: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], kind: ErrorType
) -> None:
    """The libraries that drivers use have their own exceptions, outside Python's and PEP 249's."""
    error = getattr(pytest.importorskip(module), name)(*args, **kwargs)
    info = described(error)
    assert info.error_type is kind
    assert info.failure_message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyboardInterrupt(), EXTERNAL),
        (SystemExit(1), EXTERNAL),
        (GeneratorExit(), EXTERNAL),
        (asyncio.CancelledError(), EXTERNAL),
        (MemoryError(), RESOURCES),
        (TimeoutError("late"), RESOURCES),
        (ConnectionResetError("reset"), EXTERNAL),
        (BrokenPipeError(), EXTERNAL),
        (EOFError("Unexpected EOF while reading bytes"), EXTERNAL),
        (OSError(28, "No space left on device"), EXTERNAL),
        (ValueError("wrong"), USER),
        (KeyError("x"), USER),
    ],
)
def test_pythons_own(error: BaseException, kind: ErrorType) -> None:
    """Lost connections, kills and exhaustion are not the user's errors."""
    info = described(error)
    assert info.error_type is kind
    assert info.failure_type == type(error).__qualname__ or "." in (info.failure_type or "")


def test_an_exception_that_cannot_speak_is_described() -> None:
    """Neither ``__str__`` nor odd attributes keep a failure from being reported."""

    class Mute(Exception):
        sqlstate = 5
        orig = "not an exception"

        def __str__(self) -> str:
            raise RuntimeError("no")

    info = described(Mute())
    assert info.error_type is USER
    assert info.failure_message in ("", None)
    assert info.failure_type is not None
    assert info.failure_type.endswith("Mute")


def test_codes_that_are_no_numbers_are_left_out() -> None:
    """The payload's code is a number, of a size that every reader of JSON can hold."""
    for code in ("1", 1 << 60, True, None, 1.5):
        error = {"errorType": "USER_ERROR", "errorName": "X" * 1_000, "errorCode": code, "message": "no"}
        attributes = {"error_type": "USER_ERROR", "error_code": code, "error_name": error["errorName"], "message": "no"}
        info = described(shaped("trino.exceptions", "TrinoQueryError", **attributes))
        assert info.error_code is None
        assert len(info.error_name or "") == 200
