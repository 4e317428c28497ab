"""Observing hooks with methods of their own: what they really execute is reported, and nothing else."""

from __future__ import annotations

import functools
import gc
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat import sdk
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_ryft.instrumentation import instrumentor


def outcomes(processor: Any) -> list[tuple[str, BaseException | None]]:
    return [(text, statement.error) for text, statement in zip(processor.texts, processor.ended, strict=True)]


# --- what executes nothing is no statement


def test_a_method_that_can_do_more_than_be_called(processor: Any, sqlite: Any) -> None:
    """A cache of results is the object that it was; what it executes is reported, and what it remembers is not."""

    class Caching(SqliteHook):
        @functools.lru_cache  # noqa: B019  # as users do
        def get_first(self, sql: str, parameters: Any = None) -> Any:
            return super().get_first(sql, parameters)

    hook = Caching(sqlite.get_conn_id())
    assert hook.get_first("SELECT 1") == hook.get_first("SELECT 1") == (1,)
    assert Caching.get_first.cache_info().hits == 1
    Caching.get_first.cache_clear()
    assert processor.texts == ["SELECT 1"]


def test_overrides_that_need_not_execute(processor: Any, sqlite: Any) -> None:
    """A dry run and an answer from memory are not reported; the execution that filled the memory is."""

    class Sparing(SqliteHook):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.cache: dict[str, Any] = {}

        def run(self, sql: Any, *args: Any, dry_run: bool = False, **kwargs: Any) -> Any:
            return None if dry_run else super().run(sql, *args, **kwargs)

        def get_records(self, sql: Any, parameters: Any = None) -> Any:
            if sql not in self.cache:
                self.cache[sql] = super().get_records(sql, parameters)
            return self.cache[sql]

        def get_df(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            if sql not in self.cache:
                with closing(self.get_conn()) as connection:
                    self.cache[sql] = connection.execute(sql).fetchall()
            return self.cache[sql]

    hook = Sparing(sqlite.get_conn_id())
    hook.run("DROP TABLE t", dry_run=True)
    assert hook.get_records("SELECT 1") == hook.get_records("SELECT 1") == [(1,)]
    assert hook.get_df("SELECT 2") == hook.get_df("SELECT 2") == [(2,)]
    assert processor.texts == ["SELECT 1", "SELECT 2"]


def test_checks_that_fail_before_the_engine_is_asked(processor: Any, sqlite: Any) -> None:
    """What a hook refuses by itself was begun, for it had a connection, and is taken back."""

    class Checking(SqliteHook):
        def get_df(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            with closing(self.get_conn()) as connection:
                if ";" in sql:
                    raise ValueError(sql)
                return connection.execute(sql).fetchall()

    hook = Checking(sqlite.get_conn_id())
    with pytest.raises(ValueError, match="SELECT 1;"):
        hook.get_df("SELECT 1;")
    with pytest.raises(sqlite3.OperationalError) as raised:
        hook.get_df("SELECT nope")
    assert outcomes(processor) == [("SELECT nope", raised.value)]


def test_a_time_limit_is_the_statements(processor: Any, sqlite: Any) -> None:
    """What ends a task ends its statement, wherever it strikes."""

    class Limit(BaseException):
        pass

    class Slow(SqliteHook):
        def get_df(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            with closing(self.get_conn()):
                raise Limit

    with pytest.raises(Limit) as raised:
        Slow(sqlite.get_conn_id()).get_df("SELECT 1")
    assert outcomes(processor) == [("SELECT 1", raised.value)]


# --- whose statement it is


def test_statements_on_the_way_to_a_statement(processor: Any, sqlite: Any, rows_hook: Any) -> None:
    """Neither a token that ``get_conn`` asks another hook for nor a session's setup hides what is executed then."""

    class Guarded(rows_hook):  # type: ignore[misc]
        def get_conn(self) -> Any:
            sqlite.get_first("SELECT 'token'")
            return super().get_conn()

    hook = Guarded(sqlite.get_conn_id())
    hook.get_df("SELECT 1")
    list(hook.get_df_by_chunks("SELECT 2", chunksize=1))

    class Setting(SqliteHook):
        def get_df(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            self.run("SELECT 'role'")
            with closing(self.get_conn()) as connection:
                return connection.execute(sql).fetchall()

    Setting(sqlite.get_conn_id()).get_df("SELECT 3")
    assert processor.texts == ["SELECT 'token'", "SELECT 1", "SELECT 'token'", "SELECT 2", "SELECT 'role'", "SELECT 3"]


def test_a_setup_that_fails(processor: Any, sqlite: Any) -> None:
    """The error of one statement of a method is not that of the other, which was not executed."""

    class Setting(SqliteHook):
        def get_df(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            self.run("SELECT nope")
            return self.get_conn().execute(sql).fetchall()

    with pytest.raises(sqlite3.OperationalError) as raised:
        Setting(sqlite.get_conn_id()).get_df("SELECT 1")
    assert outcomes(processor) == [("SELECT nope", raised.value)]


def test_a_loop_of_its_own(processor: Any, sqlite: Any) -> None:
    """A ``run`` that reports none of its statements is one record of all."""

    class Looping(SqliteHook):
        def run(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            statements = self.split_sql_string(sql) if isinstance(sql, str) else sql
            with closing(self.get_conn()) as connection:
                for statement in statements:
                    connection.cursor().execute(statement)

    hook = Looping(sqlite.get_conn_id())
    hook.run(["SELECT 1;", "SELECT 2"])
    hook.run("SELECT 3; SELECT 4")
    with pytest.raises(sqlite3.OperationalError) as raised:
        hook.run(["SELECT 5", "SELECT nope"])
    assert outcomes(processor) == [
        ("SELECT 1; SELECT 2", None),
        ("SELECT 3; SELECT 4", None),
        ("SELECT 5; SELECT nope", raised.value),
    ]
    assert processor.first_texts == processor.texts


def test_commands_that_change_the_text(processor: Any, sqlite: Any) -> None:
    """The text is that of the innermost command; a second one that it runs is a statement of its own."""

    class Tagging(SqliteHook):
        def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
            super()._run_command(cur, f"/* tag */ {sql_statement}", parameters)

    class Twice(SqliteHook):
        def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
            super()._run_command(cur, "SELECT 'role'", None)
            super()._run_command(cur, sql_statement, parameters)

    Tagging(sqlite.get_conn_id()).run("SELECT 1")
    with pytest.raises(sqlite3.OperationalError) as raised:
        Twice(sqlite.get_conn_id()).run(["SELECT 2", "SELECT nope"])
    assert outcomes(processor) == [
        ("/* tag */ SELECT 1", None),
        ("SELECT 'role'", None),
        ("SELECT 2", None),
        ("SELECT 'role'", None),
        ("SELECT nope", raised.value),
    ]


def test_generator_functions(processor: Any, sqlite: Any) -> None:
    """A method that is a generator is one statement, from when it is first asked to when it ends."""

    class Yielding(SqliteHook):
        def get_records(self, sql: Any, parameters: Any = None) -> Iterator[Any]:
            with closing(self.get_conn()) as connection:
                yield from connection.execute(sql)

        def get_df_by_chunks(self, sql: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            yield from self.get_records(sql)

    hook = Yielding(sqlite.get_conn_id())
    rows = hook.get_records("SELECT n FROM t")
    assert processor.began == []
    assert next(rows) == (1,)
    assert (len(processor.began), len(processor.ended)) == (1, 0)
    assert list(rows) == [(2,), (3,)]
    assert list(hook.get_df_by_chunks("SELECT 2")) == [(2,)]
    with pytest.raises(TypeError):
        hook.get_records()  # at once, as ever
    assert processor.texts == ["SELECT n FROM t", "SELECT 2"]


# --- rows


def test_an_insert_that_leaves_the_rows_to_its_base(processor: Any, sqlite: Any) -> None:
    """It is one record, also when it has connected by itself and then fails; two of them are two."""

    class Preparing(SqliteHook):
        def insert_rows(self, table: str, rows: Any, *args: Any, **kwargs: Any) -> None:
            self.get_conn().close()
            super().insert_rows(table, rows[:1], *args, **kwargs)
            super().insert_rows(table, rows[1:], *args, **kwargs)

    hook = Preparing(sqlite.get_conn_id())
    with pytest.raises(sqlite3.OperationalError) as raised:
        hook.insert_rows("nope", [(1, "a"), (2, "b")])
    assert outcomes(processor) == [("INSERT INTO nope  VALUES (?,?)", raised.value)]
    hook.insert_rows("t", [(1, "a"), (2, "b")])
    assert len(processor.texts) == 3


@pytest.mark.parametrize("options", [{}, {"executemany": True, "commit_every": 1}], ids=["rows", "batches"])
@pytest.mark.parametrize("make", [iter, lambda rows: map(tuple, rows)])
def test_the_time_of_a_generator_is_not_the_inserts(
    processor: Any, sqlite: Any, options: dict[str, Any], make: Callable[[Any], Any]
) -> None:
    """While the caller makes its rows the engine has nothing to do."""

    class Passing(SqliteHook):
        def insert_rows(self, table: str, rows: Any, *args: Any, **kwargs: Any) -> None:
            super().insert_rows(table, rows, *args, **kwargs)

    def slow() -> Iterator[Any]:
        for n in range(3):
            time.sleep(0.5)
            yield n, "x"

    Passing(sqlite.get_conn_id()).insert_rows("t", make(slow()), ["n", "s"], **options)
    assert processor.only.duration_ms < 1000


def test_rows_are_what_they_were(processor: Any, sqlite: Any) -> None:
    """A list is the very list; a generator can be closed, thrown into and read on, and is not closed by itself."""
    received: list[Any] = []

    class Watching(SqliteHook):
        def insert_rows(self, table: str, rows: Any, *args: Any, **kwargs: Any) -> None:
            received.append(rows)

    def numbers() -> Iterator[Any]:
        try:
            while True:
                try:
                    yield 1
                except KeyError:
                    yield 2
        finally:
            received.append("closed")

    hook = Watching(sqlite.get_conn_id())
    given, own = [(1,)], numbers()
    hook.insert_rows("t", given)
    hook.insert_rows("t", rows=own)
    assert received[0] is given
    assert next(received[1]) == 1
    assert received[1].throw(KeyError()) == 2
    assert received[1].send(None) == 1
    del received[1]
    gc.collect()
    assert next(own) == 1
    hook.insert_rows("t", own)
    received[1].close()
    assert received[2:] == ["closed"]


def test_rows_that_run_the_very_insert(processor: Any, sqlite: Any) -> None:
    """What a generator of rows executes is its own, even if it has the text of the insert."""

    class Autocommitting(SqliteHook):
        def get_conn(self) -> Any:
            connection = super().get_conn()
            connection.isolation_level = None
            return connection

    hook = Autocommitting(sqlite.get_conn_id())

    def rows() -> Iterator[Any]:
        for n in range(3):
            hook.run("INSERT INTO t (n, s) VALUES (?,?)", parameters=(n, "x"))
            yield n, "y"

    hook.insert_rows("t", rows(), ["n", "s"])
    assert processor.texts == ["INSERT INTO t (n, s) VALUES (?,?)"] * 4


# --- classes


def test_mixins_of_hooks_that_are_there_before(sqlite: Any, recording_processor: Any) -> None:
    """A hook that was made before anything was observed is observed in all of its parts, and Python's are left."""

    class Commands:
        def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
            cur.execute(sql_statement)

    class Runs:
        def run(self, sql: Any, **kwargs: Any) -> Any:
            with closing(self.get_conn()) as connection:  # type: ignore[attr-defined]
                return connection.execute(sql).fetchall()

    class First(Commands, SqliteHook):
        pass

    class Second(Runs, SqliteHook):
        pass

    class Third(SqliteHook, threading.Thread):
        def __init__(self, *args: Any) -> None:
            SqliteHook.__init__(self, *args)
            threading.Thread.__init__(self)

    hooks = [First(sqlite.get_conn_id()), Second(sqlite.get_conn_id()), Third(sqlite.get_conn_id())]
    run_of_threads = threading.Thread.run
    processor = recording_processor()
    instrumentor.start(processor)
    try:
        for number, hook in enumerate(hooks):
            hook.run(f"SELECT {number}")
        Third(sqlite.get_conn_id()).run("SELECT 3")
        assert threading.Thread.run is run_of_threads
        assert processor.texts == ["SELECT 0", "SELECT 1", "SELECT 2", "SELECT 3"]
    finally:
        instrumentor.stop()
        instrumentor.uninstall()
    assert "_run_command" in vars(Commands)
    assert not hasattr(Commands._run_command, "__wrapped__")


def test_classes_may_go(processor: Any, sqlite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of hooks that a task makes lives no longer for having been observed."""
    keeps_nothing = SimpleNamespace(add_extra=lambda **_: None)  # Airflow's own collector keeps some hooks
    monkeypatch.setattr(sdk, "get_hook_lineage_collector", lambda: keeps_nothing)
    classes = []
    for number in range(3):
        made = type(
            f"Made{number}",
            (SqliteHook,),
            {"get_records": lambda self, sql, parameters=None: super(SqliteHook, self).get_records(sql)},
        )
        made(sqlite.get_conn_id()).get_records("SELECT 1")
        classes.append(weakref.ref(made))
        del made
    assert len(processor.texts) == 3
    processor.began.clear()
    processor.ended.clear()
    gc.collect()
    assert [made() for made in classes] == [None, None, None]


# --- statements that only their driver can write out


def test_a_statement_that_needs_a_connection(processor: Any, sqlite: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported as it was executed, whichever way it went, without a word in the log."""

    class Composed:
        def as_string(self, context: Any) -> str:
            if context is None:
                raise TypeError("argument 2 must be a connection or a cursor")
            return "SELECT 1"

    class Composing(SqliteHook):
        def _run_command(self, cur: Any, sql_statement: Any, parameters: Any) -> None:
            cur.execute(sql_statement.as_string(cur))

        def copy_expert(self, sql: Any, filename: str) -> Any:
            return self.get_conn().execute(sql.as_string(self)).fetchall()

    hook = Composing(sqlite.get_conn_id())
    caplog.clear()
    hook.copy_expert(Composed(), "file")
    hook.run([Composed()])
    assert processor.texts == processor.first_texts == ["SELECT 1"] * 2
    assert "not observed" not in caplog.text
