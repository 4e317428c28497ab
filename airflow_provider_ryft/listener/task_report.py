"""The report of one task: from its first statement to the delivery of all.

A process runs one task at a time, so there is one report at a time. In ``dag.test()`` the next task follows in the same
process.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_ryft import settings as options
from airflow_provider_ryft.compat import FAILS_EARLY, resumed_with, runs_here
from airflow_provider_ryft.guard import guarded, isolated
from airflow_provider_ryft.instrumentation import instrumentor
from airflow_provider_ryft.listener.policy import ReportingPolicy
from airflow_provider_ryft.listener.preload import preload, wait_for_imports
from airflow_provider_ryft.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.statement import Statement
    from airflow_provider_ryft.listener.statement_writer import StatementWriter

# What the first statement needs, and what its delivery does: most tasks run no SQL, and need none of it.
_FOR_STATEMENTS = ("airflow_provider_ryft.listener.statement_writer",)
_FOR_DELIVERY = ("airflow_provider_ryft.shipping.shipper", "airflow_provider_ryft.hooks.ryft")

_OVER = frozenset({"failed", "removed", "skipped", "success", "up_for_retry", "upstream_failed"})
_SUBMISSIONS = "airflow_provider_ryft.extractors.submissions"

_current: TaskReport | None = None


def start_report(task_instance: Any) -> None:
    """Observe a task that starts in this process, if it is one to report.

    :param task_instance: Airflow's, of the task
    """
    global _current
    flush_report()
    settings = _settings()
    if settings.disabled or not runs_here(task_instance):
        return
    policy = ReportingPolicy(settings)
    if not policy.includes_task(task_instance.task):
        return
    if _SUBMISSIONS in sys.modules:
        sys.modules[_SUBMISSIONS].clear_submissions()
    if FAILS_EARLY:
        _at_exit()
    _current = TaskReport(settings, policy, task_instance)
    instrumentor.start(_current)


def finish_report(task_instance: Any, error: Any, *, skipped: bool = False) -> None:
    """Deliver what was observed of a task whose outcome is known.

    :param task_instance: Airflow's, of the task; another one than was started here is ignored
    :param error: what it failed with, an exception or text; ``None`` if it did not
    :param skipped: whether it skipped itself
    """
    if FAILS_EARLY and error is not None:
        if _current is not None and _current.key == _key(task_instance):
            _current.error = error  # its callbacks may run SQL; before_stopping comes after them
        return
    report = _stop(_key(task_instance))
    if report is not None:
        report.is_over = True
        report.add_operator(error, skipped=skipped)
        report.deliver()


def flush_report() -> None:
    """Deliver what was observed of a task whose outcome is not reported: it is deferred, rescheduled or killed."""
    report = _stop(None)
    if report is not None:
        if report.error is not None:
            report.is_over = True
            report.add_operator(report.error)
        else:
            report.add_submitted()
        report.deliver()


@functools.cache
def _at_exit() -> None:
    """Deliver the last task of a process that runs tasks by itself; one that a worker forks ends with no such call."""
    atexit.register(guarded(flush_report))


def _stop(key: object | None) -> TaskReport | None:
    """Stop observing, and return the report: that of a task, or without a key the current one."""
    global _current
    report = _current
    if report is None or report.pid != os.getpid() or key not in (None, report.key):
        return None
    _current = None
    instrumentor.stop()
    return report


def _key(task_instance: Any) -> object:
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    return tuple(getattr(task_instance, name, None) for name in names)


@functools.cache
def _settings() -> Settings:
    return options.read()


def _is_of_airflow_itself(task: Any) -> bool:
    """Return whether an operator is none of a provider's, so that no table of these needs to be imported for it."""
    if "airflow_provider_ryft.extractors.operators" in sys.modules:  # describe_operator() may know this one
        return False
    return all(_is_of_airflow(part.__module__) for part in type(task).__mro__)


def _is_of_airflow(module: str) -> bool:
    package = module.partition(".")[0]
    if package != "airflow":
        return package in sys.stdlib_module_names
    return not module.startswith("airflow.providers.") or module.startswith("airflow.providers.standard.")


def _drain_submissions(
    task: Any, described: Sequence[Statement], *, error: BaseException | None, has_ended: bool
) -> list[Statement]:
    """Return what hooks have submitted, see there; the module is imported with the first submission."""
    module = sys.modules.get(_SUBMISSIONS)
    return [] if module is None else list(module.drain_submissions(task, described, error=error, has_ended=has_ended))


class TaskReport:
    """Records the statements of one try of one task, and delivers them at its end.

    :param settings: the options of ``[ryft]``
    :param policy: which of its statements to report
    :param task_instance: Airflow's, of the task
    """

    def __init__(self, settings: Settings, policy: ReportingPolicy, task_instance: Any) -> None:
        self.key = _key(task_instance)
        self.pid = os.getpid()
        self.error: Any = None  # what it failed with, where that is reported before the task's end
        self.is_over = False  # as far as Airflow has reported
        self._settings = settings
        self._task_instance = task_instance
        self._started_at = datetime.now(timezone.utc)
        self._next_method = getattr(task_instance, "next_method", None)
        self._event = resumed_with(task_instance)
        self._policy = policy
        self._writer: StatementWriter | None = None
        # Reentrant, because a signal's handler may run SQL in the middle of a count, or of making the writer.
        self._lock = threading.RLock()
        self._writer_lock = threading.RLock()
        self._started = self._discarded = 0
        self._ignored: set[str] = set()

    def on_hook_created(self) -> None:
        """Get ready for statements, which will not be long in coming."""
        preload(*_FOR_STATEMENTS, then=lambda: self._get_writer().builder.get_ready())

    def on_start(self, statement: Statement) -> None:
        """Record that a statement begins: what will be reported if this process dies before its end."""
        if not self._policy.includes_statement(statement):
            self._ignored.add(statement.query_id)
            return
        with self._lock:
            self._started += 1
            is_first = self._started == 1
        if is_first:
            wait_for_imports()  # two threads that import get no further than one
        writer = self._writer or self._get_writer()
        writer.journal.record_start(statement.query_id, writer.builder.build_interrupted(statement))
        if is_first and self._settings.delivery == "inline":
            preload(*_FOR_DELIVERY)

    def on_end(self, statement: Statement) -> None:
        """Record how a statement ended."""
        if statement.query_id in self._ignored:
            self._ignored.discard(statement.query_id)
            return
        writer = self._writer or self._get_writer()
        writer.journal.record_end(statement.query_id, writer.builder.build_finished(statement))
        _release(statement)

    def on_discard(self, statement: Statement) -> None:
        """Forget a statement that was not run after all."""
        if statement.query_id in self._ignored:
            self._ignored.discard(statement.query_id)
            return
        with self._lock:
            self._discarded += 1
        writer = self._writer or self._get_writer()
        writer.builder.discard(statement)
        writer.journal.record_end(statement.query_id, None)
        _release(statement)

    def _get_writer(self) -> StatementWriter:
        with self._writer_lock:  # one of its own: a handler that interrupts a count waits until the writer is made
            if self._writer is None:
                from airflow_provider_ryft.listener.statement_writer import StatementWriter

                self._writer = StatementWriter(self._settings, self._task_instance)
            return self._writer

    def add_operator(self, error: Any, *, skipped: bool = False) -> None:
        """Add what the operator ran without a hook that is observed.

        :param error: what the task failed with, an exception or text; ``None`` if it did not
        :param skipped: whether the task skipped itself
        """
        with isolated():
            task = self._task_instance.task
            if _is_of_airflow_itself(task) and _SUBMISSIONS not in sys.modules:
                return
            from airflow_provider_ryft.extractors import operators

            now = datetime.now(timezone.utc)
            since = getattr(self._task_instance, "start_date", None)
            started_at = since if isinstance(since, datetime) and since.tzinfo else self._started_at
            error = error if error is None or isinstance(error, BaseException) else RuntimeError(str(error))
            described = operators.extract_statements(
                task,
                error=error,
                started_at=started_at,
                duration_ms=(now - started_at).total_seconds() * 1000,
                skipped=skipped,
                event=self._event,
            )
            self._add(*described, *_drain_submissions(task, described, error=error, has_ended=not skipped))

    def add_submitted(self) -> None:
        """Add what hooks have submitted in a task that stops without an outcome.

        What an operator of the table that is deferred has submitted is extracted at its end, in another process.
        """
        with isolated():
            is_deferred = self._is_deferred()
            task = self._task_instance.task if is_deferred else None
            self._add(*_drain_submissions(task, (), error=None, has_ended=is_deferred))

    def _add(self, *statements: Statement) -> None:
        for statement in statements:
            self.on_start(statement)
            self.on_end(statement)

    def _is_deferred(self) -> bool:
        """Return whether the task waits for a trigger.

        In 2.11 ``dag.test()`` says so only by the method with which the task is going to be resumed.
        """
        method = getattr(self._task_instance, "next_method", None)
        return getattr(self._task_instance, "state", None) == "deferred" or method not in (None, self._next_method)

    def deliver(self) -> None:
        """Deliver what there is, within the time that it may take; the rest is kept."""
        if not self._started:
            return
        from airflow_provider_ryft.listener.delivery import TaskDelivery
        from airflow_provider_ryft.listener.metrics import count

        writer = self._get_writer()
        captured = self._started - self._discarded
        count("captured", captured, writer.tags)
        delivery = TaskDelivery(self._settings, writer.outbox, writer.journal, writer.tags, writer.store)
        delivery.run(captured, continues_later=self._continues_later())

    def _continues_later(self) -> bool:
        """Return whether the task is to go on in another process: it is deferred or rescheduled."""
        state = getattr(self._task_instance, "state", None)
        return not self.is_over and getattr(state, "value", state) not in _OVER


def _release(statement: Statement) -> None:
    statement.hook = statement.connection = statement.error = None  # may hold a good deal of memory
