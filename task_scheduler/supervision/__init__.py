"""Supervision: the small processes that start, watch, kill and reap programs.

They outlive the scheduler. Files with a format number are their protocol, the doorbell is only a
doorbell. Everything that runs inside them uses the standard library alone and stays small.
"""
