"""Attacks: what a stranger, a task or a damaged file may try, and that it comes to nothing."""
