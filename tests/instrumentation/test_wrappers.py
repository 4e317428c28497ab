"""Observing the statements of hooks, on an engine that is always at hand."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_ryft.instrumentation import instrumentor

# --- one execution is one record


def test_run(processor: Any, sqlite: Any) -> None:
    """A statement is reported with its text, start, duration, connection and version."""
    before = datetime.now(timezone.utc)
    sqlite.run("SELECT 1")
    statement = processor.only
    assert statement.text == "SELECT 1"
    assert before <= statement.started_at <= datetime.now(timezone.utc)
    assert statement.started_at.utcoffset() == timedelta(0)
    assert 0 <= statement.duration_ms < 10_000
    assert statement.error is None
    assert statement.conn_id == "warehouse"
    assert statement.connection.conn_type == "sqlite"
    assert statement.hook is sqlite
    assert statement.server_version == sqlite3.sqlite_version
    assert statement.engine_id is None
    assert (UUID(statement.query_id).version, UUID(statement.query_id).variant) == (4, RFC_4122)
    assert str(UUID(statement.query_id)) == statement.query_id


@pytest.mark.parametrize(
    ("call", "texts"),
    [
        (lambda hook: hook.run("SELECT 1; SELECT 2", split_statements=True), ["SELECT 1;", "SELECT 2"]),
        (lambda hook: hook.run(["SELECT 1", "SELECT 2"]), ["SELECT 1", "SELECT 2"]),
        (lambda hook: hook.run(iter(["SELECT 1", "SELECT 2"])), ["SELECT 1", "SELECT 2"]),
        (lambda hook: hook.run(sql="SELECT ?", parameters=(1,)), ["SELECT ?"]),
        (lambda hook: hook.get_records("SELECT 1"), ["SELECT 1"]),
        (lambda hook: hook.get_records(sql="SELECT 1"), ["SELECT 1"]),
        (lambda hook: hook.get_first("SELECT 1"), ["SELECT 1"]),
        (lambda hook: hook.test_connection(), ["select 1"]),
        (
            lambda hook: hook.run("SELECT 1", handler=lambda cursor: hook.get_first("SELECT 2")),
            ["SELECT 1", "SELECT 2"],
        ),
        (lambda hook: hook.run(""), []),
        (lambda hook: hook.run([]), []),
        (lambda hook: hook.run("SELECT nope"), ["SELECT nope"]),
        (lambda hook: hook.run(["SELECT 1", "SELECT nope", "SELECT 2"]), ["SELECT 1", "SELECT nope"]),
        (lambda hook: hook.bulk_load("t", "file"), []),
        (lambda hook: hook._run_command(hook.get_conn().cursor(), "SELECT 1", None), ["SELECT 1"]),
        (
            lambda hook: hook._run_command(cur=hook.get_conn().cursor(), sql_statement="SELECT 1", parameters=()),
            ["SELECT 1"],
        ),
    ],
)
def test_statements(processor: Any, sqlite: Any, call: Callable[[Any], Any], texts: list[str]) -> None:
    """Each statement of a call is reported once, with the text that was executed, in order, and before it runs."""
    with suppress(Exception):
        call(sqlite)
    assert processor.texts == texts
    assert processor.first_texts == texts


def test_the_error_of_the_statement_that_failed(processor: Any, sqlite: Any) -> None:
    """The statement that failed is reported with its own error; those before it have none."""
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite.run(["SELECT 1", "SELECT nope"])
    assert [statement.error for statement in processor.ended] == [None, raised.value]


def test_a_connection_that_cannot_be_made_is_no_statement(
    processor: Any, connect: Callable[..., str], rows_hook: Any
) -> None:
    """What never reached an engine is not reported."""
    hook = rows_hook(connect(json.dumps({"conn_type": "sqlite", "host": "/nowhere/at/all.db"})))
    for call in (hook.run, hook.get_records, hook.get_df):
        with pytest.raises(sqlite3.OperationalError):
            call("SELECT 1")
    with pytest.raises(sqlite3.OperationalError):
        hook.insert_rows("t", [(1,)])
    assert processor.texts == []


def test_many_and_equal_statements_are_all_counted(processor: Any, sqlite: Any) -> None:
    """Five hundred statements are five hundred, and five equal ones are five."""
    sqlite.run([f"SELECT {n}" for n in range(500)])
    sqlite.run(["SELECT 'again'"] * 5)
    assert processor.texts == [f"SELECT {n}" for n in range(500)] + ["SELECT 'again'"] * 5
    assert len({statement.query_id for statement in processor.ended}) == 505


def test_statements_of_the_tasks_own_threads(processor: Any, sqlite: Any) -> None:
    """Threads that a task starts are observed, each with a nesting of its own."""

    def work(number: int) -> None:
        for _ in range(20):
            sqlite.run(f"SELECT {number}", handler=lambda cursor: cursor.fetchall())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(processor.texts) == sorted(f"SELECT {number}" for number in range(4) for _ in range(20))


def test_bound_parameters_are_not_read(processor: Any, sqlite: Any) -> None:
    """Only the driver touches a parameter."""

    class Private:
        def __conform__(self, protocol: Any) -> str:
            return "bound"

        def __repr__(self) -> str:
            return "bound"

        def __getattribute__(self, name: str) -> Any:
            if "ryft" in sys._getframe(1).f_globals["__name__"]:
                raise AssertionError(name)
            return object.__getattribute__(self, name)

    assert sqlite.get_first("SELECT ?", parameters=(Private(),)) == ("bound",)
    assert processor.only.text == "SELECT ?"


def test_texts_that_are_no_text(processor: Any, sqlite: Any) -> None:
    """A statement that is an object is reported as the text that the engine would read."""

    class Clause(str):
        __slots__ = ()

    sqlite.run([Clause("SELECT 1")])
    assert type(processor.only.text) is str


# --- data frames and rows


def test_get_df(processor: Any, frames: Any) -> None:
    """A data frame is one statement, reported before it runs."""
    assert len(frames.get_df("SELECT * FROM t")) == 3
    assert len(frames.get_pandas_df("SELECT * FROM t")) == 3
    with pytest.raises(Exception, match="nope") as raised:
        frames.get_df("SELECT nope")
    assert processor.texts == ["SELECT * FROM t", "SELECT * FROM t", "SELECT nope"]
    assert processor.first_texts == processor.texts
    assert [statement.error for statement in processor.ended] == [None, None, raised.value]


def test_chunks_are_one_statement(processor: Any, frames: Any) -> None:
    """A data frame by chunks is one statement, which ends with its last chunk."""
    chunks = frames.get_df_by_chunks("SELECT * FROM t", chunksize=1)
    assert processor.began == []
    assert [len(next(chunks)) for _ in range(3)] == [1, 1, 1]
    assert (len(processor.began), len(processor.ended)) == (1, 0)
    assert list(chunks) == []
    assert processor.only.text == "SELECT * FROM t"


def test_chunks_that_are_not_read_to_the_end(processor: Any, frames: Any) -> None:
    """A generator that is closed, or left when the task ends, has ended; one that was never asked has not begun."""
    closed = frames.get_df_by_chunks("SELECT 1 FROM t", chunksize=1)
    next(closed)
    closed.close()
    left = frames.get_df_by_chunks("SELECT 2 FROM t", chunksize=1)
    next(left)
    unasked = frames.get_df_by_chunks("SELECT 3 FROM t", chunksize=1)
    instrumentor.stop()
    assert processor.texts == ["SELECT 1 FROM t", "SELECT 2 FROM t"]
    assert [statement.error for statement in processor.ended] == [None, None]
    assert len(list(left)) == 2
    assert len(list(unasked)) == 3
    assert len(processor.ended) == 2


def test_chunks_that_fail(processor: Any, frames: Any) -> None:
    """The error of a generator is its statement's; an error that is thrown into it goes through."""
    with pytest.raises(Exception, match="nope") as raised:
        list(frames.get_df_by_chunks("SELECT nope", chunksize=1))
    assert processor.only.error is raised.value
    chunks = frames.get_df_by_chunks("SELECT 1 FROM t", chunksize=1)
    next(chunks)
    mine = ValueError("mine")
    with pytest.raises(ValueError, match="mine"):
        chunks.throw(mine)
    assert processor.ended[-1].error is mine


def test_other_statements_between_chunks_are_their_own(processor: Any, frames: Any) -> None:
    """What a task runs between two chunks does not belong to the generator."""
    for _ in frames.get_df_by_chunks("SELECT 1 FROM t", chunksize=2):
        frames.get_first("SELECT 2")
    assert sorted(processor.texts) == ["SELECT 1 FROM t", "SELECT 2", "SELECT 2"]


@pytest.mark.parametrize("executemany", [True, False])
def test_inserting_rows_is_one_statement_without_values(processor: Any, sqlite: Any, executemany: bool) -> None:
    """However many rows and batches: one record, its text with placeholders."""
    rows = [(n, f"secret {n}") for n in range(50)]
    sqlite.insert_rows("t", rows, ["n", "s"], commit_every=7, executemany=executemany)
    assert processor.only.text.replace(" ", "") == "INSERTINTOt(n,s)VALUES(?,?)"
    assert sqlite3.connect(sqlite.connection.host).execute("SELECT count(*) FROM t").fetchone() == (53,)


def test_inserting_rows_that_fails(processor: Any, sqlite: Any) -> None:
    """An insert that fails is reported, with its error; one without rows runs nothing."""
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite.insert_rows("nope", [(1,)])
    assert processor.only.error is raised.value
    assert processor.only.text.startswith("INSERT INTO nope")
    sqlite.insert_rows("t", [])
    assert len(processor.texts) == 1


def test_rows_that_are_read_while_they_are_inserted(processor: Any, sqlite: Any, connect: Callable[..., str]) -> None:
    """The statements of a generator of rows are their own, also where it is read by the insert."""
    source = SqliteHook(connect(json.dumps({"conn_type": "sqlite", "host": ":memory:"}), "source"))

    def rows() -> Any:
        for n in range(3):
            yield (*source.get_first(f"SELECT {n}"), "x")

    sqlite.insert_rows("t", rows(), ["n", "s"])
    inserts = [statement for statement in processor.ended if statement.hook is sqlite]
    assert len(inserts) == 1
    assert [statement.text for statement in processor.ended if statement.hook is source] == [
        "SELECT 0",
        "SELECT 1",
        "SELECT 2",
    ]


# --- operators


def test_operators_and_sensors(processor: Any, sqlite: Any) -> None:
    """All SQL that runs through a hook is reported, each with the statement that it made."""
    from airflow.providers.common.sql.operators.sql import (
        SQLCheckOperator,
        SQLColumnCheckOperator,
        SQLExecuteQueryOperator,
        SQLTableCheckOperator,
    )
    from airflow.providers.common.sql.sensors.sql import SqlSensor

    names = {"conn_id": sqlite.get_conn_id(), "task_id": "task"}
    rows = SQLExecuteQueryOperator(**names, sql="SELECT 1; SELECT 2", split_statements=True, return_last=False)
    assert rows.execute({}) == [[(1,)], [(2,)]]
    SQLCheckOperator(**names, sql="SELECT 3").execute({})
    with pytest.raises(Exception, match="Test failed"):
        SQLCheckOperator(**names, sql="SELECT 0").execute({})
    SQLColumnCheckOperator(**names, table="t", column_mapping={"n": {"min": {"equal_to": 1}}}).execute({})
    SQLTableCheckOperator(**names, table="t", checks={"rows": {"check_statement": "COUNT(*) = 3"}}).execute({})
    assert SqlSensor(**names, sql="SELECT 4").poke({})
    assert processor.texts[:4] == ["SELECT 1;", "SELECT 2", "SELECT 3", "SELECT 0"]
    assert [" FROM t" in text.replace("\n", " ") for text in processor.texts[4:]] == [True, True, False]
    assert processor.texts[-1] == "SELECT 4"
    assert all(statement.error is None for statement in processor.ended)


# --- classes


def test_classes_that_are_defined_later(processor: Any, sqlite: Any) -> None:
    """A hook's own ``_run_command`` is observed, wherever it is defined, and counts once with the one that it calls."""

    class Mixin:
        def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
            super()._run_command(cur, sql_statement, parameters)  # type: ignore[misc]

    class Later(Mixin, SqliteHook):
        def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
            cur.execute("PRAGMA user_version")
            super()._run_command(cur, sql_statement, parameters)

    class Alone(SqliteHook):
        def _run_command(self, cur: Any, sql_statement: str, parameters: Any, *, extra: int = 0) -> None:
            cur.execute(sql_statement)

    assert "_run_command" in vars(Mixin)
    Later(sqlite.get_conn_id()).run("SELECT 1")
    Alone(sqlite.get_conn_id()).run("SELECT 2")
    assert processor.texts == ["SELECT 1", "SELECT 2"]


def test_hooks_that_run_by_themselves(processor: Any, sqlite: Any) -> None:
    """A method that neither calls ``_run_command`` nor reports to hook lineage is reported as a whole."""

    class Own(SqliteHook):
        def run(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            return self.get_conn().execute(sql).fetchall()

        def get_records(self, sql: Any, parameters: Any = None) -> Any:
            return self.run(sql)

        def get_pandas_df(self, sql: Any, parameters: Any = None, **kwargs: Any) -> Any:
            return self.get_records(sql)

        def get_first(self, sql: Any, parameters: Any = None) -> Any:
            return getattr(self.get_conn(), "exec" + "ute")(sql).fetchone()

    hook = Own(sqlite.get_conn_id())
    assert hook.get_pandas_df("SELECT 1") == [(1,)]
    assert hook.get_first("SELECT 2") == (2,)
    with pytest.raises(sqlite3.OperationalError) as raised:
        hook.run("SELECT nope")
    assert processor.texts == ["SELECT 1", "SELECT 2", "SELECT nope"]
    assert processor.ended[-1].error is raised.value


def test_methods_that_leave_the_work_to_other_methods(processor: Any, sqlite: Any) -> None:
    """One execution is one record, though several methods of the hook have begun to report it."""

    class Delegating(SqliteHook):
        def get_pandas_df(self, sql: Any, parameters: Any = None, **kwargs: Any) -> Any:
            self.get_conn().close()
            return self.get_records(sql)

        def run(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            with closing(self.get_conn()) as connection, connection:
                connection.execute("PRAGMA user_version")
                for part in [sql] if isinstance(sql, str) else sql:
                    self._run_command(connection.cursor(), part, kwargs.get("parameters"))

        def get_records(self, sql: Any, parameters: Any = None) -> Any:
            return super().run(sql, handler=lambda cursor: cursor.fetchall())

        def insert_rows(self, table: str, rows: Any, target_fields: Any = None, **kwargs: Any) -> None:
            for row in rows:
                sql = self._generate_insert_sql(table, row, target_fields)
                (super().run if row[0] % 2 else self.run)(sql, parameters=row)

    hook = Delegating(sqlite.get_conn_id())
    assert hook.get_pandas_df("SELECT 1") == [(1,)]
    hook.run(["SELECT 2", "SELECT 3"])
    hook.insert_rows("t", [(4, "d"), (5, "e"), (6, "f")], ["n", "s"])
    assert processor.texts[:3] == ["SELECT 1", "SELECT 2", "SELECT 3"]
    assert [text.split(" VALUES")[0] for text in processor.texts[3:]] == ["INSERT INTO t (n, s)"]
    assert processor.first_texts == processor.texts


def test_an_id_belongs_to_one_statement(processor: Any, sqlite: Any) -> None:
    """A statement that failed does not get the id that its cursor, or an error before it, still has."""

    class EngineError(Exception):
        query_id: str | None = None

    class Cursor:
        query_id: str | None = None

        def execute(self, sql: str) -> None:
            if "bad" in sql:
                raise EngineError(sql)
            self.query_id = sql

        def close(self) -> None: ...

    class Identified(SqliteHook):
        def get_conn(self) -> Any:
            connection = super().get_conn()
            return type("Connection", (), {"cursor": Cursor, "commit": connection.commit, "close": connection.close})

    hook = Identified(sqlite.get_conn_id())
    with pytest.raises(EngineError):
        hook.run(["one", "bad two"])
    named = EngineError("bad three")
    named.query_id = "three"
    try:
        hook.run("three", handler=lambda cursor: (_ for _ in ()).throw(named))
    except EngineError:
        with pytest.raises(EngineError):
            hook.run("bad four")
    assert [(statement.text, statement.engine_id) for statement in processor.ended] == [
        ("one", "one"),
        ("bad two", None),
        ("three", "three"),
        ("bad four", None),
    ]
