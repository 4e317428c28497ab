"""An exception, as Ryft's ``failureInfo``.

What a statement fails with is often wrapped: by a hook (``AirflowException``), by SQLAlchemy, by a retry. The chain of
causes is searched for the first exception that a driver made, and everything is read from what it holds in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_ryft.failures import codes
from airflow_provider_ryft.failures.drivers import DriverError, decode_text, package_names, read_driver_error
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo

_MAX_CAUSES = 16
_MAX_NAME_LENGTH = 200


def failure_info(error: BaseException) -> FailureInfo:
    """Describe why a statement failed; it never fails itself.

    :param error: what the statement, or the hook around it, raised
    :return: its message is as the driver gave it: neither masked nor shortened
    """
    chain = list(_chain(error))
    for exception in chain:
        driver_error = read_driver_error(exception)
        if driver_error is not None:
            return _info(exception, driver_error)
    for exception in chain:
        for table in (codes.DEADLINES, codes.CLASSES, codes.PEP_249):
            kind = codes.by_class(exception, table)
            if kind is not None:
                return _info(exception, DriverError(kind))
    return _info(error, DriverError())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, outermost first; each once, and not endlessly many.

    Airflow's own interruptions (a timeout, a kill) may come at any moment of a driver's work: they are the reason,
    whatever the driver was doing, and so are the timeouts of hooks and sensors themselves.
    """
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MAX_CAUSES:
        exception = waiting.pop(0)
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        yield exception
        if not isinstance(exception, Exception) or codes.by_class(exception, codes.DEADLINES):
            return
        original = getattr(exception, "orig", None)  # SQLAlchemy's
        waiting.append(original if isinstance(original, BaseException) else None)
        waiting.append(exception.__cause__)
        waiting.append(None if exception.__suppress_context__ else exception.__context__)


def _info(exception: BaseException, driver_error: DriverError) -> FailureInfo:
    kind = driver_error.error_type or codes.by_class(exception, codes.PEP_249) or ErrorType.USER_ERROR
    cls = type(exception)
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return FailureInfo(
        error_type=kind,
        error_code=_number(driver_error.code),
        error_name=_name(driver_error.name),
        failure_message=_message(exception) if driver_error.message is None else decode_text(driver_error.message),
        failure_type=f"{module}{cls.__qualname__}",
    )


def _number(code: object) -> int | None:
    return int(code) if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 1 << 53 else None


def _name(name: object) -> str | None:
    return decode_text(name)[:_MAX_NAME_LENGTH] if name else None


def _message(exception: BaseException) -> str:
    """Return the message, without the statement and its bound parameters, which SQLAlchemy puts after it."""
    try:
        if "sqlalchemy" in package_names(exception):
            return decode_text(exception.args[0]) if exception.args else ""
        message = str(exception)
    except Exception:
        message = ""
    return message or _DEFAULT_MESSAGES.get(type(exception).__name__, "")


_DEFAULT_MESSAGES = {
    "AirflowTaskTimeout": "Airflow stopped the task: its execution_timeout was over.",
    "AirflowTaskTerminated": "Airflow stopped the task.",
    "KeyboardInterrupt": "The task was interrupted.",
    "SystemExit": "The task's process was told to exit.",
    "GeneratorExit": "The task stopped reading the result.",
}
