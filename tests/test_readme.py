"""The README, held against the facts that it repeats."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_ryft.get_provider_info import get_provider_info
from airflow_provider_ryft.ingest.responses import ResponseClass, classify_status
from airflow_provider_ryft.listener import delivery, task_report

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(name: str) -> dict[str, str]:
    """Return the rows of a marked table: what is in code in the first column, and the second column."""
    table = README.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]
    cells = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    return {first.strip("`"): second for first, second, *_ in cells}


def test_the_table_of_connection_fields_is_that_of_the_form() -> None:
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert rows("connection fields") == {name: field["description"] for name, field in fields.items()}


def test_the_table_of_options_is_that_of_the_metadata() -> None:
    options = get_provider_info()["config"]["ryft"]["options"]
    named = {name: option["description"].replace("``", "`") for name, option in options.items()}
    assert rows("options") == named
    table = README.split("<!-- options: begin -->")[1].split("<!-- options: end -->")[0]
    for name, option in options.items():
        default = f"`{option['default']}`" if option["default"] else ""
        assert f"| `{name}` | {named[name]} | {default} |" in table


def test_the_metrics_that_the_readme_names_are_those_that_are_sent() -> None:
    source = inspect.getsource(delivery) + inspect.getsource(task_report)
    for name in re.findall(r"`ryft\.([a-z]+)`", README):
        assert f'"{name}"' in source, name


def test_the_version_of_airflow_that_runs_this_test_is_one_that_the_readme_names() -> None:
    tested = README.split("| Apache Airflow |")[1].splitlines()[0]
    assert airflow_version in re.findall(r"[0-9]+\.[0-9]+\.[0-9]+", tested)


def test_the_oldest_python_is_that_of_the_package() -> None:
    oldest = metadata("airflow-provider-ryft")["Requires-Python"].removeprefix(">=")
    assert f"| Python | {oldest} and newer |" in README


@pytest.mark.parametrize(
    ("start", "kind"),
    [("| nothing, 408", {ResponseClass.LATER}), ("| 400, 422", {ResponseClass.REFUSED, ResponseClass.TOO_LARGE})],
)
def test_the_table_of_answers_is_what_the_client_does(start: str, kind: set[ResponseClass]) -> None:
    """Each status of a class is in its row, and none else."""
    cell = start + README.split(start)[1].split(" | ")[0]
    named: set[int] = set()
    for first, last in re.findall(r"([0-9]{3})(?:-([0-9]{3}))?", cell):
        named |= set(range(int(first), int(last or first) + 1))
    assert named == {status for status in range(100, 600) if classify_status(status) in kind}


def test_each_file_that_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
