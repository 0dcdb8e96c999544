-- Who is where in the directory and in which group, by channel, so that a change is judged without reading everything
-- again; and by which name a resource is known, so that its holder is found without reading every link.

-- The acknowledged userName or displayName as names are compared (plan::folded); NULL where there is none. The program
-- fills it for the links that are there, because SQL folds ASCII alone.
ALTER TABLE link ADD COLUMN name TEXT;
CREATE INDEX link_by_name ON link (target, resource_type, name);

-- Where a channel stands. Everything below belongs to one of these and is written in one transaction with it.
CREATE TABLE roster (
    id                 INTEGER PRIMARY KEY,
    channel            TEXT NOT NULL UNIQUE,
    watermark          TEXT NOT NULL,
    fingerprint        TEXT NOT NULL,
    full_at            INTEGER NOT NULL,   -- when everything was read and written down
    settled_at         INTEGER NOT NULL,   -- when anything of it was
    linked_users       INTEGER NOT NULL DEFAULT 0,
    linked_groups      INTEGER NOT NULL DEFAULT 0,
    linked_memberships INTEGER NOT NULL DEFAULT 0,
    users              INTEGER NOT NULL DEFAULT 0,
    groups             INTEGER NOT NULL DEFAULT 0
) STRICT;

-- An entry, in scope or not. Its members stand in seat_member.
CREATE TABLE seat (
    id            INTEGER PRIMARY KEY,
    roster        INTEGER NOT NULL,
    entry_id      TEXT NOT NULL,
    dn            TEXT NOT NULL,           -- as written
    resource_type TEXT NOT NULL CHECK (resource_type IN ('user', 'group')),
    selected      INTEGER NOT NULL,
    in_scope      INTEGER NOT NULL,
    status_until  INTEGER,
    is_whole      INTEGER NOT NULL,        -- 0: the members could not be read whole, and none is kept
    also          TEXT,                    -- JSON: other names and references; NULL: none
    digest        BLOB NOT NULL,           -- of all of it, members included: what is equal is not written again
    UNIQUE (roster, entry_id)
) STRICT;
CREATE INDEX seat_by_status_until ON seat (roster, status_until) WHERE status_until IS NOT NULL;

-- Names by which groups list members, once each for a channel, so that a tie to one is two integers. A name that nobody
-- is tied to goes with its last tie.
CREATE TABLE roster_name (
    id       INTEGER PRIMARY KEY,
    roster   INTEGER NOT NULL,
    is_alias INTEGER NOT NULL,
    text     TEXT NOT NULL,                -- a normalised DN, or an alias
    UNIQUE (roster, is_alias, text)
) STRICT;

-- Ties of seats to names: what an entry is called, whom a group lists, to whom a user refers. Without rowid, as they
-- come in the order of their key: seats ascend, and so do the names of one.
CREATE TABLE seat_name (
    seat INTEGER NOT NULL,
    name INTEGER NOT NULL,
    PRIMARY KEY (seat, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX seat_name_by_name ON seat_name (name);

CREATE TABLE seat_member (
    seat INTEGER NOT NULL,
    name INTEGER NOT NULL,
    PRIMARY KEY (seat, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX seat_member_by_name ON seat_member (name);

CREATE TABLE seat_reference (
    seat INTEGER NOT NULL,
    name INTEGER NOT NULL,
    PRIMARY KEY (seat, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX seat_reference_by_name ON seat_reference (name);

-- Entries that may stand above others.
CREATE TABLE container (
    id       INTEGER PRIMARY KEY,
    roster   INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    dn       TEXT NOT NULL,                -- as written
    UNIQUE (roster, entry_id)
) STRICT;

-- Entries whose change is still to be made.
CREATE TABLE pending (
    id       INTEGER PRIMARY KEY,
    roster   INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    UNIQUE (roster, entry_id)
) STRICT;

-- How the daemon hears the changes of its live channels, as it said last; empty while none listens.
CREATE TABLE hearing (
    id        INTEGER PRIMARY KEY,
    channel   TEXT NOT NULL UNIQUE,
    hears     INTEGER NOT NULL,
    why       TEXT,                        -- why it does not; NULL: nothing was said yet
    since     INTEGER NOT NULL,
    signed_at INTEGER NOT NULL
) STRICT;
