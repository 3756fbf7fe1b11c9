-- Every row says its address: looked at without holding off who writes.
ALTER TABLE accounts VALIDATE CONSTRAINT accounts_address_check;
ALTER TABLE accounts VALIDATE CONSTRAINT accounts_domain_fkey;
ALTER TABLE aliases VALIDATE CONSTRAINT aliases_address_check;
ALTER TABLE aliases VALIDATE CONSTRAINT aliases_domain_fkey;
ALTER TABLE retirements VALIDATE CONSTRAINT retirements_address_check;
ALTER TABLE retirements VALIDATE CONSTRAINT retirements_domain_fkey;
