"""What a ledger tells of its scheduler's use, with the figure and the setting that mends it."""
