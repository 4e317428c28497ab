"""An exception, as Ryft's ``failureInfo``.

What a statement fails with is often wrapped: by a hook (``AirflowException``), by SQLAlchemy, by a retry. The chain of
causes is searched for the first exception that a driver made, and everything is read from what that exception holds in
memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_ryft.failures import codes
from airflow_provider_ryft.failures.drivers import DriverError, decoded, packages, read
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo

_MOST_CAUSES = 16
_LONGEST_NAME = 200


def failure_info(error: BaseException) -> FailureInfo:
    """Describe why a statement failed; it never fails itself.

    :param error: what the statement, or the hook around it, raised
    :return: its message is as the driver gave it: neither masked nor shortened
    """
    chain = list(_chain(error))
    for exception in chain:
        finding = read(exception)
        if finding is not None:
            return _info(exception, finding)
    for exception in chain:
        for table in (codes.DEADLINES, codes.CLASSES, codes.PEP_249):
            kind = codes.by_class(exception, table)
            if kind is not None:
                return _info(exception, DriverError(kind=kind))
    return _info(error, DriverError())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, outermost first; each once, and not endlessly many.

    Airflow's own interruptions (a timeout, a kill) hit a driver in the middle of anything: they are the reason,
    whatever the driver was doing. So are the timeouts that a hook or a sensor keeps itself.
    """
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_CAUSES:
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


def _info(exception: BaseException, finding: DriverError) -> FailureInfo:
    kind = finding.kind or codes.by_class(exception, codes.PEP_249) or ErrorType.USER_ERROR
    cls = type(exception)
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return FailureInfo(
        error_type=kind,
        error_code=_number(finding.code),
        error_name=_short(finding.name),
        failure_message=_message(exception) if finding.message is None else decoded(finding.message),
        failure_type=f"{module}{cls.__qualname__}",
    )


def _number(code: object) -> int | None:
    return int(code) if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 1 << 53 else None


def _short(name: object) -> str | None:
    return decoded(name)[:_LONGEST_NAME] if name else None


def _message(exception: BaseException) -> str:
    """Return what the exception says; SQLAlchemy's puts the statement and its bound parameters after it."""
    try:
        if "sqlalchemy" in packages(exception):
            return decoded(exception.args[0]) if exception.args else ""
        said = str(exception)
    except Exception:
        said = ""
    return said or _UNSAID.get(type(exception).__name__, "")


_UNSAID = {
    "AirflowTaskTimeout": "Airflow stopped the task: its execution_timeout was over.",
    "AirflowTaskTerminated": "Airflow stopped the task.",
    "KeyboardInterrupt": "The task was interrupted.",
    "SystemExit": "The task's process was told to exit.",
    "GeneratorExit": "The task stopped reading the result.",
}
