"""A durable queue on disk or in an object store; it knows neither HTTP nor queries."""

from __future__ import annotations
