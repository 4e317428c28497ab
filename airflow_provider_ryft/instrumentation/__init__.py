"""Wraps other people's code, and tells :mod:`airflow_provider_ryft.capture` what it does."""

from __future__ import annotations
