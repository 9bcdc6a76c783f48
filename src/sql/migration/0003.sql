-- Limits of what has no proof, the storage key in use, the name of the server, and the log by subject.

ALTER TABLE halfkey_registration ADD COLUMN crowd TEXT;
CREATE INDEX halfkey_registration_crowd ON halfkey_registration (crowd, confirm_by);

ALTER TABLE halfkey_application ADD COLUMN crowd TEXT;
CREATE INDEX halfkey_application_crowd ON halfkey_application (crowd, hold_until);

CREATE INDEX halfkey_event_subject ON halfkey_event (subject, id);

ALTER TABLE halfkey_schema ADD COLUMN sealing TEXT;
ALTER TABLE halfkey_schema ADD COLUMN announced TEXT;
ALTER TABLE halfkey_schema ADD COLUMN announced_at BIGINT;
ALTER TABLE halfkey_schema ADD COLUMN server_name TEXT;
