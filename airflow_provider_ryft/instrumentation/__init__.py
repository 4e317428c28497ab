"""Wraps other people's code; calls :mod:`airflow_provider_ryft.capture`."""

from __future__ import annotations
