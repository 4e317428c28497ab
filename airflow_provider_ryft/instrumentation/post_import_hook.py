"""Waits for a module to be imported, at the cost of one comparison for every other import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from airflow_provider_ryft.guard import isolated


class PostImportHook:
    """Calls back once a module has been imported.

    :param name: the module
    :param callback: gets the module; its errors stay here
    """

    def __init__(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._callback = callback

    def install(self) -> None:
        """Wait for the module, or call back at once if it is there."""
        module = sys.modules.get(self._name)
        if module is not None:
            self._callback(module)
        elif self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find what the other finders find; but have the loader of the module call back."""
        if name != self._name:
            return None
        spec = next((spec for spec in self._other_specs(name, path, target) if spec is not None), None)
        with isolated():
            if spec is not None and spec.loader is not None:
                _after_loading(spec.loader, name, self._loaded)
        return spec

    def _other_specs(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> Iterator[ModuleSpec | None]:
        for finder in list(sys.meta_path):
            if finder is not self and hasattr(finder, "find_spec"):
                yield finder.find_spec(name, path, target)

    def _loaded(self, module: ModuleType) -> None:
        """Stop waiting, which to find the module was no reason for: it may be looked for and not loaded."""
        self.remove()
        self._callback(module)


def _after_loading(loader: Any, name: str, callback: Callable[[ModuleType], None]) -> None:
    """Have a loader call back when it has loaded a module; it is as before afterwards."""
    load = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        if module.__name__ == name:
            del loader.exec_module
        load(module)
        with isolated():
            if module.__name__ == name:
                callback(module)

    loader.exec_module = exec_module
