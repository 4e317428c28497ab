"""What the listener's tests share: a processor that keeps what it gets, and connections from the environment."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.statement import Statement


class RecordingProcessor:
    """A processor that keeps what it is notified of, in order."""

    def __init__(self) -> None:
        self.began: list[Statement] = []
        self.ended: list[Statement] = []
        self.first_texts: list[str] = []

    def on_start(self, statement: Statement) -> None:
        assert statement.duration_ms is None
        assert statement.error is None
        self.began.append(statement)
        self.first_texts.append(statement.text)

    def on_end(self, statement: Statement) -> None:
        assert any(statement is begun for begun in self.began)
        assert not any(statement is ended for ended in self.ended)
        assert statement.duration_ms is not None
        assert statement.duration_ms >= 0
        self.ended.append(statement)

    def on_hook_created(self) -> None:
        pass

    def on_discard(self, statement: Statement) -> None:
        assert statement not in self.ended
        self.first_texts.pop(self.began.index(statement))
        self.began.remove(statement)

    @property
    def texts(self) -> list[str]:
        assert len(self.began) == len(self.ended)
        return [statement.text for statement in self.ended]

    @property
    def outcomes(self) -> list[tuple[str, str | None, bool]]:
        """Each statement's text, engine id, and whether it succeeded."""
        assert len(self.began) == len(self.ended)
        return [(statement.text, statement.engine_id, statement.error is None) for statement in self.ended]

    @property
    def only(self) -> Statement:
        assert len(self.texts) == 1, self.texts
        return self.ended[0]


@pytest.fixture
def recording_processor() -> type[RecordingProcessor]:
    """Return the class of the processor."""
    return RecordingProcessor


@pytest.fixture
def processor() -> Iterator[RecordingProcessor]:
    """Observe this process as if it was a task's, and leave nothing behind."""
    from airflow_provider_ryft.instrumentation import instrumentor

    recording = RecordingProcessor()
    instrumentor.install()
    instrumentor.start(recording)
    try:
        yield recording
    finally:
        instrumentor.stop()
        instrumentor.uninstall()


class RowsHook(SqliteHook):
    """A hook whose data frames are lists of rows: what a data frame is made of matters to nobody here."""

    def _get_pandas_df(self, sql: str, parameters: Any = None, **kwargs: Any) -> Any:
        with closing(self.get_conn()) as connection:
            return connection.execute(sql).fetchall()

    def _get_pandas_df_by_chunks(self, sql: str, parameters: Any = None, *, chunksize: int, **kwargs: Any) -> Any:
        with closing(self.get_conn()) as connection:
            cursor = connection.execute(sql)
            while rows := cursor.fetchmany(chunksize):
                yield rows


@pytest.fixture
def rows_hook() -> type[RowsHook]:
    """Return a class of hooks that makes data frames without pandas."""
    return RowsHook


@pytest.fixture(params=["rows", "pandas"])
def frames(request: pytest.FixtureRequest, sqlite: Any) -> Any:
    """Return a hook that makes data frames, of which each has a length."""
    if request.param == "pandas":
        pytest.importorskip("pandas", reason="needs pandas")
        return sqlite
    return RowsHook(sqlite.get_conn_id())


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that defines a connection, from its URI or its JSON, and returns its id."""

    def define(definition: str, conn_id: str = "warehouse") -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", definition)
        return conn_id

    return define


@pytest.fixture
def sqlite(connect: Callable[..., str], tmp_path: Path) -> Any:
    """Return a hook of a SQLite file with a table of three rows."""
    path = tmp_path / "test.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n INTEGER, s TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b"), (3, "c")])
    connection.close()
    return SqliteHook(sqlite_conn_id=connect(json.dumps({"conn_type": "sqlite", "host": str(path)})))
