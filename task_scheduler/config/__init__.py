"""The configuration: one file, environment overrides and options, checked before all else."""

from __future__ import annotations

from task_scheduler.config.config import Config
from task_scheduler.config.entries import EntryConfig

__all__ = ["Config", "EntryConfig"]
