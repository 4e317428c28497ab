"""The outbox that the ``[ryft]`` options name: a folder of this machine, and an object store if one is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_ryft.outbox.outbox import BaseOutbox, Outbox
from airflow_provider_ryft.settings import Settings, is_url

if TYPE_CHECKING:
    from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox


def local(options: Settings) -> Outbox:
    """Return the outbox on this machine's disk, which each task writes its journal to."""
    return _folder(options.outbox_folder(), options)


def store(options: Settings) -> ObjectStoreOutbox | None:
    """Return the outbox in an object store, if there is to be one; nothing is asked of the store yet."""
    return _store(options.outbox_path, options) if is_url(options.outbox_path) else None


def find(path: str | None, options: Settings) -> BaseOutbox:
    """Return the outbox that a command or an operator reads, or sends from.

    :param path: a folder or a URL; that of ``[ryft] outbox_path`` if not given
    :param options: its limits
    """
    place = path or options.outbox_path
    return _store(place, options) if is_url(place) else _folder(path or options.outbox_folder(), options)


def _folder(path: str, options: Settings) -> Outbox:
    return Outbox(path, max_bytes=options.outbox_max_bytes, max_age=options.outbox_max_age)


def _store(url: str, options: Settings) -> ObjectStoreOutbox:
    from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox

    folder, max_bytes, max_age = local(options), options.outbox_max_bytes, options.outbox_max_age
    return ObjectStoreOutbox(url, lambda: _object_storage_path(url), local=folder, max_bytes=max_bytes, max_age=max_age)


def _object_storage_path(url: str) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return ObjectStoragePath(url)
