-- What a program used, its whole tree: as its supervisor measured it; NULL where nobody did.
ALTER TABLE attempts ADD COLUMN cpu_seconds REAL;
ALTER TABLE attempts ADD COLUMN peak_memory_bytes INTEGER;
