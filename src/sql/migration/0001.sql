-- Registrations, what becomes of applications, and entitlements: what the steps of the protocol need.
-- Written for PostgreSQL; other databases read other words for BIGINT and BYTEA.

CREATE TABLE halfkey_schema (
    id TEXT NOT NULL PRIMARY KEY,
    migration BIGINT NOT NULL,
    unique_names TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);

CREATE TABLE halfkey_registration (
    key_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    access_path TEXT NOT NULL,
    suite BIGINT NOT NULL,
    modes TEXT NOT NULL,
    suites TEXT NOT NULL,
    lifetime BIGINT,
    fall_back BIGINT NOT NULL,
    state TEXT NOT NULL,
    confirm_by BIGINT,
    expires BIGINT,
    request TEXT,
    code TEXT,
    renews TEXT,
    ticket TEXT,
    forget_at BIGINT,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_registration_user ON halfkey_registration (user_id, key_id);
CREATE INDEX halfkey_registration_name ON halfkey_registration (name, key_id);
CREATE INDEX halfkey_registration_path ON halfkey_registration (access_path, key_id);
CREATE INDEX halfkey_registration_state ON halfkey_registration (state, key_id);
CREATE INDEX halfkey_registration_confirm ON halfkey_registration (confirm_by);
CREATE INDEX halfkey_registration_expires ON halfkey_registration (expires);
CREATE INDEX halfkey_registration_code ON halfkey_registration (code);
CREATE INDEX halfkey_registration_renews ON halfkey_registration (renews);
CREATE INDEX halfkey_registration_ticket ON halfkey_registration (ticket);
CREATE INDEX halfkey_registration_forget ON halfkey_registration (forget_at);

CREATE TABLE halfkey_alias (
    alias TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    issued_by TEXT,
    used BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_alias_key ON halfkey_alias (key_id, alias);

CREATE TABLE halfkey_outcome (
    request TEXT NOT NULL PRIMARY KEY,
    response BYTEA NOT NULL,
    keep_until BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_outcome_keep ON halfkey_outcome (keep_until);

CREATE TABLE halfkey_application (
    ticket_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    code TEXT,
    renews TEXT,
    since BIGINT NOT NULL,
    hold_until BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_application_name ON halfkey_application (name, ticket_id);
CREATE INDEX halfkey_application_hold ON halfkey_application (hold_until);

CREATE TABLE halfkey_activation_code (
    name TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires BIGINT,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_activation_code_expires ON halfkey_activation_code (expires);

CREATE TABLE halfkey_name (
    name TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);

CREATE TABLE halfkey_challenge (
    id TEXT NOT NULL PRIMARY KEY,
    lapses BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
CREATE INDEX halfkey_challenge_lapses ON halfkey_challenge (lapses);

CREATE TABLE halfkey_entitlement (
    subject TEXT NOT NULL,
    application TEXT NOT NULL,
    number BIGINT NOT NULL,
    valid_for BIGINT,
    media_type TEXT,
    body BYTEA,
    set_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (subject, application)
);
CREATE INDEX halfkey_entitlement_application ON halfkey_entitlement (application, subject);

CREATE TABLE halfkey_report (
    key_id TEXT NOT NULL,
    application TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    result TEXT NOT NULL,
    applied_epoch BIGINT,
    applied_number BIGINT,
    at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (key_id, application)
);
CREATE INDEX halfkey_report_application ON halfkey_report (application, key_id);

CREATE TABLE halfkey_counter (
    name TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed_by TEXT NOT NULL,
    seal BYTEA NOT NULL
);
