"""Reports the SQL that Apache Airflow runs to Ryft.

Airflow imports this package while it is still reading its own configuration, so nothing is imported here.
"""

from __future__ import annotations

__version__ = "0.1.0"
