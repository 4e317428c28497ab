"""The metadata, held against the package that it describes and the Airflow that reads it."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from packaging.utils import canonicalize_name

from airflow_provider_ryft import __version__
from airflow_provider_ryft.get_provider_info import get_provider_info
from airflow_provider_ryft.hooks.ryft import RyftIngestHook
from airflow_provider_ryft.ingest.client import IngestClient

DISTRIBUTION = distribution("airflow-provider-ryft")
PACKAGE = Path(inspect.getfile(get_provider_info)).parent
INFO = get_provider_info()
CONNECTION_TYPE = INFO["connection-types"][0]


def dotted_paths() -> list[str]:
    """Return each module and class that the metadata names."""
    modules = [module for kind in ("hooks", "operators") for entry in INFO[kind] for module in entry["python-modules"]]
    return [*modules, *(entry["hook-class-name"] for entry in INFO["connection-types"])]


def imported(path: str) -> Any:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def test_the_package_is_named_as_it_is_distributed() -> None:
    """Airflow refuses to start with a provider whose name is another."""
    assert INFO["package-name"] == canonicalize_name(DISTRIBUTION.metadata["Name"])


def test_the_metadata_is_what_the_installed_airflow_wants() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


@pytest.mark.parametrize("path", dotted_paths())
def test_each_thing_that_the_metadata_names_is_there(path: str) -> None:
    assert imported(path)


@pytest.mark.parametrize("entry_point", DISTRIBUTION.entry_points, ids=str)
def test_each_entry_point_is_there(entry_point: Any) -> None:
    assert callable(entry_point.load())


def test_airflow_finds_the_metadata_by_its_entry_point() -> None:
    found = [entry.load()() for entry in DISTRIBUTION.entry_points if entry.group == "apache_airflow_provider"]
    assert found == [INFO]


def test_the_hook_and_the_metadata_agree_on_the_connection_type() -> None:
    assert CONNECTION_TYPE["connection-type"] == RyftIngestHook.conn_type
    assert CONNECTION_TYPE["hook-name"] == RyftIngestHook.hook_name
    assert imported(CONNECTION_TYPE["hook-class-name"]) is RyftIngestHook


def test_each_field_of_the_form_is_an_option_of_the_client() -> None:
    """The defaults that the form shows are the client's."""
    parameters = inspect.signature(IngestClient).parameters
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        default = parameters[name].default
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            assert field["description"].endswith(f"; {default:g} if empty.".replace("1.04858e+06", "1048576"))
    names = set(parameters) - {"token", "base_url"}
    assert set(CONNECTION_TYPE["conn-fields"]) == names


def test_reading_the_metadata_imports_nothing() -> None:
    """Airflow reads it in the middle of reading its own configuration."""
    code = (
        "import sys; before = set(sys.modules); import airflow_provider_ryft.get_provider_info;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=PACKAGE.parent, capture_output=True, check=True)
    new = done.stdout.decode().split()
    ours = {name for name in new if name.startswith("airflow_provider_ryft")}
    assert ours == {"airflow_provider_ryft", "airflow_provider_ryft.get_provider_info"}
    assert not {"airflow", "requests", "pendulum"} & set(new)


def test_the_version_is_written_once() -> None:
    """What is installed has the version of the code; the metadata has none of its own."""
    assert DISTRIBUTION.version == __version__
    assert "versions" not in INFO


def test_airflow_itself_shows_the_provider() -> None:
    """Airflow's own manager finds the connection type, with its name, its fields and no error."""
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers["airflow-provider-ryft"].version == __version__
    hook = manager.hooks["ryft"]
    assert hook is not None
    assert hook.hook_name == "Ryft"
    assert hook.connection_id_attribute_name == "ryft_conn_id"
    assert hook.hook_class_name == CONNECTION_TYPE["hook-class-name"]
    assert "ryft" in manager.field_behaviours
