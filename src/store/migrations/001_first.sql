-- The first schema. Times are milliseconds since 1970 UTC. JSON columns hold the store's own form
-- (codec.rs), which carries its own version. Words in CHECK lists are those of words.rs.
-- Tables keep their rowid: rows arrive in the random order of directory ids, which a table
-- WITHOUT ROWID punishes.

-- One pass of a channel. Also the base of the guard's percentages: linked_* is what the channel
-- claimed when the cycle began.
CREATE TABLE cycle (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    channel            TEXT NOT NULL,
    target             TEXT NOT NULL,
    started_by         TEXT NOT NULL CHECK (started_by IN ('sync', 'resync', 'preview')),
    started_at         INTEGER NOT NULL,
    ended_at           INTEGER,           -- NULL: running, or the program died
    ended_as           TEXT CHECK (ended_as IN ('done', 'done_with_held', 'quarantined', 'failed')),
    messages           TEXT,              -- JSON: [sentence, …]
    counts             TEXT,              -- JSON: [[name, number], …] in the order to print
    linked_users       INTEGER NOT NULL,
    linked_groups      INTEGER NOT NULL,
    linked_memberships INTEGER NOT NULL
) STRICT;
CREATE INDEX cycle_by_channel ON cycle (channel, target, started_at);

-- An entry and its resource at one target, and what the target acknowledged of the attributes.
CREATE TABLE link (
    id            INTEGER PRIMARY KEY,
    target        TEXT NOT NULL,
    entry_id      TEXT NOT NULL,
    resource_type TEXT NOT NULL CHECK (resource_type IN ('user', 'group')),
    resource_id   TEXT NOT NULL,
    origin        TEXT NOT NULL CHECK (origin IN ('created', 'adopted')),
    attributes    TEXT NOT NULL,          -- JSON; members stand in membership
    created_at    INTEGER NOT NULL,       -- when the entry was linked to this resource
    changed_at    INTEGER NOT NULL,       -- when anything acknowledged last changed
    UNIQUE (target, entry_id),
    UNIQUE (target, resource_type, resource_id)
) STRICT;

-- Entry ids that are members of something, once each, so that a membership is two integers.
-- A member need not be linked. Unused rows are swept with the history.
CREATE TABLE member (
    id       INTEGER PRIMARY KEY,
    entry_id TEXT NOT NULL UNIQUE
) STRICT;

-- Memberships that the target acknowledged: link_id is the group's.
CREATE TABLE membership (
    id        INTEGER PRIMARY KEY,
    link_id   INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    member_id INTEGER NOT NULL,           -- member.id; not declared, as sweeping would then need an index
    UNIQUE (link_id, member_id)
) STRICT;

-- Which channels claim a link. A link without claims is a leaver's.
CREATE TABLE claim (
    id      INTEGER PRIMARY KEY,
    link_id INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    since   INTEGER NOT NULL,
    UNIQUE (link_id, channel)
) STRICT;
CREATE INDEX claim_by_channel ON claim (channel);

-- Which entry each group that decides a channel's scope was, by the normalised DN of the configuration:
-- the group is followed through renames by it.
CREATE TABLE scope_group (
    id       INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    dn_key   TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    UNIQUE (channel, dn_key)
) STRICT;

-- What was about to be sent, and what came of it: written ahead, then history.
-- closed_at NULL: sent, perhaps, and never answered.
CREATE TABLE journal (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,   -- ascending for ever: "older" is decided by it
    cycle         INTEGER NOT NULL REFERENCES cycle (id),
    channel       TEXT NOT NULL,
    target        TEXT NOT NULL,
    entry_id      TEXT NOT NULL,
    resource_type TEXT NOT NULL CHECK (resource_type IN ('user', 'group')),
    name          TEXT,                   -- for people; NULL for steps that send nothing
    action        TEXT NOT NULL CHECK (action IN ('create', 'adopt', 'update', 'delete', 'claim', 'release', 'forget',
                                                  'correct', 'gone', 'refuse')),
    body          TEXT,                   -- JSON of the action
    unsettled     TEXT,                   -- JSON like body: what of an open update later edits did not settle; NULL: all
    reason        TEXT,                   -- for people
    intended_at   INTEGER NOT NULL,
    closed_at     INTEGER,
    result        TEXT CHECK (result IN ('done', 'refused', 'superseded')),
    detail        TEXT,                   -- refused: the provider's words
    CHECK ((closed_at IS NULL) = (result IS NULL))
) STRICT;
CREATE INDEX journal_open ON journal (target, entry_id) WHERE closed_at IS NULL;
CREATE INDEX journal_by_cycle ON journal (cycle);

-- What took access away, for the guard's rolling window. Written with the intent, taken back when
-- the target refused. entry_id is the user or group; for memberships the group.
CREATE TABLE guard_event (
    id         INTEGER PRIMARY KEY,
    channel    TEXT NOT NULL,
    target     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('users_absent', 'users_disabled', 'groups', 'memberships', 'identity')),
    entry_id   TEXT NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    at         INTEGER NOT NULL,
    journal_id INTEGER REFERENCES journal (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX guard_event_by_time ON guard_event (channel, target, at);
CREATE INDEX guard_event_by_intent ON guard_event (journal_id);

-- Entries that the channel's last judging cycle left alone.
CREATE TABLE held (
    id            INTEGER PRIMARY KEY,
    channel       TEXT NOT NULL,
    entry_id      TEXT NOT NULL,
    resource_type TEXT NOT NULL CHECK (resource_type IN ('user', 'group')),
    name          TEXT NOT NULL,
    why           TEXT NOT NULL,
    since         INTEGER NOT NULL,       -- held without a break since
    UNIQUE (channel, entry_id)
) STRICT;

-- Kinds of loss that the guard stopped and nobody has settled.
CREATE TABLE quarantine (
    id      INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    kind    TEXT NOT NULL,
    message TEXT NOT NULL,
    since   INTEGER NOT NULL,
    UNIQUE (channel, kind)
) STRICT;

-- Reserved: an admin lets a quarantined kind pass, up to an amount, until a time.
CREATE TABLE approval (
    id         INTEGER PRIMARY KEY,
    channel    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    given_by   TEXT NOT NULL,
    given_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX approval_by_channel ON approval (channel, kind);

-- Reserved: a removal in two steps; the second is due later.
CREATE TABLE grace (
    id       INTEGER PRIMARY KEY,
    target   TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    since    INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    UNIQUE (target, entry_id)
) STRICT;

-- Reserved: a pairing of entry and resource that an admin decided, whatever matching says.
CREATE TABLE pin (
    id            INTEGER PRIMARY KEY,
    target        TEXT NOT NULL,
    entry_id      TEXT NOT NULL,
    resource_type TEXT NOT NULL CHECK (resource_type IN ('user', 'group')),
    resource_id   TEXT,                   -- NULL: never link this entry
    note          TEXT,
    given_by      TEXT NOT NULL,
    given_at      INTEGER NOT NULL,
    UNIQUE (target, entry_id)
) STRICT;

-- Reserved: what was learnt about a target (capabilities, rate limits).
CREATE TABLE target_knowledge (
    id        INTEGER PRIMARY KEY,
    target    TEXT NOT NULL,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    learnt_at INTEGER NOT NULL,
    UNIQUE (target, key)
) STRICT;
