"""The listener's hooks: what reaches a report, and that nothing of it reaches the task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.listener import task_report
from airflow_provider_ryft.listener.task_listener import TaskListener

CALLS: dict[str, dict[str, Any]] = {
    "on_task_instance_running": {"previous_state": None, "task_instance": SimpleNamespace()},
    "on_task_instance_success": {"previous_state": None, "task_instance": SimpleNamespace()},
    "on_task_instance_failed": {"previous_state": None, "task_instance": SimpleNamespace(), "error": ValueError("x")},
    "on_task_instance_skipped": {"previous_state": None, "task_instance": SimpleNamespace()},
    "before_stopping": {"component": object()},
}


class OwnFault(BaseException):
    """Nothing that catches ``Exception`` catches this."""


@pytest.fixture
def hook() -> Any:
    """Return Airflow's own relay of listeners, with ours alone."""
    try:
        from airflow.sdk._shared.listeners.listener import ListenerManager
        from airflow.sdk._shared.listeners.spec import lifecycle, taskinstance

        manager = ListenerManager()
        manager.add_hookspecs(lifecycle)
        manager.add_hookspecs(taskinstance)
    except ImportError:
        from airflow.listeners.listener import ListenerManager

        manager = ListenerManager()
    manager.add_listener(TaskListener())
    return manager.hook


@pytest.mark.parametrize("fault", [ValueError, SystemExit, OwnFault])
@pytest.mark.parametrize("name", CALLS)
def test_no_fault_of_ours_reaches_airflow(
    hook: Any, monkeypatch: pytest.MonkeyPatch, name: str, fault: type[BaseException]
) -> None:
    """2.11 calls listeners unguarded, and an exception there fails the task."""
    raised = []

    def fail(*_arguments: Any, **_options: Any) -> None:
        raised.append(name)
        raise fault

    for function in ("start_report", "finish_report", "flush_report"):
        monkeypatch.setattr(task_report, function, fail)
    call = getattr(hook, name)
    if call.spec is None:
        pytest.skip(f"this Airflow has no {name}")
    known = set(call.spec.argnames)
    call(**{key: value for key, value in {**CALLS[name], "session": None}.items() if key in known})
    assert raised == [name]


def test_a_skip_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no failure, and no success either."""
    ends: list[tuple[Any, bool]] = []
    monkeypatch.setattr(
        task_report, "finish_report", lambda _instance, error, *, skipped: ends.append((error, skipped))
    )
    listener, instance = TaskListener(), SimpleNamespace()
    listener.on_task_instance_success(instance)
    listener.on_task_instance_failed(instance, "no")
    listener.on_task_instance_skipped(instance)
    assert ends == [(None, False), ("no", False), (None, True)]


def test_what_airflow_raises_in_the_middle_of_our_code_reaches_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit that strikes while the listener runs must still end the task."""

    class TaskTimeoutError(BaseException):
        pass

    def strike(_number: int, _frame: Any) -> None:
        raise TaskTimeoutError

    monkeypatch.setattr(task_report, "start_report", lambda _task_instance: os.kill(os.getpid(), signal.SIGALRM))
    before = signal.signal(signal.SIGALRM, strike)
    try:
        with pytest.raises(TaskTimeoutError):
            TaskListener().on_task_instance_running(SimpleNamespace())
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_end_without_a_beginning_imports_and_does_nothing() -> None:
    """The API server and the scheduler report tasks that ran elsewhere."""
    code = """
import sys
from airflow_provider_ryft.listener.task_listener import TaskListener
listener = TaskListener()
before = set(sys.modules)
listener.on_task_instance_success(object())
listener.on_task_instance_failed(object(), None)
listener.on_task_instance_skipped(object())
listener.before_stopping()
print("NEW", *(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("NEW")] == ["NEW"]
