"""The live view of `tsk top`: what runs, what is next, every task and what it writes.

Responsible for: nothing by itself. `board` and `reading` know no terminal, the widgets no ledger.
"""
