-- Limits of what has no proof, the operator's answers, the age of aliases, the storage key in use, the name of the server,
-- and the log by subject.

ALTER TABLE halfkey_registration ADD COLUMN crowd TEXT;
CREATE INDEX halfkey_registration_crowd ON halfkey_registration (crowd, confirm_by);

ALTER TABLE halfkey_application ADD COLUMN crowd TEXT;
CREATE INDEX halfkey_application_crowd ON halfkey_application (crowd, hold_until);

ALTER TABLE halfkey_application ADD COLUMN first TEXT;
ALTER TABLE halfkey_application ADD COLUMN answer TEXT;
CREATE INDEX halfkey_application_first ON halfkey_application (first);

ALTER TABLE halfkey_alias ADD COLUMN issued_at BIGINT;

CREATE INDEX halfkey_event_subject ON halfkey_event (subject, id);

ALTER TABLE halfkey_schema ADD COLUMN sealing TEXT;
ALTER TABLE halfkey_schema ADD COLUMN announced TEXT;
ALTER TABLE halfkey_schema ADD COLUMN announced_at BIGINT;
ALTER TABLE halfkey_schema ADD COLUMN server_name TEXT;

-- Entitlements under conditions, and which one each key was last given. An entitlement of before has none,
-- which is written as the empty text; its seal stays good.

ALTER TABLE halfkey_entitlement RENAME TO halfkey_entitlement_2;
DROP INDEX halfkey_entitlement_application;

CREATE TABLE halfkey_entitlement (
    subject TEXT NOT NULL,
    application TEXT NOT NULL,
    condition TEXT NOT NULL,
    number BIGINT NOT NULL,
    valid_for BIGINT,
    media_type TEXT,
    body BYTEA,
    set_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (subject, application, condition)
);
CREATE INDEX halfkey_entitlement_application ON halfkey_entitlement (application, subject, condition);

INSERT INTO halfkey_entitlement
    SELECT subject, application, '', number, valid_for, media_type, body, set_at, version, sealed_by, seal
    FROM halfkey_entitlement_2;

DROP TABLE halfkey_entitlement_2;

ALTER TABLE halfkey_event ADD COLUMN condition TEXT;

CREATE TABLE halfkey_delivery (
    key_id TEXT NOT NULL,
    application TEXT NOT NULL,
    condition TEXT,
    entitled BIGINT,
    number BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (key_id, application)
);
