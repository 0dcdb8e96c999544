-- How a fact about a target became known, and since when nobody claims a link: a removal in two steps counts from it.

ALTER TABLE target_knowledge ADD COLUMN witness TEXT NOT NULL DEFAULT 'learnt' CHECK (witness IN ('announced', 'learnt'));

-- Whose claim ended last, and when; NULL while somebody claims the link.
ALTER TABLE link ADD COLUMN left_at INTEGER;
ALTER TABLE link ADD COLUMN left_channel TEXT;

-- Reserved for the same and never used.
DROP TABLE grace;
