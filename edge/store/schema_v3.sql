-- The store of a hub, version 3: which instrument kept raw bytes are of, as far as it was known.

ALTER TABLE raw ADD COLUMN identity TEXT;
