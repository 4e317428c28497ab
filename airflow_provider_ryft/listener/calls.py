"""Public methods of hooks while they run, and what each thread is in the middle of.

One execution is seen from several sides: a hook's public method runs, the hook's ``_run_command`` runs, SQLAlchemy runs
a cursor, the hook tells its lineage. A thread's stack of calls and running statements says which of these belong
together, so that each execution is one :class:`~airflow_provider_ryft.listener.statement.Statement`.
"""

from __future__ import annotations

import threading
from enum import Enum
from time import perf_counter
from typing import Any

from airflow_provider_ryft.listener.driver_facts import is_done
from airflow_provider_ryft.listener.observation import Observation, Running
from airflow_provider_ryft.listener.survival import survive


class Kind(Enum):
    """What a public method of a hook does."""

    DELEGATE = "leaves the execution to another method of the hook"
    STATEMENT = "executes one statement itself"
    SCRIPT = "executes one statement after the other itself"
    CHUNKS = "returns a generator that executes one statement when it is first asked"
    ROWS = "inserts rows with one statement, executed for each row or batch"
    JOB = "submits a statement through an API, and waits for it"
    SUBMIT = "submits a statement and does not wait: its end is not seen here"


class Call:
    """A public method of a hook while it runs.

    :param observation: the task's
    :param hook: the hook
    :param kind: what the method does
    :param texts: the statements that its arguments name; none if they can't be known
    :param reports_silence: whether a call in which nothing was seen to run did run its statement nevertheless
    """

    __slots__ = (
        "clock",
        "connected",
        "connection",
        "cursor",
        "generated",
        "hook",
        "kind",
        "named",
        "observation",
        "paused",
        "reports_silence",
        "running",
        "seen",
        "texts",
    )

    def __init__(
        self, observation: Observation, hook: Any, kind: Kind, texts: list[str], *, reports_silence: bool
    ) -> None:
        self.observation = observation
        self.hook = hook
        self.kind = kind
        self.texts = texts
        self.named = texts[0] if texts else ""
        self.reports_silence = reports_silence
        self.clock = perf_counter()
        self.connected = self.seen = False
        self.running: Running | None = None
        self.connection: Any = None
        self.cursor: Any = None
        self.generated: str | None = None
        self.paused: float | None = None

    @property
    def executes(self) -> bool:
        """Whether the method itself asks the engine once it has a connection, and for what it was given."""
        return self.kind in (Kind.STATEMENT, Kind.SCRIPT, Kind.CHUNKS)

    def connected_to(self, connection: Any) -> None:
        """Take note of the driver's connection that the method was given."""
        self.connected = True
        self.connection = connection
        self.clock = perf_counter()
        if self.executes and not self.seen:
            self.begin_next()

    def use(self, cursor: Any) -> None:
        """Take note of the driver's cursor that the method was given."""
        self.cursor = cursor
        if self.running is not None:
            self.running.cursor = cursor

    def begin_next(self) -> None:
        """Begin the next statement that the method is known to run."""
        if self.texts and self.running is None:
            self.running = self.observation.begin(self.texts.pop(0), self.hook, connection=self.connection)
            self.running.cursor = self.cursor
            self.seen = True
            thread.mark_seen()

    def begin_generated(self, text: str) -> None:
        """Begin the one statement of a call that inserts rows, once its text is known."""
        self.generated = text
        if self.kind is Kind.ROWS and self.running is None and not self.seen:
            self.texts = [self._without_values(text)]
            self.begin_next()

    def split(self, texts: list[str]) -> None:
        """Take note of how the method cuts its argument into the statements that it is going to run."""
        if self.running is None and not self.seen and len(self.texts) <= 1:
            self.texts = texts
        elif self.running is not None and len(texts) == 1:
            self.running.statement.text = texts[0]

    def report(self, text: str, engine_id: Any) -> None:
        """Take note of what the method told its lineage: it did run this."""
        if self.kind is Kind.SUBMIT or (self.kind is Kind.CHUNKS and self.running is None):
            return
        if self.kind is Kind.ROWS:
            text = self._without_values(self.generated or text)
        if self.running is None:
            if self.seen and self.kind not in (Kind.SCRIPT, Kind.DELEGATE):
                return  # what told it was seen to run
            self.running = self._begin_late(text)
        running, self.running = self.running, None
        running.statement.text = text
        running.told(engine_id)
        running.end()
        self.clock = perf_counter()
        if self.kind is Kind.SCRIPT:
            self.begin_next()

    def settle(self, error: BaseException | None) -> None:
        """End what the method had begun; or, if nothing was seen of its work, tell of it now.

        :param error: what the method raised
        """
        self.observation.unfinished.discard(self)
        running, self.running = self.running, None
        if running is None and self.ran_unseen(error):
            running = self._begin_late("; ".join(self.texts))
        if running is None:
            return
        if self.paused is not None:
            running.clock += perf_counter() - self.paused
        if error is not None and running.answered and is_done(running.cursor):
            error = None  # it is the handler of the result that failed
        running.end(error)

    def _without_values(self, text: str) -> str:
        """Return an insert without the values that some hooks write into it: they are nobody's business."""
        try:
            from airflow_provider_ryft.sql.masking import mask_literals

            return mask_literals(text)
        except BaseException as fault:
            survive(fault)
            return self.named

    def _begin_late(self, text: str) -> Running:
        self.seen = True
        thread.mark_seen()
        elapsed = perf_counter() - self.clock
        return self.observation.begin(text, self.hook, connection=self.connection, elapsed=elapsed)

    def ran_unseen(self, error: BaseException | None) -> bool:
        """Tell whether the method asked the engine although nobody saw it."""
        if (
            self.seen
            or self.kind is Kind.SUBMIT
            or not self.reports_silence
            or not any(text.strip() for text in self.texts)
        ):
            return False
        if error is None:
            return self.kind is not Kind.ROWS  # there may have been no rows
        return self.connected and self.kind is not Kind.DELEGATE


class Thread(threading.local):
    """What runs on a thread, innermost last."""

    def __init__(self) -> None:
        self.stack: list[Call | Running] = []
        self.muted = 0

    @property
    def top(self) -> Call | Running | None:
        """What the thread is in the middle of."""
        return self.stack[-1] if self.stack else None

    def push(self, frame: Call | Running) -> None:
        """Note that what the thread does from now on belongs to this."""
        self.stack.append(frame)

    def pop(self, frame: Call | Running) -> None:
        """Note that this is over, and so is whatever it left behind by being cut off."""
        if frame in self.stack:
            del self.stack[self.stack.index(frame) :]

    def clear(self) -> None:
        """Forget what the thread was in the middle of."""
        self.stack.clear()
        self.muted = 0

    def mark_seen(self) -> None:
        """Tell the public calls of this thread that what they are about is observed.

        A call that inserts rows is not among them: its rows may come from a generator that runs statements of its own.
        """
        for frame in self.stack:
            if isinstance(frame, Call) and frame.kind is not Kind.ROWS:
                frame.seen = True

    def calls(self, hook: Any) -> list[Call]:
        """Return the hook's public calls that are nested right here, innermost first."""
        calls = []
        for frame in reversed(self.stack):
            if not isinstance(frame, Call) or frame.hook is not hook:
                break
            calls.append(frame)
        return calls


thread = Thread()
