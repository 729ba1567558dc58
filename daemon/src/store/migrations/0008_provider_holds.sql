-- How often in a row a limit of the provider was met, and until when nothing new starts. Whether it holds follows from that.
ALTER TABLE provider_limit ADD COLUMN strikes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE provider_limit ADD COLUMN hold_until INTEGER;
UPDATE provider_limit SET strikes = holds, hold_until = CASE holds WHEN 1 THEN resets_at END;
ALTER TABLE provider_limit DROP COLUMN holds;
