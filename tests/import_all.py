"""Imports every module of the installed package, and fails if that is the one of the checkout."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import airflow_provider_ryft


def main() -> None:
    """Import all modules, and say which."""
    folder = Path(airflow_provider_ryft.__file__).parent
    if folder.parent == Path(__file__).resolve().parent.parent:
        sys.exit(f"error: {folder} is the checkout, not what was installed")
    modules = [module.name for module in pkgutil.walk_packages([str(folder)], "airflow_provider_ryft.")]
    for name in modules:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    print(f"imported {len(modules)} modules of airflow-provider-ryft {airflow_provider_ryft.__version__}")


if __name__ == "__main__":
    main()
