"""Listeners of the one event stream: logs, metrics, and what this process uses of the machine."""
