-- What the record system holds. A result is filed whole, once, under its id; nothing is overwritten.

CREATE TABLE result (
    result_id      TEXT PRIMARY KEY,
    site           TEXT NOT NULL,
    hub            TEXT NOT NULL,
    kind           TEXT NOT NULL,
    space          TEXT NOT NULL,
    subject        TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    boot_id        TEXT NOT NULL,
    clock          TEXT NOT NULL,
    corrects       TEXT REFERENCES result (result_id),
    received_ns    INTEGER NOT NULL,
    bundle         BLOB NOT NULL
) STRICT;

CREATE INDEX result_corrects ON result (corrects) WHERE corrects IS NOT NULL;

-- The readings of a result as they were read back from its bundle; `value` and `unit`, or `status`
-- says why not. Of a correction: the readings it withdraws.
CREATE TABLE value (
    result_id TEXT NOT NULL REFERENCES result (result_id),
    metric    TEXT NOT NULL,
    value     REAL,
    unit      TEXT,
    status    TEXT NOT NULL,
    time      TEXT NOT NULL,
    origin    TEXT NOT NULL,
    PRIMARY KEY (result_id, metric)
) STRICT;

-- The last that was heard of each hub.
CREATE TABLE hub (
    site    TEXT NOT NULL,
    hub     TEXT NOT NULL,
    state   TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,
    PRIMARY KEY (site, hub)
) STRICT;

-- Who was last said to be in each room, so that a restart says it neither twice nor never.
CREATE TABLE assignment (
    site           TEXT NOT NULL,
    hub            TEXT NOT NULL,
    patient        TEXT NOT NULL,
    association_id TEXT NOT NULL,
    issued_ns      INTEGER NOT NULL,
    PRIMARY KEY (site, hub)
) STRICT;

PRAGMA application_id = 0x56455273;
PRAGMA user_version = 1;
