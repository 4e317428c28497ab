"""Whatever goes wrong in what observes a task, the task does what it would have done."""

from __future__ import annotations

import inspect
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from sqlalchemy import text

from airflow_provider_ryft.capture import call_stack, correlation, dbapi, error_origin, hook_call, session
from airflow_provider_ryft.instrumentation import (
    hook_classes,
    hook_lineage,
    instrumentor,
    iterators,
    method_kinds,
    patches,
    post_import_hook,
    sql_arguments,
    sqlalchemy_events,
    wrappers,
)


class Fault(BaseException):
    """What no ``except Exception`` catches."""


# The wrappers themselves, which do nothing but call what they wrap and what is tested here.
WRAPPERS = {
    "TracedGenerator.send",
    "TracedGenerator.throw",
    "TracedGenerator.close",
    "TracedGenerator._step",
    "TracedGenerator.__init__",
    "_after",
    "_on_error",
    "_returned",
}
WRAPPERS |= {"ForwardingCollector.__init__", "ForwardingCollector.add_extra"}
WRAPPERS |= {"TimedRows.__next__", "FetchedRows.__next__"}
WRAPPERS |= {f"TimedRowGenerator.{name}" for name in ("send", "throw", "close")}
# What is called by the listener, which guards it, or by tests.
OUTSIDE = {"install", "start", "stop", "uninstall", "Patches.undo"}

MODULES = [
    sql_arguments,
    call_stack,
    hook_call,
    instrumentor,
    dbapi,
    error_origin,
    hook_classes,
    method_kinds,
    patches,
    wrappers,
    iterators,
    post_import_hook,
    hook_lineage,
    correlation,
    session,
    sqlalchemy_events,
]


def functions(module: ModuleType) -> Iterator[tuple[Any, str, str]]:
    """Yield where each function and method of a module is, its attribute, and its name."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, FunctionType):
            yield module, name, name
        elif inspect.isclass(value):
            for attribute, member in vars(value).items():
                if isinstance(member, (FunctionType, property)) and attribute != "__getattr__":
                    yield value, attribute, f"{name}.{attribute}"


POINTS = [
    pytest.param(owner, attribute, id=f"{module.__name__.rpartition('.')[2]}:{name}")
    for module in MODULES
    for owner, attribute, name in functions(module)
    if name not in WRAPPERS | OUTSIDE
]


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return repr(call())
    except Exception as error:
        return repr(error), type(error.__cause__), type(error.__context__)


def work(hook_class: Any, path: str) -> list[Any]:
    """Do what tasks do, and return all that can be seen of it."""

    class Own(SqliteHook):
        def get_records(self, sql: Any, parameters: Any = None) -> Any:
            return self.get_conn().execute(sql).fetchall()

    hook, own = hook_class("warehouse"), Own("warehouse")
    engine = hook.get_sqlalchemy_engine()

    def query(sql: str) -> Any:
        with engine.connect() as connection, connection.begin_nested():
            return connection.execute(text(sql)).fetchall()

    def chunks(sql: str) -> Any:
        return [len(chunk) for chunk in hook.get_df_by_chunks(sql, chunksize=2)]

    def left() -> Any:
        generator = hook.get_df_by_chunks("SELECT * FROM t", chunksize=1)
        rows = next(generator)
        generator.close()
        return rows

    results = [
        outcome(
            lambda: hook.run("SELECT 1; SELECT 2", split_statements=True, handler=lambda cursor: cursor.fetchall())
        ),
        outcome(lambda: hook.run(["SELECT 1", "SELECT nope"])),
        outcome(lambda: hook.run("")),
        outcome(lambda: hook.get_first("SELECT ?", parameters=(1,))),
        outcome(lambda: own.get_records("SELECT 1")),
        outcome(lambda: own.get_records("SELECT nope")),
        outcome(lambda: hook.get_df("SELECT * FROM t")),
        outcome(lambda: hook.get_df("SELECT nope")),
        outcome(lambda: chunks("SELECT * FROM t")),
        outcome(lambda: chunks("SELECT nope")),
        outcome(left),
        outcome(lambda: hook.insert_rows("t", [(4, "d"), (5, "e")], ["n", "s"])),
        outcome(lambda: hook.insert_rows("nope", [(4, "d")])),
        outcome(lambda: query("SELECT n FROM t")),
        outcome(lambda: query("SELECT nope")),
        outcome(lambda: hook.get_table_schema("t")),
        outcome(lambda: hook.get_conn_id()),
        outcome(lambda: hook.connection.conn_type),
    ]
    with sqlite3.connect(path) as connection:
        results.append(connection.execute("SELECT * FROM t").fetchall())
        connection.execute("DELETE FROM t WHERE n > 3")
    connection.close()
    return results


def observed_work(hook_class: Any, path: str, processor: Any) -> list[Any]:
    instrumentor.install()
    instrumentor.start(processor)
    try:
        return work(hook_class, path)
    finally:
        instrumentor.stop()


_without: list[Any] = []


@pytest.fixture
def without(rows_hook: Any, sqlite: Any) -> list[Any]:
    """Return what the work does when it is not observed."""
    if not _without:
        _without.extend(work(rows_hook, sqlite.connection.host))
    return _without


@pytest.fixture(autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    yield
    instrumentor.uninstall()


@pytest.mark.parametrize("error", [RuntimeError, Fault])
@pytest.mark.parametrize(("owner", "attribute"), POINTS)
def test_a_fault_anywhere(
    owner: Any,
    attribute: str,
    error: type[BaseException],
    sqlite: Any,
    rows_hook: Any,
    without: Any,
    recording_processor: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each function that has a part in observing may fail: results, errors and data are the same."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error("a fault")

    original = vars(owner)[attribute]
    monkeypatch.setattr(owner, attribute, property(fail) if isinstance(original, property) else fail)
    assert observed_work(rows_hook, sqlite.connection.host, recording_processor()) == without


@pytest.mark.parametrize("error", [RuntimeError, Fault, SystemExit, GeneratorExit, StopIteration, MemoryError])
@pytest.mark.parametrize("method", ["on_start", "on_end"])
def test_a_processor_that_fails(
    method: str, error: type[BaseException], sqlite: Any, rows_hook: Any, without: Any, recording_processor: Any
) -> None:
    """A processor may raise what it likes, and still gets the rest."""
    processor = recording_processor()
    got: list[Any] = []

    def fail(statement: Any) -> None:
        got.append(statement)
        raise error("of the processor")

    setattr(processor, method, fail)
    if method == "on_start":
        processor.on_end = lambda statement: None
    assert observed_work(rows_hook, sqlite.connection.host, processor) == without
    assert len(got) == 16


def test_each_method_is_called_once_with_its_arguments(processor: Any, sqlite: Any) -> None:
    """What is wrapped gets the very arguments, once."""
    received: list[Any] = []

    class Watching(SqliteHook):
        def run(self, *args: Any, **kwargs: Any) -> Any:
            received.append((args, kwargs))
            return "a result"

        def _run_command(self, *args: Any, **kwargs: Any) -> Any:
            received.append((args, kwargs))
            return "another"

        def insert_rows(self, *args: Any, **kwargs: Any) -> Any:
            received.append((args, kwargs))

    hook = Watching(sqlite.get_conn_id())
    sql, rows, cursor, unknown = object(), iter([(1,)]), object(), object()
    assert hook.run(sql, unknown=unknown) == "a result"
    assert hook._run_command(cursor, sql, None, unknown=unknown) == "another"
    hook.insert_rows("t", rows, unknown=unknown)
    assert received == [
        ((sql,), {"unknown": unknown}),
        ((cursor, sql, None), {"unknown": unknown}),
        (("t", rows), {"unknown": unknown}),
    ]
    assert next(rows) == (1,)  # which has not been read


def test_a_failure_whose_place_cannot_be_read_is_told(processor: Any, sqlite: Any, monkeypatch: Any) -> None:
    """Whatever it was that failed, the statement did not succeed."""

    class Own(SqliteHook):
        def get_df(self, sql: Any, *_arguments: Any, **_options: Any) -> Any:
            return self.get_conn().execute(sql)

    def fail(*_arguments: Any) -> None:
        raise Fault

    monkeypatch.setattr(error_origin.ErrorOrigin, "__init__", fail)
    with pytest.raises(sqlite3.OperationalError) as raised:
        Own(sqlite.get_conn_id()).get_df("SELECT nope")
    assert [(statement.text, statement.error) for statement in processor.ended] == [("SELECT nope", raised.value)]


def test_errors_are_raised_as_they_were(processor: Any, sqlite: Any) -> None:
    """The very exception reaches the task, with nothing in its chain from here."""
    mine = Fault("mine")

    def handler(cursor: Any) -> None:
        raise mine

    with pytest.raises(Fault) as raised:
        sqlite.run("SELECT 1", handler=handler)
    assert raised.value is mine
    assert (mine.__cause__, mine.__context__) == (None, None)
    assert [statement.text for statement in processor.ended] == ["SELECT 1"]


def test_a_time_limit_that_strikes_in_the_processor(sqlite: Any, recording_processor: Any) -> None:
    """What a signal handler raises belongs to the task, wherever it strikes."""

    def on_alarm(number: int, frame: Any) -> None:
        raise AirflowTaskTimeout("of the task")

    class Processor:
        def on_start(self, statement: Any) -> None:
            signal.raise_signal(signal.SIGALRM)

        def on_end(self, statement: Any) -> None: ...

    previous = signal.signal(signal.SIGALRM, on_alarm)
    instrumentor.start(Processor())
    try:
        with pytest.raises(AirflowTaskTimeout, match="of the task"):
            sqlite.run("SELECT 1")
    finally:
        signal.signal(signal.SIGALRM, previous)
    processor = recording_processor()
    instrumentor.start(processor)
    sqlite.run("SELECT 2")
    assert processor.texts == ["SELECT 2"]


def test_start_and_stop_while_threads_run(sqlite: Any, recording_processor: Any) -> None:
    """Tasks may begin and end under running threads: all of their statements succeed."""
    results: list[Any] = []

    def run() -> None:
        for n in range(100):
            results.append(outcome(lambda n=n: sqlite.get_first(f"SELECT {n}")))

    class Processor:
        def on_start(self, statement: Any) -> None: ...

        def on_end(self, statement: Any) -> None: ...

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        instrumentor.start(Processor())
        instrumentor.stop()
    assert sorted(results) == sorted(f"({n},)" for n in range(100) for _ in range(3))
