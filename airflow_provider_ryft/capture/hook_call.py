"""Public methods of hooks while they run.

One execution is seen from several sides: a hook's public method runs, the hook's ``_run_command`` runs, SQLAlchemy runs
a cursor, the hook reports it to hook lineage. A thread's
:data:`~airflow_provider_ryft.capture.call_stack.call_stack` says which of these belong together, so that each
execution is one :class:`~airflow_provider_ryft.capture.statement.Statement`.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from airflow_provider_ryft.capture.dbapi import execution_seconds, is_done, statement_text
from airflow_provider_ryft.capture.method_kind import MethodKind
from airflow_provider_ryft.capture.session import CaptureSession, StatementRun
from airflow_provider_ryft.guard import isolated

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.error_origin import ErrorOrigin


# These ask the engine themselves once they have a connection, and for what they were given.
_EXECUTING = frozenset({MethodKind.STATEMENT, MethodKind.SCRIPT, MethodKind.BATCH, MethodKind.CHUNKS})


class HookCall:
    """A public method of a hook while it runs.

    :param session: the task's
    :param hook: the hook
    :param kind: what the method does
    :param texts: the statements that its arguments name, which may be objects until there is a connection to render
        them for; none if they can't be known
    :param report_if_unobserved: whether a call in which nothing was observed did run its statement nevertheless
    """

    def __init__(
        self, session: CaptureSession, hook: Any, kind: MethodKind, texts: list[Any], *, report_if_unobserved: bool
    ) -> None:
        self.session = session
        self.hook = hook
        self.kind = kind
        self.executes = kind in _EXECUTING
        self.texts = texts
        self.named = texts[0] if texts else ""
        self.report_if_unobserved = report_if_unobserved
        self.clock = perf_counter()
        self.connected = self.observed = False
        self.enclosing: list[HookCall] = []  # the same hook's, innermost first; the stack knows them
        self.reading_rows = False  # the rows to insert, which are the caller's
        self.running: StatementRun | None = None
        self.answered: list[StatementRun] = []  # their results are being handled
        # The method reported it to hook lineage, but its result may yet fail.
        self.reported_run: StatementRun | None = None
        self.connection: Any = None
        self.cursor: Any = None
        self.generated: str | None = None
        self.paused: float | None = None
        self.yielded = False

    def record_connection(self, connection: Any) -> None:
        """Record the driver's connection that the method was given."""
        self.connected = True
        self.connection = connection
        self.clock = perf_counter()
        if self.executes and not self.observed:
            self.begin_next()

    def record_cursor(self, cursor: Any) -> None:
        """Record the driver's cursor that the method was given."""
        self.cursor = cursor
        if self.running is not None:
            self.running.cursor = cursor

    def begin_next(self) -> None:
        """Begin the next statement that the method is known to run."""
        if self.texts and self.running is None:
            if self.kind is MethodKind.BATCH:
                text, self.texts = self._rest(), []
            else:
                text = self._rendered(self.texts.pop(0))
            self.running = adopt_statement(self.enclosing, text)
            if self.running is None:
                self.running = self.session.start_run(text, self.hook, connection=self.connection)
            else:
                self.running.restart(text)
            self.running.cursor = self.cursor
            self.observed = True
            mark_observed(self.enclosing, text)

    def begin_generated(self, text: str) -> None:
        """Begin the one statement of a call that inserts rows, once its text is known."""
        self.generated = text
        if self.kind is MethodKind.ROWS and self.running is None and not self.observed:
            self.texts = [self._without_values(text)]
            self.begin_next()

    def split(self, texts: list[str]) -> None:
        """Record how the method cuts its argument into the statements that it is going to run."""
        if self.kind is MethodKind.BATCH:
            return
        if self.running is None and not self.observed and len(self.texts) <= 1:
            self.texts = texts
        elif self.running is not None and len(texts) == 1:
            self.running.statement.text = texts[0]

    def names(self, text: str) -> bool:
        """Return whether a statement is one that the method was given."""
        return any(_same(text, self._rendered(own)) for own in self.texts)

    def report(self, sql: Any, engine_id: Any, schema: Any = None) -> None:
        """Record what the method reported to hook lineage: it did run this, perhaps in a schema of its own."""
        if self.kind is MethodKind.SUBMIT or (self.kind is MethodKind.CHUNKS and self.running is None):
            return
        text = (
            self._rendered(sql)
            if self.kind is not MethodKind.ROWS
            else self._without_values(self.generated or statement_text(sql))
        )
        running, self.running = self.running, None
        if running is None:
            if self.observed and self.kind not in (MethodKind.SCRIPT, MethodKind.DELEGATE):
                return  # what reported it was observed
            running = self._begin_late(text)
        running.statement.text = text
        running.statement.schema = schema if isinstance(schema, str) and schema else None
        running.spent = execution_seconds(self.connection)
        running.record_lineage(engine_id)
        self._end_reported(None)
        if self.executes:
            self.reported_run = running
        else:
            running.finish()
        self.clock = perf_counter()

    def finish_open_result(self, error: BaseException | None) -> None:
        """End what the method had begun; or, if nothing of its work was observed, report it now.

        :param error: what the method raised
        """
        self.session.unfinished.discard(self)
        answered, self.answered = self.answered, []
        for one in answered:
            one.finish(None if is_done(one.cursor) else error)  # or it is the handler that failed
        running, self.running = self.running, None
        if running is not None and self.paused is not None:
            running.clock += perf_counter() - self.paused
        if error is None:
            self._end_reported(None)
            if running is None and self.ran_unobserved():
                running = self._begin_late(self._rest())
            elif running is not None and self.kind is MethodKind.SCRIPT:
                self.texts.insert(0, running.statement.text)  # it reported none, so there is one record of all
                running.statement.text = self._rest()
            if running is not None:
                running.finish()
        elif running is not None and not self.executes:
            running.finish(error)
        elif not answered and (self.executes or self.kind is MethodKind.ROWS):
            is_finished = False
            with isolated():
                self._fail(running, error)
                is_finished = True
            if running is not None and not is_finished:
                running.finish(error)  # whosever it is

    def _fail(self, running: StatementRun | None, error: BaseException) -> None:
        """End with an error, which is the engine's or the hook's, and of this statement or of another."""
        from airflow_provider_ryft.capture.error_origin import ErrorOrigin

        site = ErrorOrigin(error, self.hook, self.connection)
        raised = None if site.is_of_the_caller and not self.yielded else error
        if running is not None:
            running.spent = site.execution_seconds
            if site.is_of_the_caller and not (site.in_handler or self.yielded or running.cursor is not None):
                running.discard()  # the engine was not asked
            else:
                running.finish(raised)
        elif self._is_of_the_next(site):
            self._end_reported(None)
            text = site.text_among([self._rendered(text) for text in self.texts]) or self._rest()
            if text.strip():
                late = self._begin_late(text)
                late.spent = site.execution_seconds
                late.finish(raised)
        else:
            self._end_reported(raised)

    def _is_of_the_next(self, site: ErrorOrigin) -> bool:
        """Return whether an error is that of a statement of which nothing was observed yet."""
        if self.reported_run is None and (self.observed or not self.report_if_unobserved):
            return False
        if site.in_handler:
            return self.kind is MethodKind.SCRIPT  # it reports to hook lineage after the handler
        return not site.is_of_the_caller and (site.is_executing or (self.kind is MethodKind.ROWS and self.connected))

    def _end_reported(self, error: BaseException | None) -> None:
        reported, self.reported_run = self.reported_run, None
        if reported is not None:
            reported.finish(error)

    def _rendered(self, sql: Any) -> str:
        return sql if type(sql) is str else statement_text(sql, self.cursor or self.connection)

    def _rest(self) -> str:
        """Return what the method was given, as far as it was not observed, in one text."""
        texts = [self._rendered(text) for text in self.texts]
        return texts[0] if len(texts) == 1 else "; ".join(map(_bare, texts))

    def _without_values(self, text: str) -> str:
        """Return an insert without the values that some hooks write into it: they stay here."""
        with isolated():
            from airflow_provider_ryft.sql.masking import mask_literals

            return mask_literals(text)
        return str(self.named)

    def _begin_late(self, text: str) -> StatementRun:
        self.observed = True
        if self.texts and _same(self._rendered(self.texts[0]), text):
            del self.texts[0]
        mark_observed(self.enclosing, text)
        elapsed = perf_counter() - self.clock
        return self.session.start_run(text, self.hook, connection=self.connection, elapsed=elapsed)

    def ran_unobserved(self) -> bool:
        """Return whether the method, which succeeded, asked the engine unobserved."""
        return (
            self.connected
            and not self.observed
            and self.report_if_unobserved
            and self.kind not in (MethodKind.SUBMIT, MethodKind.ROWS)  # there may have been no rows
            and any(self._rendered(text).strip() for text in self.texts)
        )


def adopt_statement(calls: list[HookCall], text: str, *, whatever: bool = False) -> StatementRun | None:
    """Take over the statement that a public call has begun when it was connected, for it is this one.

    :param calls: the hook's calls around the execution
    :param text: the statement that is executed; the hook may have cut it or added to it
    :param whatever: whether it is the same whatever its text
    """
    for call in calls:
        running = call.running
        if running is not None and call.kind is not MethodKind.ROWS:
            given = _bare(running.statement.text)
            if whatever or not call.executes or given in text or _bare(text) in given:
                call.running = None
                return running
    return None


def mark_observed(calls: list[HookCall], text: str) -> None:
    """Record for a hook's public calls that what they are about is observed.

    A call that inserts rows is not among them: its rows may come from a generator that runs statements of its own. Nor
    is a call that executes by itself, when this is another statement than it was given.
    """
    for call in calls:
        if not call.observed and call.kind is not MethodKind.ROWS:
            call.observed = not call.executes or not call.texts or call.names(text)


def _same(text: str, other: str) -> bool:
    return text == other or _bare(text) == _bare(other)


def _bare(text: str) -> str:
    return text.strip().removesuffix(";").rstrip()
