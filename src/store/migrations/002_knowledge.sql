-- How a fact about a target became known; since when nobody claims a link, from which a removal in two steps counts; what
-- a target refused for what it says; and who is named by whose attributes.

ALTER TABLE target_knowledge ADD COLUMN witness TEXT NOT NULL DEFAULT 'learnt' CHECK (witness IN ('announced', 'learnt'));

-- Whose claim ended last, and when; NULL while somebody claims the link.
ALTER TABLE link ADD COLUMN left_at INTEGER;
ALTER TABLE link ADD COLUMN left_channel TEXT;

-- When those who left before this was written down did so is not known: it counts from now. Whose claim it was is known
-- where only one channel ever wrote to the target; of the others nobody is in charge.
UPDATE link SET left_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000, left_channel = ''
WHERE NOT EXISTS (SELECT 1 FROM claim WHERE claim.link_id = link.id);
-- The history is read once, not for each of them.
UPDATE link SET left_channel = only.channel
FROM (SELECT target, min(channel) AS channel FROM cycle GROUP BY target HAVING count(DISTINCT channel) = 1) AS only
WHERE link.target = only.target AND link.left_at IS NOT NULL;

-- Requests that a target refused for what they say, by a digest of that: not sent again every cycle.
CREATE TABLE refused (
    id         INTEGER PRIMARY KEY,
    target     TEXT NOT NULL,
    entry_id   TEXT NOT NULL,
    digest     TEXT NOT NULL,
    why        TEXT NOT NULL,
    times      INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,           -- the last time
    UNIQUE (target, entry_id, digest)
) STRICT;

-- Which entries the attributes of a link refer to, so that whoever is dropped is found without reading every link.
CREATE TABLE mention (
    id       INTEGER PRIMARY KEY,
    link_id  INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    entry_id TEXT NOT NULL,
    UNIQUE (link_id, entry_id)
) STRICT;
CREATE INDEX mention_by_entry ON mention (entry_id);
INSERT OR IGNORE INTO mention (link_id, entry_id)
    SELECT link.id, json_extract(each.value, '$.entry') FROM link, json_each(link.attributes, '$.attributes') AS each
    WHERE each.type = 'object';

-- Reserved for the same and never used.
DROP TABLE grace;
