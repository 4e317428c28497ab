"""When statements are observed and when they are not, and what is left behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_ryft.capture import session
from airflow_provider_ryft.instrumentation import instrumentor


def test_nothing_is_reported_outside_a_task(processor: Any, sqlite: Any, recording_processor: Any) -> None:
    """After the end nothing is reported; the next task's processor gets only its own."""
    sqlite.run("SELECT 1")
    instrumentor.stop()
    sqlite.run("SELECT 2")
    second = recording_processor()
    instrumentor.start(second)
    sqlite.run("SELECT 3")
    instrumentor.stop()
    assert processor.texts == ["SELECT 1"]
    assert second.texts == ["SELECT 3"]


def test_a_statement_that_outlives_its_task(processor: Any, sqlite: Any, recording_processor: Any) -> None:
    """A statement that is running when its task ends is not reported when it ends, least to the next task."""
    second = recording_processor()

    def handler(cursor: Any) -> None:
        instrumentor.stop()
        instrumentor.start(second)

    sqlite.run("SELECT 1", handler=handler)
    generator_of_rows = (instrumentor.stop() or instrumentor.start(second) or (n, "x") for n in range(1))
    sqlite.insert_rows("t", generator_of_rows, ["n", "s"])
    assert processor.texts == ["SELECT 1"]
    assert len(second.began) == len(second.ended) <= 1


def test_a_child_process_is_not_the_task(processor: Any, sqlite: Any) -> None:
    """A process that the task forks neither reports nor fails."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            row = sqlite.get_first("SELECT 7")
            os.write(write, json.dumps([row, len(processor.began)]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert json.loads(os.read(read, 100)) == [[7], 0]
    assert processor.began == []


def test_a_child_that_goes_on_with_what_it_was_forked_from(processor: Any, sqlite: Any) -> None:
    """The end of a statement in which a process was forked is the parent's to tell."""

    class Forking(SqliteHook):
        child = 0

        def get_df(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            with closing(self.get_conn()):
                self.child = os.fork()

    read, write = os.pipe()
    hook = Forking(sqlite.get_conn_id())
    hook.get_df("SELECT 1")
    if hook.child == 0:
        os.write(write, str(len(processor.ended)).encode())
        os._exit(0)
    os.waitpid(hook.child, 0)
    assert os.read(read, 100) == b"0"
    assert processor.texts == ["SELECT 1"]


def test_bound_methods_can_be_copied_and_sent_to_processes(processor: Any, sqlite: Any) -> None:
    """A method of a hook is still a method: it pickles, copies, and runs in a pool."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(sqlite.get_records, ["SELECT 1"]) == [[(1,)]]
    assert pickle.loads(pickle.dumps(sqlite.run)).__func__ is type(sqlite).run
    assert deepcopy(sqlite.get_first)("SELECT 1") == (1,)
    assert processor.texts == ["SELECT 1"]


def test_the_connection_is_not_looked_up_for_us(
    sqlite: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch, recording_processor: Any
) -> None:
    """A hook looks its connection up as often with capture as without."""
    original = BaseHook.__dict__["get_connection"]
    lookups: list[str] = []

    def counting(cls: type, conn_id: str) -> Any:
        lookups.append(conn_id)
        return original.__get__(None, cls)(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", classmethod(counting))

    def work() -> int:
        lookups.clear()
        hook = SqliteHook(sqlite.get_conn_id())
        hook.run("SELECT 1")
        hook.get_records("SELECT 2")
        hook.insert_rows("t", [(1, "x")])
        hook.get_sqlalchemy_engine().connect().close()
        with pytest.raises(sqlite3.OperationalError):
            hook.run("SELECT nope")
        return len(lookups)

    without = work()
    processor = recording_processor()
    instrumentor.start(processor)
    try:
        assert work() == without > 0
        assert all(statement.connection.conn_type == "sqlite" for statement in processor.ended)
        assert len(processor.texts) == 4
    finally:
        instrumentor.stop()
        instrumentor.uninstall()


def test_a_lookup_that_the_hook_does_not_keep(processor: Any, sqlite: Any) -> None:
    """A hook that looks its connection up and forgets it is reported with that connection all the same."""

    class Forgetful(SqliteHook):
        def get_conn(self) -> Any:
            return sqlite3.connect(self.get_connection(self.get_conn_id()).host)

    hook = Forgetful(sqlite.get_conn_id())
    hook.run("SELECT 1")
    assert hook._connection is None
    assert processor.only.connection.conn_id == "warehouse"


# --- installing


def test_uninstall_leaves_nothing_behind() -> None:
    """Every class and module is as it was before."""
    from airflow.providers.common.sql.hooks import lineage

    def state() -> dict[str, Any]:
        owners = {"DbApiHook": DbApiHook, "SqliteHook": SqliteHook, "BaseHook": BaseHook}
        found = {f"{name}.{key}": value for name, owner in owners.items() for key, value in owner.__dict__.items()}
        found["lineage"] = lineage.get_hook_lineage_collector
        found["meta_path"] = list(sys.meta_path)
        return found

    before = state()
    instrumentor.install()
    instrumentor.install()
    assert state() != before
    assert SqliteHook.get_conn is not before["SqliteHook.get_conn"]
    instrumentor.uninstall()
    after = state()
    assert {key for key in before if after[key] is not before[key] and key != "meta_path"} == set()
    assert after["meta_path"] == before["meta_path"]


def test_patches_of_others_are_kept(processor: Any, sqlite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What wraps after us is called, and stays in place when we leave."""
    ours = DbApiHook.run
    seen: list[str] = []

    def theirs(self: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(sql)
        return ours(self, sql, *args, **kwargs)

    monkeypatch.setattr(DbApiHook, "run", theirs)
    sqlite.run("SELECT 1")
    instrumentor.uninstall()
    assert DbApiHook.run is theirs
    sqlite.run("SELECT 2")
    assert seen == ["SELECT 1", "SELECT 2"]
    assert processor.texts == ["SELECT 1"]


def run_python(code: str) -> Any:
    """Run a script in a process of its own, and return what it prints as JSON at the end."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_installing_imports_nothing() -> None:
    """A process that never imports ``common.sql`` pays for two entries of ``sys.meta_path``."""
    loaded = run_python(
        """
        import json, sys
        before = set(sys.modules)
        from airflow_provider_ryft.instrumentation import instrumentor
        instrumentor.install()
        instrumentor.install()
        new = sorted(name.partition(".")[0] for name in set(sys.modules) - before)
        ours = [finder for finder in sys.meta_path if "ryft" in type(finder).__module__]
        print(json.dumps([sorted(set(new) - set(sys.stdlib_module_names)), len(ours)]))
        """
    )
    assert loaded == [["airflow_provider_ryft"], 2]


def test_hooks_that_are_imported_after_the_start() -> None:
    """Patches are put when ``common.sql`` is imported, in whatever way, and the finder is gone then."""
    texts = run_python(
        """
        import json, os, sys
        from airflow_provider_ryft.instrumentation import instrumentor
        class Processor:
            texts = []
            def on_start(self, statement): self.texts.append(statement.text)
            def on_end(self, statement): pass
        instrumentor.install()
        instrumentor.start(Processor())
        assert "airflow.providers.common.sql.hooks.sql" not in sys.modules
        os.environ["AIRFLOW_CONN_DB"] = '{"conn_type": "sqlite", "host": ":memory:"}'
        from airflow.providers.sqlite.hooks.sqlite import SqliteHook
        SqliteHook("db").run("SELECT 1")
        import airflow.providers.common.sql.hooks.sql as module
        import inspect
        assert "exec_module" not in vars(module.__spec__.loader)
        assert "class DbApiHook" in inspect.getsource(module)
        ours = [finder for finder in sys.meta_path if "ryft" in type(finder).__module__]
        print(json.dumps([Processor.texts, len(ours)]))
        """
    )
    assert texts == [["SELECT 1"], 0]


def test_a_child_that_is_forked_before_the_hooks_are_imported() -> None:
    """What waits for the hooks waits in the task's own process."""
    texts = run_python(
        """
        import json, os, sys
        from airflow_provider_ryft.instrumentation import instrumentor
        class Processor:
            texts = []
            def on_start(self, statement): self.texts.append(statement.text)
            def on_end(self, statement): pass
        instrumentor.start(Processor())
        os.environ["AIRFLOW_CONN_DB"] = '{"conn_type": "sqlite", "host": ":memory:"}'
        child = os.fork()
        from airflow.providers.sqlite.hooks.sqlite import SqliteHook
        SqliteHook("db").run("SELECT 1")
        if not child:
            os._exit(len(Processor.texts))
        print(json.dumps([Processor.texts, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]))
        """
    )
    assert texts == [["SELECT 1"], 0]


def test_a_module_that_was_only_looked_for() -> None:
    """Who asks whether ``common.sql`` is there does not use up what waits for it, nor does an import that fails."""
    texts = run_python(
        """
        import importlib.machinery, importlib.util, json, os, sys
        from airflow_provider_ryft.instrumentation import instrumentor
        class Processor:
            texts = []
            def on_start(self, statement): self.texts.append(statement.text)
            def on_end(self, statement): pass
        instrumentor.install()
        instrumentor.start(Processor())
        name = "airflow.providers.common.sql.hooks.sql"
        assert importlib.util.find_spec(name).name == name
        load = importlib.machinery.SourceFileLoader.exec_module
        def fail(self, module):
            raise ImportError("once") if module.__name__ == name else load(self, module)
        importlib.machinery.SourceFileLoader.exec_module = fail
        try:
            import airflow.providers.common.sql.hooks.sql
        except ImportError:
            pass
        importlib.machinery.SourceFileLoader.exec_module = load
        os.environ["AIRFLOW_CONN_DB"] = '{"conn_type": "sqlite", "host": ":memory:"}'
        from airflow.providers.sqlite.hooks.sqlite import SqliteHook
        SqliteHook("db").run("SELECT 1")
        ours = [finder for finder in sys.meta_path if "ryft" in type(finder).__module__]
        print(json.dumps([Processor.texts, len(ours)]))
        """
    )
    assert texts == [["SELECT 1"], 0]


def test_signatures_and_names_are_kept(processor: Any) -> None:
    """Inspecting a method shows the one that was there."""
    import inspect

    assert list(inspect.signature(DbApiHook.run).parameters)[:3] == ["self", "sql", "autocommit"]
    assert DbApiHook.run.__name__ == "run"
    assert inspect.isfunction(DbApiHook.run)
    assert session.active_session() is not None
