"""Confined programs, really started."""
