"""Executors: each reports exactly one completion for every claim that it starts."""
