"""What keeps errors of this package out of the user's task."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from airflow_provider_ryft import guard
from airflow_provider_ryft.guard import guarded, isolated


class Fault(BaseException):
    """What no ``except Exception`` catches."""


@pytest.mark.parametrize("error", [ValueError, Fault, SystemExit, GeneratorExit])
def test_errors_stay_inside(error: type[BaseException]) -> None:
    done: list[str] = []

    @guarded
    def fail() -> str:
        with isolated():
            raise error
        done.append("after")
        raise error

    assert fail() is None
    assert done == ["after"]


def test_a_block_may_return() -> None:
    def function() -> int:
        with isolated():
            return 1
        return 2

    assert function() == 1


def test_ctrl_c_reaches_the_task() -> None:
    """A ``KeyboardInterrupt`` is let through where Python raises it itself, and swallowed where only we can have."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), isolated():
            raise KeyboardInterrupt
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with isolated():
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, previous)


def test_faults_are_logged_once_and_without_content(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    """One warning a process, which names the kind and the place of a fault but quotes nothing of it."""
    monkeypatch.setattr(guard, "_warned", False)
    caplog.set_level("DEBUG", logger=guard.__name__)
    for _ in range(3):
        with isolated():
            raise ValueError("SELECT 'a secret'")
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "DEBUG"]
    assert "ValueError at" in caplog.text
    assert "test_guard.py" in caplog.text
    assert "secret" not in caplog.text


def test_a_log_that_fails(monkeypatch: Any) -> None:
    """Not even what reports a fault can harm the task."""

    def fail(*args: Any) -> None:
        raise Fault("of the log")

    monkeypatch.setattr(guard.log, "log", fail)
    with isolated():
        raise ValueError("a fault")
