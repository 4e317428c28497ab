"""Replaces class attributes, and puts them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

# What is put in the place of something else keeps that under this name, so that no class is kept for it.
_ORIGINAL = "_airflow_provider_ryft_original"


class Patches:
    """What has replaced something else, so that it can be put back; it keeps no class alive."""

    def __init__(self) -> None:
        self._replaced: WeakKeyDictionary[type, dict[str, int]] = WeakKeyDictionary()

    def replace(self, owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
        """Wrap what a class itself defines under a name, once.

        :param owner: the class
        :param name: the attribute
        :param wrap: makes the replacement of what is there
        """
        replaced = self._replaced.setdefault(owner, {})
        if name not in replaced and name in owner.__dict__:
            original = owner.__dict__[name]
            replacement = wrap(original)
            setattr(replacement, _ORIGINAL, original)
            setattr(owner, name, replacement)
            replaced[name] = id(replacement)

    def undo(self) -> None:
        """Put the originals back, where nothing else has been put since."""
        for owner, replaced in list(self._replaced.items()):
            for name, identity in replaced.items():
                current = owner.__dict__.get(name)
                if id(current) == identity:
                    setattr(owner, name, getattr(current, _ORIGINAL))
        self._replaced.clear()
