"""What a program may do: as whom, with how much, over which network, and from which file.

Responsible for: what happens to a task's process between its fork and its first instruction, and
for telling what this machine offers of it. The standard library only: launcher and supervisors
load it, and only for attempts that ask for it.

Whatever was asked for and cannot be had is a `StartRefusedError`: never a start with less.
"""
