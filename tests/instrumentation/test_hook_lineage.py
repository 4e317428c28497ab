"""Other readers of hooks' lineage see the same, with capture and without."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat import sdk
from airflow.providers.common.sql.hooks import lineage

from airflow_provider_ryft.instrumentation import instrumentor

try:
    from airflow.sdk.lineage import HookLineageCollector
except ImportError:
    from airflow.lineage.hook import HookLineageCollector


def work(rows_hook: Any) -> None:
    hook = rows_hook("warehouse")
    hook.run(["SELECT 1", "SELECT 1", "SELECT 2"])
    hook.get_first("SELECT ?", parameters=(3,))
    hook.get_df("SELECT 4")
    list(hook.get_df_by_chunks("SELECT 5", chunksize=1))
    hook.insert_rows("t", [(6, "f")], ["n", "s"])
    with pytest.raises(Exception, match="nope"):
        hook.run("SELECT nope")


def collected(monkeypatch: pytest.MonkeyPatch, rows_hook: Any) -> tuple[list[Any], int]:
    """Return what a reader of the lineage sees of the work, and how often the collector was asked for."""
    collector = HookLineageCollector()
    asked: list[None] = []

    def get_hook_lineage_collector() -> Any:
        asked.append(None)
        return collector

    monkeypatch.setattr(sdk, "get_hook_lineage_collector", get_hook_lineage_collector)
    work(rows_hook)
    extras = lineage.get_hook_lineage_collector().collected_assets.extra
    return [(extra.key, extra.value, extra.count, type(extra.context)) for extra in extras], len(asked)


def test_readers_see_the_same(
    sqlite: Any, rows_hook: Any, recording_processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statements, their parameters, counts and contexts; and the collector is asked for no more often."""
    without = collected(monkeypatch, rows_hook)
    processor = recording_processor()
    instrumentor.start(processor)
    try:
        assert collected(monkeypatch, rows_hook) == without
    finally:
        instrumentor.stop()
        instrumentor.uninstall()
    assert len(without[0]) >= 5
    assert len(processor.texts) == 8


def test_a_collector_that_fails(sqlite: Any, processor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook warns of it as ever, and the statement is reported."""

    def fail() -> Any:
        raise RuntimeError("no collector")

    monkeypatch.setattr(sdk, "get_hook_lineage_collector", fail)
    warnings: list[Any] = []
    monkeypatch.setattr(lineage.log, "warning", lambda *args: warnings.append(args))
    sqlite.run("SELECT 1")
    assert processor.texts == ["SELECT 1"]
    assert "no collector" in str(warnings)


def test_what_else_the_collector_can_do(sqlite: Any, processor: Any) -> None:
    """What the hooks' module is given does all that the collector does."""
    assert lineage.get_hook_lineage_collector().has_collected in (True, False)
    assert callable(lineage.get_hook_lineage_collector().add_input_asset)


def test_a_hook_that_only_tells_its_lineage(sqlite: Any, processor: Any) -> None:
    """A statement that was not observed to run is reported all the same, if the hook is one of SQL."""
    lineage.send_sql_hook_lineage(context=sqlite, sql="SELECT 1", job_id="an id")
    lineage.send_sql_hook_lineage(context=object(), sql="SELECT 2")
    assert processor.only.text == "SELECT 1"
    assert processor.only.engine_id == "an id"
