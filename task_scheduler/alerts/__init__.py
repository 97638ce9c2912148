"""Alerts: telling people what went wrong, once, and when it works again.

Responsible for: the package alone; its parts stand in their modules. `rules`, `signs`, `cause`,
`usual`, `memory` and `judge` decide with values; `composer`, `courier`, `pinger`, `desk` and the
channels carry out.
"""
