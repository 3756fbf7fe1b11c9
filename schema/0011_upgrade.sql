-- A login may put a verifier in the place of an imported hash, and do nothing else: whoever took a
-- daemon over that may call this could otherwise give any account whose verifier it has seen a
-- password of its own. So the form that is stored must be one of an import (lib/cred: braces in any
-- case, or the bare crypt forms), and the new one exactly what lib/cred makes: SCRAM-SHA-256, 8192
-- iterations, a salt of 16 octets, keys of 32, each in the one right base64. A verifier of that
-- form, or any other SCRAM verifier that is used as it is, is never replaced. Refused: false, and
-- nothing changes.
CREATE OR REPLACE FUNCTION yb_password_upgrade(p_account uuid, p_old text, p_new text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF (p_new ~ (E'^SCRAM-SHA-256\\$8192:[A-Za-z0-9+/]{21}[AQgw]==\\$'
                 '[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$')) IS NOT TRUE THEN
        RETURN false;
    END IF;
    UPDATE credentials c SET verifier = p_new, changed_at = now()
     WHERE c.account_id = p_account AND c.kind = 'primary' AND c.verifier = p_old
       AND (c.verifier ~* ('^\{(CRYPT|SHA512-CRYPT|SHA256-CRYPT|BLF-CRYPT|SSHA512|SSHA256|'
                           'SCRAM-SHA-256)\}')
            OR c.verifier ~ '^\$(2[aby]|5|6)\$');
    RETURN FOUND;
END
$$;
