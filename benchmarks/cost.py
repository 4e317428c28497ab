"""Measures what reporting costs a task: run it with ``make bench``. Ratios count; machines differ."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

HOME = tempfile.mkdtemp(prefix="ryft-bench-")
os.environ["AIRFLOW_HOME"] = HOME
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
os.environ["AIRFLOW_CONN_LITE"] = json.dumps({"conn_type": "sqlite", "host": f"{HOME}/lite.db"})

STATEMENTS = 2_000
ROUNDS = 5

LOAD = """
import sys, time
import airflow.plugins_manager
from importlib.metadata import entry_points
(entry,) = [entry for entry in entry_points(group="airflow.plugins") if entry.name == "ryft"]
before = set(sys.modules)
start = time.perf_counter()
entry.load()
print("LOAD", len(set(sys.modules) - before), (time.perf_counter() - start) * 1000)
"""


def plugin_load() -> tuple[int, float]:
    """Return the new modules that loading the plugin imports, and the best of some times in milliseconds."""
    found = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("LOAD"))
        found.append(line.split()[1:])
    return int(found[0][0]), min(float(milliseconds) for _, milliseconds in found)


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def main() -> None:
    """Measure, and print a table."""
    from airflow.providers.sqlite.hooks.sqlite import SqliteHook

    from airflow_provider_ryft.listener import capture, report
    from airflow_provider_ryft.settings import Settings

    settings = Settings(outbox_path=str(Path(HOME) / "outbox"), delivery="outbox")
    report._settings = lambda: settings  # type: ignore[assignment]
    report.runs_here = lambda _task_instance: True  # type: ignore[assignment]
    task = SimpleNamespace(dag_id="d", task_id="t", dag=None)
    task_instance = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=-1, task=task)
    texts = [f"SELECT {number}" for number in range(STATEMENTS)]

    def run() -> None:
        SqliteHook("lite").run(texts)

    run()
    alone, observed, ends = [], [], []
    for _ in range(ROUNDS):
        capture.uninstall()
        alone.append(seconds(run))
        report.begin(task_instance)
        observed.append(seconds(run))
        ends.append(seconds(report.leave))
    empty = [seconds(lambda: (report.begin(task_instance), report.leave())) for _ in range(50)]
    added = (statistics.median(observed) - statistics.median(alone)) / STATEMENTS * 1e6
    modules, milliseconds = plugin_load()
    print(f"plugin load             {modules} new modules, {milliseconds:.1f} ms")
    print(f"a statement             {statistics.median(alone) / STATEMENTS * 1e6:.0f} us on SQLite by itself")
    print(f"  reported              {added:+.0f} us: observed, described, encoded twice, on disk twice")
    print(f"a task without SQL      {statistics.median(empty) * 1000:+.2f} ms")
    print(f"sealing {STATEMENTS} statements {statistics.median(ends) * 1000:.1f} ms at the end of the task")


if __name__ == "__main__":
    main()
