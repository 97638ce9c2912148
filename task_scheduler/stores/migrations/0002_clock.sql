-- What follows the clock when it is set back.

-- 0: the rules read the clock; 1: they count from the entry's anchor; 2: they count from it, within
-- bounds that read the clock; 3: from the end of the last run.
ALTER TABLE entries ADD COLUMN anchoring INTEGER NOT NULL DEFAULT 0;

-- Rules were only of these forms so far, their JSON without spaces. (No functions: a schema is not trusted.)
UPDATE entries SET anchoring = 1 WHERE rules GLOB '[[]{"type":"interval","seconds":*}]' AND rules NOT GLOB '*},{*'
AND rules NOT GLOB '*"start_at":*' AND rules NOT GLOB '*"end_at":*';

-- The last skip that earlier rules of this entry may have recorded.
ALTER TABLE entries ADD COLUMN skips_before INTEGER NOT NULL DEFAULT 0;

-- How often an entry's anchor was moved with the clock: such a clock shows the same moment twice.
ALTER TABLE progress ADD COLUMN lap INTEGER NOT NULL DEFAULT 0;

-- Wall clock minus boot clock, as the ledger knows them; one row.
CREATE TABLE clock (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    boot_id TEXT NOT NULL,
    clock_offset INTEGER NOT NULL
) STRICT;
