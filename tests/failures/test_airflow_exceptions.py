"""Airflow's own exceptions: its timeouts and kills are the reason, whatever they interrupted."""

from __future__ import annotations

import pytest

from airflow_provider_ryft.ingest.query import ErrorType
from support.failures import EXTERNAL, RESOURCES, USER, caused_by, described, oracle, shaped


def airflow_exception(name: str) -> type[BaseException]:
    try:
        from airflow.sdk import exceptions
    except ImportError:
        from airflow import exceptions
    found: type[BaseException] = getattr(exceptions, name)
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [("AirflowTaskTimeout", RESOURCES), ("AirflowTaskTerminated", EXTERNAL), ("AirflowException", USER)],
)
def test_airflows_own(name: str, kind: ErrorType) -> None:
    """A task that ran out of time, or was stopped, is not the user's error, and says so."""
    error = airflow_exception(name)
    info = described(error("said"))
    assert (info.error_type, info.failure_message) == (kind, "said")
    assert info.failure_type == f"{error.__module__}.{name}"
    if kind is not USER:
        assert "Airflow stopped the task" in (described(error()).failure_message or "")


def test_an_interruption_goes_before_what_it_interrupted() -> None:
    """A timeout hits a driver in the middle of anything, and is the reason, whatever was being handled."""
    timeout = airflow_exception("AirflowTaskTimeout")("Timeout")
    timeout.__context__ = oracle(942)
    info = described(timeout)
    assert (info.error_type, info.error_code) == (RESOURCES, None)


@pytest.mark.parametrize("name", ["TaskDeferralTimeout", "AirflowSensorTimeout"])
def test_airflows_deadlines(name: str) -> None:
    """Waiting that took too long is no mistake in a statement, whatever happened last."""
    try:
        kind = airflow_exception(name)
    except AttributeError:
        pytest.skip(f"this Airflow has no {name}")
    timeout = caused_by(kind("late"), oracle(942))
    info = described(timeout)
    assert (info.error_type, info.error_code, info.failure_message) == (RESOURCES, None, "late")


def test_databricks_deadline_goes_before_what_it_cancelled() -> None:
    """The hook closes the cursor at its own timeout; that it was closed is the consequence."""
    exceptions = pytest.importorskip("airflow.providers.databricks.exceptions")
    closed = shaped("databricks.sql.exc", "CursorAlreadyClosedError", "closed", bases=("InterfaceError", "Error"))
    info = described(caused_by(exceptions.DatabricksSqlExecutionTimeout("late"), closed))
    assert (info.error_type, info.failure_message) == (RESOURCES, "late")
