-- The store of a hub, version 2: numbers of patients, and ECG studies.

ALTER TABLE subjects ADD COLUMN identifiers TEXT NOT NULL DEFAULT '[]';

-- What a cart's file held, once for all results of the study; it goes when their entries go.
-- subject is the patient it was filed to, so that it can be emptied when that patient is erased;
-- act stands for device, time and patient of the recording.
CREATE TABLE studies (
    study TEXT PRIMARY KEY,
    item INTEGER NOT NULL REFERENCES entries (sequence) ON DELETE CASCADE,
    original_sha256 TEXT NOT NULL UNIQUE,
    act TEXT,
    subject TEXT,
    said BLOB NOT NULL,
    samples BLOB NOT NULL,
    original BLOB NOT NULL
) STRICT;

CREATE INDEX studies_by_item ON studies (item);
CREATE INDEX studies_by_act ON studies (act) WHERE act IS NOT NULL;
CREATE INDEX studies_by_subject ON studies (subject) WHERE subject IS NOT NULL;
