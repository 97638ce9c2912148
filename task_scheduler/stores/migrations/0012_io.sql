-- What a program read from disks and wrote to them, its whole tree: as the kernel counts it; NULL where nobody measured.
ALTER TABLE attempts ADD COLUMN read_bytes INTEGER;
ALTER TABLE attempts ADD COLUMN written_bytes INTEGER;
