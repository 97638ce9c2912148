"""When: schedule rules, their time zones, and the instants that follow from them.

Responsible for: what a user may ask for (`rule`), and the arithmetic of its instants
(`occurrences`, `cron_occurrences`, `user_occurrences`). Pure: every moment is an argument, an
``int`` of microseconds since the Unix epoch. Knows nothing of tasks, runs or stores.
"""
