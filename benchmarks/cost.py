"""Measures what reporting costs a task: run it with ``make bench``. Ratios count; machines differ."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from airflow_provider_ryft.sandbox.server import Sandbox
from support.airflow_home import AirflowHome

HOME = Path(tempfile.mkdtemp(prefix="ryft-bench-"))
os.environ["AIRFLOW_HOME"] = str(HOME)
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
os.environ["AIRFLOW_CONN_LITE"] = json.dumps({"conn_type": "sqlite", "host": f"{HOME}/lite.db"})

STATEMENTS = 2_000
ROUNDS = 9
TASKS = 8

LOAD = """
import sys, time
import airflow.plugins_manager
from importlib.metadata import entry_points
(entry,) = [entry for entry in entry_points(group="airflow.plugins") if entry.name == sys.argv[1]]
before = set(sys.modules)
start = time.perf_counter()
entry.load()
print("LOAD", len(set(sys.modules) - before), (time.perf_counter() - start) * 1000)
"""


def row(what: str, *values: str) -> None:
    """Print a line of the table."""
    print(f"{what:<52}" + "".join(f"{value:>20}" for value in values), flush=True)


def plugin_load(name: str) -> str:
    """Return the new modules that loading a plugin imports, and the best of some times."""
    found = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", LOAD, name], capture_output=True, text=True, check=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("LOAD"))
        found.append(line.split()[1:])
    return f"{found[0][0]} modules, {min(float(milliseconds) for _, milliseconds in found):.1f} ms"


def tasks(home: AirflowHome, name: str, **options: str) -> dict[tuple[str, str], tuple[float, float]]:
    """Run tasks under a real supervisor; return what listeners and our processor took, by task and phase.

    :param options: in addition to those of the home
    :return: the median of the wall time, and that of the time that the task's own thread worked, in milliseconds
    """
    before = dict(home.environment)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for task in ("nothing", "far", "statement"):
        measurements = home.path / f"{name}-{task}"
        home.environment.update(options, BENCHMARK=str(measurements))
        home.supervise(*({"dag_id": "small_sql", "task_id": task, "run_id": f"{name}{n}"} for n in range(TASKS)))
        home.environment = dict(before)
        calls = [json.loads(line) for line in measurements.read_text().splitlines()] if measurements.exists() else []
        for phase in ("start", "end"):
            found[task, phase] = median_of(calls, phase, "wall"), median_of(calls, phase, "own")
    return found


def median_of(calls: list[dict[str, Any]], phase: str, kind: str) -> float:
    """Return the median of what the calls of a phase took, each process's taken together."""
    by_process: dict[int, float] = defaultdict(float)
    for call in calls:
        if call["phase"] == phase:
            by_process[call["process"]] += call[kind]
    return statistics.median(by_process.values() or [0.0])


def tasks_table() -> None:
    """Print what listeners cost a task whose process is new, as it is for each task."""
    home = AirflowHome(HOME / "tasks", Path(__file__).with_name("dags"))
    home.path.mkdir()
    home.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    home.environment["PYTHONPYCACHEPREFIX"] = str(HOME / "bytecode")
    home.migrate(HOME / "template.db")
    home.connect("lite", conn_type="sqlite", host=str(HOME / "lite.db"))
    with Sandbox(token="t" * 20) as sandbox:
        home.connect("ryft_default", conn_type="ryft", host=sandbox.url, password="t" * 20)
        others = {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
        measured = {
            "none": tasks(home, "none", AIRFLOW__RYFT__DISABLED="True", **others),
            "ryft, kept for a shipper": tasks(home, "outbox", AIRFLOW__RYFT__DELIVERY="outbox", **others),
            "ryft, delivered": tasks(home, "inline", **others),
        }
        if any(entry.name == "openlineage" for entry in entry_points(group="airflow.plugins")):
            transport = json.dumps({"type": "file", "log_file_path": str(HOME / "events.json"), "append": True})
            measured["OpenLineage, to a file"] = tasks(
                home, "ol", AIRFLOW__RYFT__DISABLED="True", AIRFLOW__OPENLINEAGE__TRANSPORT=transport
            )
    home.close()
    row("before the end, in ms by the clock (of the thread)", "no SQL", "20 ms to connect", "SQLite")
    for name, found in measured.items():
        row(f"  {name}", *(both_times(found[task, "start"]) for task in ("nothing", "far", "statement")))
    row("the end, with the delivery", "no SQL", "20 ms to connect", "SQLite")
    for name, found in measured.items():
        row(f"  {name}", *(both_times(found[task, "end"]) for task in ("nothing", "far", "statement")))


def both_times(spent: tuple[float, float]) -> str:
    """Return a time by the clock, and that of the task's thread in parentheses."""
    wall, own = spent
    return f"{wall:.1f} ({own:.1f})"


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def statements_table() -> None:
    """Print what a statement costs, once what it needs is there."""
    from airflow.providers.sqlite.hooks.sqlite import SqliteHook

    from airflow_provider_ryft.instrumentation import instrumentor
    from airflow_provider_ryft.listener import task_report
    from airflow_provider_ryft.settings import Settings

    settings = Settings(outbox_path=str(HOME / "outbox"), delivery="outbox")
    task_report._settings = lambda: settings  # type: ignore[assignment]
    task_report.runs_here = lambda _task_instance: True  # type: ignore[assignment]
    task = SimpleNamespace(dag_id="d", task_id="t", dag=None)
    task_instance = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=-1, task=task)
    texts = [f"SELECT {number}" for number in range(STATEMENTS)]

    def run() -> None:
        SqliteHook("lite").run(texts)

    run()
    alone, observed, ends = [], [], []
    for _ in range(ROUNDS):
        instrumentor.uninstall()
        alone.append(seconds(run))
        task_report.start_report(task_instance)
        observed.append(seconds(run))
        ends.append(seconds(lambda: task_report.finish_report(task_instance, None)))
    added = [(after - before) / STATEMENTS * 1e6 for before, after in zip(alone, observed, strict=True)]
    row("a statement on SQLite by itself", f"{statistics.median(alone) / STATEMENTS * 1e6:.0f} us")
    row("  reported: median, best", f"{statistics.median(added):+.0f} us", f"{min(added):+.0f} us")
    row(f"the end of {STATEMENTS} statements", f"{statistics.median(ends) * 1000:.1f} ms")


def main() -> None:
    """Measure, and print a table."""
    for name in ("ryft", "openlineage"):
        if any(entry.name == name for entry in entry_points(group="airflow.plugins")):
            row(f"loading the plugin {name}", plugin_load(name))
    statements_table()
    tasks_table()


if __name__ == "__main__":
    main()
