"""Print what is installed for this script's interpreter as constraints: names and versions only."""

from __future__ import annotations

from importlib.metadata import distributions

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# Never pinned: the package itself, and what belongs to the environment rather than to the project.
LEFT_OUT = {"airflow-provider-ryft", "pip", "setuptools", "wheel", "uv"}
OLDEST = "3.10"


def main() -> None:
    """Print one line for each distribution, with a marker where the oldest Python can't have that version."""
    lines = {}
    for distribution in distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        if name in LEFT_OUT:
            continue
        marker = ""
        if not SpecifierSet(distribution.metadata["Requires-Python"] or "").contains(OLDEST + ".99"):
            marker = '; python_version >= "3.11"'
        lines[name] = f"{name}=={distribution.version}{marker}"
    print("# What the suite passed with, on Python 3.11. Made by: make constraints")
    print("\n".join(lines[name] for name in sorted(lines)))


if __name__ == "__main__":
    main()
