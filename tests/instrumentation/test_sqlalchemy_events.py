"""Observing what runs on the SQLAlchemy engines of hooks."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, event, text

from airflow_provider_ryft.instrumentation import instrumentor


def test_engine(processor: Any, sqlite: Any) -> None:
    """What runs on an engine of a hook is reported, also through options of it, and what fails."""
    engine = sqlite.get_sqlalchemy_engine()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT n FROM t WHERE n = :n"), {"n": 1}).scalar() == 1
        with pytest.raises(Exception, match="nope") as raised:
            connection.execute(text("SELECT nope"))
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("SELECT 2"))
    assert processor.texts == ["SELECT n FROM t WHERE n = ?", "SELECT nope", "SELECT 2"]
    assert [statement.error for statement in processor.ended] == [None, raised.value.orig, None]
    assert {statement.conn_id for statement in processor.ended} == {"warehouse"}
    assert processor.ended[0].server_version == sqlite3.sqlite_version


def test_internal_queries_of_the_dialect_are_not_reported(processor: Any, sqlite: Any) -> None:
    """Savepoints, reflection and look-ups of tables are not reported."""
    engine = sqlite.get_sqlalchemy_engine()
    with engine.begin() as connection, connection.begin_nested():
        connection.execute(text("SELECT 1"))
    Table("t", MetaData(), autoload_with=engine)
    assert sqlite.get_table_schema("t")
    assert processor.texts == ["SELECT 1"]


def test_pandas_writes_through_an_engine(processor: Any, sqlite: Any) -> None:
    """``DataFrame.to_sql`` is reported as the statements that it runs, without the look-ups of SQLAlchemy's dialect."""
    pandas = pytest.importorskip("pandas")
    try:
        pandas.DataFrame({"n": [1, 2]}).to_sql("made", sqlite.get_sqlalchemy_engine(), index=False)
    except AttributeError:
        pytest.skip("this pandas does not know this SQLAlchemy")
    assert [text.split()[0] for text in processor.texts] == ["CREATE", "INSERT"]


def test_an_engine_outlives_its_task(processor: Any, sqlite: Any, recording_processor: Any) -> None:
    """An engine that is kept reports to the task that uses it, if any."""
    engine = sqlite.get_sqlalchemy_engine()
    instrumentor.stop()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    next_task = recording_processor()
    instrumentor.start(next_task)
    with engine.connect() as connection:
        connection.execute(text("SELECT 2"))
    assert processor.texts == []
    assert next_task.texts == ["SELECT 2"]


def test_what_other_listeners_do_to_a_statement(processor: Any, sqlite: Any) -> None:
    """The text is the one that reached the driver; what a listener has prevented was no statement."""
    engine = sqlite.get_sqlalchemy_engine()

    def comment(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
        if "forbidden" in statement:
            raise PermissionError(statement)
        return f"{statement} /* traced */", parameters

    event.listen(engine, "before_cursor_execute", comment, retval=True)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.execute(text("INSERT INTO t VALUES (:n, :s)"), [{"n": n, "s": "x"} for n in range(2)])
        connection.execution_options(no_parameters=True).exec_driver_sql("SELECT '%'")
        with pytest.raises(PermissionError):
            connection.execute(text("SELECT 'forbidden'"))
    assert processor.texts == [
        "SELECT 1 /* traced */",
        "INSERT INTO t VALUES (?, ?) /* traced */",
        "SELECT '%' /* traced */",
    ]
