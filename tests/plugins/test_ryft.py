"""The plugin, as Airflow loads it in each of its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
import sys
import airflow.plugins_manager
from importlib.metadata import entry_points
(entry,) = [entry for entry in entry_points(group="airflow.plugins") if entry.name == "ryft"]
before = set(sys.modules)
plugin = entry.load()
print("LISTENERS", len(plugin.listeners))
print("NEW", *sorted(set(sys.modules) - before))
"""


def load(tmp_path: Path, **environment: str) -> dict[str, list[str]]:
    """Load the plugin in a fresh process; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("LISTENERS", "NEW"))]
    return {first: rest for first, *rest in lines}


def test_loading_it_imports_next_to_nothing(tmp_path: Path) -> None:
    """Every process of Airflow loads it: nothing but a handful of small modules of its own."""
    new = load(tmp_path)["NEW"]
    assert len(new) < 10
    others = [name for name in new if not name.startswith("airflow_provider_ryft")]
    assert set(others) <= {"airflow.listeners"}


@pytest.mark.parametrize(("value", "listeners"), [("True", 0), ("1", 0), ("False", 1), ("", 1)])
def test_when_disabled_there_is_no_listener_at_all(tmp_path: Path, value: str, listeners: int) -> None:
    """Airflow refuses some DAGs as soon as there is any listener."""
    environment = {"AIRFLOW__RYFT__DISABLED": value} if value else {}
    assert load(tmp_path, **environment)["LISTENERS"] == [str(listeners)]


def test_a_flag_that_cannot_be_read_is_no_listener_and_no_error(tmp_path: Path) -> None:
    """The author of the flag meant to set it."""
    assert load(tmp_path, AIRFLOW__RYFT__DISABLED="perhaps")["LISTENERS"] == ["0"]


def test_airflow_s_own_manager_loads_it_without_an_error() -> None:
    from airflow import plugins_manager

    if hasattr(plugins_manager, "_get_plugins"):
        plugins, errors = plugins_manager._get_plugins()
    else:
        plugins_manager.ensure_plugins_loaded()
        plugins, errors = plugins_manager.plugins or [], plugins_manager.import_errors
    assert "ryft" in [plugin.name for plugin in plugins]
    assert not {source: error for source, error in errors.items() if "ryft" in source.lower()}
