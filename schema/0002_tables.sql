-- Who is hosted. Everything but nodes belongs to a tenant and says so in its row; keys are
-- composite with tenant_id, so that no row can point at another tenant's.

-- The key form of a local part: folded by lib/mime (NFC, full case folding); `%`, `!` and `@` are
-- never provisioned, they are other people's routing syntax.
CREATE DOMAIN local_part AS text COLLATE "C" CHECK (
    octet_length(VALUE) BETWEEN 1 AND 64 AND VALUE !~ '[%!@A-Z\x01-\x1f\x7f]');
-- The same as its owner writes it.
CREATE DOMAIN local_written AS text COLLATE "C" CHECK (
    octet_length(VALUE) BETWEEN 1 AND 64 AND VALUE !~ '[%!@\x01-\x1f\x7f]');
-- The key form of a domain: lower-case A-labels, no trailing dot.
CREATE DOMAIN domain_name AS text COLLATE "C" CHECK (
    octet_length(VALUE) <= 253 AND
    VALUE ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$');
-- An address mail is sent on to, unquoted, with exactly one `@`.
CREATE DOMAIN mail_address AS text COLLATE "C" CHECK (
    octet_length(VALUE) <= 318 AND VALUE ~ '^[^@]+@[^@]+$' AND VALUE !~ '[\x01-\x1f\x7f]');

CREATE TABLE nodes (
    node_id    bytea PRIMARY KEY CHECK (octet_length(node_id) = 8),
    name       text NOT NULL UNIQUE,
    host       text NOT NULL DEFAULT '',          -- how other nodes reach it
    store_id   text UNIQUE,                       -- what stands in its .yubin-store
    state      text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'leaving', 'gone')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenants (
    tenant_id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name             text NOT NULL UNIQUE CHECK (name <> ''),
    contact          mail_address,
    max_domains      integer CHECK (max_domains >= 0),      -- NULL: no limit, here and below
    max_accounts     integer CHECK (max_accounts >= 0),
    max_bytes        bigint CHECK (max_bytes > 0),          -- pool: all mailboxes together
    suspended_at     timestamptz,
    suspended_reason text,                                  -- told to the user who logs in
    created_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((suspended_at IS NULL) = (suspended_reason IS NULL))
);

CREATE TABLE domains (
    tenant_id        uuid NOT NULL REFERENCES tenants,
    domain_id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name             domain_name NOT NULL UNIQUE,
    written          text NOT NULL DEFAULT '',              -- U-labels, for people
    state            text NOT NULL DEFAULT 'active'         -- pending: not proved yet, not hosted
                     CHECK (state IN ('pending', 'active')),
    separator        text DEFAULT '+'                       -- NULL: no sub-addresses
                     CHECK (separator IN ('+', '-', '=', '_', '.', '#', '~', '/')),
    subdomains       text NOT NULL DEFAULT 'none'           -- u@x.d: one level, u@x.y.d: any
                     CHECK (subdomains IN ('none', 'one', 'any')),
    catch_all        mail_address,                          -- NULL: off
    contact          mail_address,                          -- NULL: the operator's
    role_names       text[] NOT NULL DEFAULT '{postmaster,abuse,hostmaster}'
                     CHECK (role_names @> '{postmaster,abuse}'),  -- RFC 2142; go to the contact
    full_days        integer NOT NULL DEFAULT 3 CHECK (full_days >= 0),  -- 452 so long, then 552
    max_accounts     integer CHECK (max_accounts >= 0),
    max_bytes        bigint CHECK (max_bytes > 0),
    suspended_at     timestamptz,
    suspended_reason text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, domain_id),
    CHECK ((suspended_at IS NULL) = (suspended_reason IS NULL))
);

-- Another name for all addresses of a domain.
CREATE TABLE domain_aliases (
    tenant_id  uuid NOT NULL,
    domain_id  uuid NOT NULL,
    name       domain_name PRIMARY KEY,
    written    text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE
);
CREATE INDEX domain_aliases_domain ON domain_aliases (tenant_id, domain_id);

-- A mailbox. account_id names it on disk and is never used again, whoever gets the address next.
CREATE TABLE accounts (
    tenant_id        uuid NOT NULL,
    domain_id        uuid NOT NULL,
    account_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    local            local_part NOT NULL,
    written          local_written NOT NULL,
    display_name     text NOT NULL DEFAULT '',
    home_node        bytea NOT NULL REFERENCES nodes,
    quota_bytes      bigint NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0),  -- 0: no limit
    keep_copy        boolean NOT NULL DEFAULT true,         -- matters only beside forwards
    imap             boolean NOT NULL DEFAULT true,
    pop3             boolean NOT NULL DEFAULT true,
    submission       boolean NOT NULL DEFAULT true,
    suspended_at     timestamptz,
    suspended_reason text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain_id, local),
    UNIQUE (tenant_id, account_id),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id),
    CHECK ((suspended_at IS NULL) = (suspended_reason IS NULL)),
    CHECK (written ~ '[^\x01-\x7f]' OR lower(written) = local)
);
CREATE INDEX accounts_home ON accounts (home_node);

-- Verifiers, never passwords. primary: a scheme of lib/cred; app: lower-case hex of SHA-256.
CREATE TABLE credentials (
    tenant_id     uuid NOT NULL,
    account_id    uuid NOT NULL,
    credential_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind          text NOT NULL CHECK (kind IN ('primary', 'app')),
    verifier      text COLLATE "C" NOT NULL CHECK (verifier <> ''),
    label         text NOT NULL DEFAULT '',
    expires_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, account_id)
        ON DELETE CASCADE,
    CHECK (kind <> 'app' OR verifier ~ '^[0-9a-f]{64}$')
);
CREATE UNIQUE INDEX credentials_primary ON credentials (account_id) WHERE kind = 'primary';
CREATE INDEX credentials_account ON credentials (account_id);

-- An address that leads to others.
CREATE TABLE aliases (
    tenant_id  uuid NOT NULL,
    domain_id  uuid NOT NULL,
    alias_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    local      local_part NOT NULL,
    written    local_written NOT NULL,
    enabled    boolean NOT NULL DEFAULT true,
    expires_at timestamptz,                                 -- then it is as if disabled
    note       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain_id, local),
    UNIQUE (tenant_id, alias_id),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE,
    CHECK (written ~ '[^\x01-\x7f]' OR lower(written) = local)
);

-- Targets are addresses, not ids: they may be foreign, and a local one is resolved like any other.
-- target_key is the folded form (local part and domain), target the form that is sent to.
CREATE TABLE alias_targets (
    tenant_id  uuid NOT NULL,
    alias_id   uuid NOT NULL,
    target     mail_address NOT NULL,
    target_key mail_address NOT NULL,
    PRIMARY KEY (alias_id, target_key),
    FOREIGN KEY (tenant_id, alias_id) REFERENCES aliases (tenant_id, alias_id) ON DELETE CASCADE
);
CREATE INDEX alias_targets_target ON alias_targets (tenant_id, target_key);

CREATE TABLE forwards (
    tenant_id  uuid NOT NULL,
    account_id uuid NOT NULL,
    target     mail_address NOT NULL,
    target_key mail_address NOT NULL,
    PRIMARY KEY (account_id, target_key),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, account_id)
        ON DELETE CASCADE
);
CREATE INDEX forwards_target ON forwards (tenant_id, target_key);

-- An address out of use. It answers before accounts and aliases, and never falls to the catch-all.
CREATE TABLE retirements (
    tenant_id   uuid NOT NULL,
    domain_id   uuid NOT NULL,
    local       local_part NOT NULL,
    written     local_written NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('deleted',       -- unknown, 550 5.1.1
                                              'moved',         -- 550 5.1.6 with new_address
                                              'forward',       -- silently on to new_address
                                              'forward_tell')), -- the same, and tell the sender
    new_address mail_address,
    expires_at  timestamptz,                                -- NULL: for ever
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain_id, local),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE,
    CHECK ((kind = 'deleted') = (new_address IS NULL))
);

-- What nodes reported. Rows change every few seconds: room for HOT updates.
CREATE TABLE usage (
    tenant_id   uuid NOT NULL,
    domain_id   uuid NOT NULL,
    account_id  uuid PRIMARY KEY,
    bytes       bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    messages    bigint NOT NULL DEFAULT 0 CHECK (messages >= 0),
    full_since  timestamptz,
    reported_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, account_id)
        ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE TABLE domain_usage (
    tenant_id  uuid NOT NULL,
    domain_id  uuid PRIMARY KEY,
    bytes      bigint NOT NULL DEFAULT 0,
    messages   bigint NOT NULL DEFAULT 0,
    full_since timestamptz,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE TABLE tenant_usage (
    tenant_id  uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    bytes      bigint NOT NULL DEFAULT 0,
    messages   bigint NOT NULL DEFAULT 0,
    full_since timestamptz
) WITH (fillfactor = 50);

-- Addresses an account may send as although they do not lead to it. local '': the whole domain.
-- Only domains of the same tenant can be named.
CREATE TABLE sender_rights (
    tenant_id  uuid NOT NULL,
    account_id uuid NOT NULL,
    domain_id  uuid NOT NULL,
    local      text COLLATE "C" NOT NULL CHECK (local = '' OR local::local_part = local),
    PRIMARY KEY (account_id, domain_id, local),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, account_id)
        ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE
);
CREATE INDEX sender_rights_domain ON sender_rights (tenant_id, domain_id);

-- Switches and values of later features, one row each, owned at one level: the account's row wins
-- over the domain's, that over the tenant's, that over the node's. Node rows have no tenant.
CREATE TABLE settings (
    tenant_id  uuid REFERENCES tenants ON DELETE CASCADE,
    domain_id  uuid,
    account_id uuid,
    node_id    bytea REFERENCES nodes ON DELETE CASCADE,
    key        text COLLATE "C" NOT NULL CHECK (key ~ '^[a-z][a-z0-9_.]{0,63}$'),
    value      jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (tenant_id, domain_id, account_id, node_id, key),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, account_id)
        ON DELETE CASCADE,
    CHECK (num_nonnulls(tenant_id, node_id) = 1),
    CHECK (tenant_id IS NOT NULL OR num_nonnulls(domain_id, account_id) = 0),
    CHECK (num_nonnulls(domain_id, account_id) <= 1)
);
CREATE INDEX settings_account ON settings (account_id) WHERE account_id IS NOT NULL;
