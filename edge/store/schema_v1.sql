-- The store of a hub, version 1. A later version is a script of its own that changes this one.
-- Times are nanoseconds of Unix time; NULL where the clock was not synchronised.

CREATE TABLE identity (
    journal TEXT NOT NULL
) STRICT;

-- The journal: exact bytes of each event and the hash of everything up to it.
CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY,
    data BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- Stretches of the journal. Of a purged one, this row is what is left.
CREATE TABLE segments (
    number INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    opening BLOB NOT NULL,
    schema INTEGER NOT NULL,
    last INTEGER,
    closing BLOB,
    closed_ns INTEGER,
    purged INTEGER NOT NULL DEFAULT 0 CHECK (purged IN (0, 1)),
    CHECK ((last IS NULL) = (closing IS NULL)),
    CHECK (purged = 0 OR last IS NOT NULL)
) STRICT;

-- The folded state up to an entry, as its maker wrote it. At most one row.
CREATE TABLE snapshots (
    sequence INTEGER PRIMARY KEY,
    state BLOB NOT NULL,
    needed INTEGER,
    subjects TEXT NOT NULL,
    seal BLOB NOT NULL
) STRICT;

-- Patients, apart from the journal so that they can be erased.
CREATE TABLE subjects (
    key TEXT PRIMARY KEY,
    reference TEXT NOT NULL,
    display_1 TEXT NOT NULL,
    display_2 TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- Results for the record system; place is the sequence of their event.
CREATE TABLE outbox (
    place INTEGER PRIMARY KEY,
    result_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    space TEXT NOT NULL,
    after TEXT,
    subject TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'filed', 'rejected', 'parked', 'given-up')),
    attempts INTEGER NOT NULL DEFAULT 0,
    ended_ns INTEGER
) STRICT;

CREATE INDEX outbox_by_state ON outbox (state, place);
CREATE INDEX outbox_by_subject ON outbox (subject) WHERE subject IS NOT NULL;

-- The exact bytes that are sent; apart, so that a change of state does not write them again.
CREATE TABLE payloads (
    place INTEGER PRIMARY KEY REFERENCES outbox (place) ON DELETE CASCADE,
    payload BLOB NOT NULL
) STRICT;

-- Bytes an instrument will not repeat, until what they mean is in the journal.
-- AUTOINCREMENT: a number stands in journaled measurements and is never given twice.
CREATE TABLE raw (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    instrument TEXT NOT NULL,
    channel TEXT,
    wall_ns INTEGER NOT NULL,
    mono_ns INTEGER NOT NULL,
    trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),
    era TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Signals around a taken measurement; they go when its entry goes.
CREATE TABLE waveforms (
    number INTEGER PRIMARY KEY,
    item INTEGER NOT NULL REFERENCES entries (sequence) ON DELETE CASCADE,
    signals TEXT NOT NULL,
    fs REAL NOT NULL,
    unit TEXT NOT NULL,
    wall_ns INTEGER NOT NULL,
    mono_ns INTEGER NOT NULL,
    trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),
    era TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('<f4', '<f8')),
    samples BLOB NOT NULL
) STRICT;

CREATE INDEX waveforms_by_item ON waveforms (item);
