"""Moving in: what other schedulers have, read as entries of ours; each source has its module.

Nothing in here runs what it reads, writes a file or knows the ledger: `tsk import` does.
"""
