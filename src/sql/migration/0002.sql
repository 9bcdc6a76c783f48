-- What an operator looks at: when things happened, the log, and groups of users.

ALTER TABLE halfkey_registration ADD COLUMN granted_at BIGINT;
ALTER TABLE halfkey_registration ADD COLUMN confirmed_at BIGINT;
ALTER TABLE halfkey_registration ADD COLUMN last_seen BIGINT;

CREATE TABLE halfkey_event (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT,
    standing TEXT,
    result TEXT,
    key_id TEXT,
    user_id TEXT,
    name TEXT,
    subject TEXT,
    application TEXT,
    epoch BIGINT,
    number BIGINT,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_event_at ON halfkey_event (at);
CREATE INDEX halfkey_event_kind ON halfkey_event (kind, id);
CREATE INDEX halfkey_event_key ON halfkey_event (key_id, id);
CREATE INDEX halfkey_event_name ON halfkey_event (name, id);

CREATE TABLE halfkey_membership (
    group_name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    since BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (group_name, user_id)
);
CREATE INDEX halfkey_membership_user ON halfkey_membership (user_id, group_name);

CREATE TABLE halfkey_membership_change (
    user_id TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
