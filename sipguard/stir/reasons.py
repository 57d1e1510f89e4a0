"""Why an Identity value did not pass: the closed list of reasons, the SIP status of each, and what it means.

Enters: nothing. Leaves: a table. Must not: be added to without docs/stir.md; tests hold both against the sources.
"""

from __future__ import annotations

from typing import Final

# reason -> (status of a rejection for it, 0 for none; what it means)
REASONS: Final[dict[str, tuple[int, str]]] = {
    "passed": (0, "the signature holds, and the token speaks of this call"),
    "div_unchecked": (0, "nothing depends on this `div` token, so it was not looked at further"),
    # --- 403
    "iat_expired": (403, "`iat` is older than `freshness`"),
    "iat_future": (403, "`iat` lies further ahead of our clock than `future`"),
    # --- 428
    "identity_missing": (428, "the call carries no Identity header"),
    "not_verified": (428, "the trunk says `verify: false`"),
    "unsupported_ppt": (
        428,
        "a type that is not verified here, or says nothing of who calls; no failure",
    ),
    # --- 436
    "x5u_refused": (
        436,
        "`x5u` is not https, has another port, userinfo, a query or fragment, a number as host, or is too long",
    ),
    "x5u_address_refused": (436, "its host has no address but special-purpose ones (RFC 6890)"),
    "x5u_dns": (436, "its host could not be resolved"),
    "x5u_connect": (436, "no connection to its host"),
    "x5u_tls": (436, "the TLS handshake with its host failed"),
    "x5u_timeout": (436, "its host did not answer within the deadline"),
    "x5u_http": (436, "its host broke HTTP"),
    "x5u_http_status": (436, "its host answered with another status than 200"),
    "x5u_redirect": (436, "its host answered with a redirect, which is never followed"),
    "x5u_content_type": (436, "its host sent another content type"),
    "x5u_encoding": (436, "its host sent a content encoding"),
    "x5u_too_large": (436, "its host sent more than 64 KiB"),
    "x5u_not_pem": (436, "its host sent no PEM"),
    "x5u_busy": (436, "too many fetches wait for its host already"),
    "x5u_breaker_open": (436, "its host failed of late and is left alone"),
    "x5u_fetcher_closed": (436, "sipguard was stopping"),
    # --- 437
    "unsupported_alg": (437, "the token is signed by another algorithm than ES256"),
    "pem_malformed": (437, "the certificate file cannot be read"),
    "pem_too_large": (437, "the certificate file is longer than 64 KiB, its certificates than 8 KiB"),
    "certificate_malformed": (437, "a certificate of the chain cannot be read"),
    "certificate_expired": (437, "the chain is not valid any more, now or at `iat`"),
    "certificate_not_yet_valid": (437, "the chain is not valid yet, now or at `iat`"),
    "certificate_revoked": (437, "the CRL in force names a certificate of the chain"),
    "crl_stale": (437, "there is no CRL that is up to date, and `when_stale: refuse` is set"),
    "chain_untrusted": (437, "the chain leads to no anchor"),
    "chain_constraints": (437, "an issuer of the chain may not issue, or not so deep"),
    "chain_signature": (437, "a certificate of the chain was not signed by its issuer, or by a hash that is broken"),
    "chain_too_long": (437, "the chain has too many certificates or asks for too many signatures"),
    "leaf_is_authority": (437, "the chain has authorities only"),
    "key_unsupported": (437, "the key is not on P-256 (of an authority: P-384), or may not sign"),
    "extension_unsupported": (437, "a critical extension is unknown"),
    "constraints_malformed": (437, "its constraints on claims cannot be read (RFC 8226 §8, RFC 9118)"),
    "delegate_scope": (437, "a delegate has an SPC or numbers that its parent has not (RFC 9060 §4)"),
    "delegate_key_id": (437, "a delegate does not name the key of its parent (RFC 9060 §7)"),
    "tnauthlist_missing": (437, "the certificate has no TNAuthList (RFC 8226 §9)"),
    "tnauthlist_by_reference": (437, "its TNAuthList, or a parent's, lies elsewhere (RFC 8226 §10.1); none is fetched"),
    "tnauthlist_malformed": (437, "its TNAuthList cannot be read"),
    "out_of_scope": (437, "its TNAuthList does not cover the caller; of a `div` token, who diverted"),
    # --- 438: the header
    "identity_syntax": (438, "the value is not as RFC 8224 §4 has it"),
    "identity_too_large": (438, "the value is longer than 8 KiB"),
    "info_missing": (438, "there is no `info`"),
    "info_mismatch": (438, "`info` is not the `x5u` of the token"),
    "alg_mismatch": (438, "`alg` is not that of the token"),
    "ppt_mismatch": (438, "`ppt` is not that of the token"),
    # --- 438: the token
    "compact_not_allowed": (438, "the token has the compact form, which only a base PASSporT may have"),
    "date_missing": (438, "there is no Date that can be read, which the compact form takes its time from"),
    "token_malformed": (438, "the token is not three parts of base64url"),
    "signature_malformed": (438, "the signature is not 64 octets of base64url"),
    "header_malformed": (438, "its header is no such JSON object"),
    "crit_unsupported": (438, "its header has `crit` (RFC 7515 §4.1.11)"),
    "header_too_large": (438, "its header is longer than 2 KiB"),
    "claims_malformed": (438, "its claims are no such JSON object"),
    "claims_too_large": (438, "its claims are longer than 6 KiB"),
    "json_too_deep": (438, "its JSON nests deeper than 6, or has more than 256 arrays and objects"),
    "x5u_missing": (438, "its header has no `x5u`"),
    "iat_invalid": (438, "`iat` is missing or no number of seconds"),
    "attest_invalid": (438, "`attest` is not A, B or C"),
    "origid_invalid": (438, "`origid` is longer than 128 characters"),
    "orig_malformed": (438, "`orig` has not exactly one of `tn` and `uri`"),
    "dest_malformed": (438, "`dest` has neither `tn` nor `uri`"),
    "dest_too_many": (438, "`dest` names more than 64 parties"),
    "tn_too_long": (438, "a number has more than 32 characters; E.164 has 15 digits"),
    "rph_malformed": (438, "`rph` has no array `auth` of r-values (RFC 8443 §3)"),
    "sph_malformed": (438, "`sph` is not `psap-callback`, or stands beside no `esnet` value (RFC 9027 §4)"),
    "div_malformed": (438, "`div` has not exactly one of `tn` and `uri`"),
    "deviations": (438, "the token leaves the standard somewhere, and `strict: true` is set"),
    # --- 438: the token and the call
    "orig_mismatch": (438, "the token names another caller"),
    "dest_mismatch": (438, "the token names another called party"),
    "div_incomplete": (438, "`div` tokens lead to no other token: one is missing, or none names the target"),
    "div_loop": (438, "`div` tokens lead to one another in a circle"),
    "div_too_long": (438, "more than five `div` tokens lead to the other token"),
    "div_orig_mismatch": (438, "tokens of one chain name different callers"),
    "replayed": (438, "the token came in another call before, and `replay_fails: true` is set"),
    "rph_mismatch": (438, "the token signs r-values that Resource-Priority does not have"),
    "sph_mismatch": (438, "the token signs `psap-callback`, and Priority does not say so"),
    "signature": (438, "the signature does not hold"),
    # --- 438: the token and the constraints of its certificate
    "constraint_missing": (438, "a claim is missing that the certificate asks for (`mustInclude`)"),
    "constraint_value": (438, "a claim has a value that the certificate does not permit (`permittedValues`)"),
    "constraint_excluded": (438, "a claim is there that the certificate excludes (`mustExclude`)"),
}

# deviation -> what it means
DEVIATIONS: Final[dict[str, str]] = {
    "comma_list": "the value stood in a list with commas, which the grammar does not have (RFC 8224 §4)",
    "date_repeated": "the call has Date headers that say different times; the first counts (RFC 3261 §20.17)",
    "ppt_missing": "the header has no `ppt`, the token has one (RFC 8224 §4.1)",
    "typ": "`typ` is not `passport` (RFC 8225 §4.1)",
    "iat_string": "`iat` is a text of digits, no number (RFC 8225 §5.1.1)",
    "dest_string": "`dest.tn` or `dest.uri` is a text, no array (RFC 8225 §5.2.1)",
    "tn_plus": "a number begins with `+` (RFC 8224 §8.3)",
    "tn_form": "a number is empty, has more than 15 digits, or characters besides digits, `#` and `*` (RFC 8224 §8.3)",
    "tn_national": "a number fits that of the call only with a country code, which it lacks (RFC 8224 §8.3)",
    "tn_dialled": "a number begins with 0, as in `011` before one abroad; no country code does (RFC 8224 §8.3)",
    "party_members": "`orig` has a second member, or `orig`, `dest` or `div` one that is not defined (RFC 8225 §5.2.1)",
    "origid_missing": "a `shaken` token without `origid` (RFC 8588 §5)",
    "origid_form": "`origid` is no UUID (RFC 8588 §5); one that is no visible ASCII without spaces is no fact either",
    "attest_form": "`attest` in a token that is not `shaken` is not A, B or C (RFC 8588 §4); it is no fact",
    "json_form": "members are not sorted or occur twice, or there are spaces or needless escapes (RFC 8225 §9)",
}

OF_FETCHING: Final = tuple(reason for reason, (status, _) in REASONS.items() if status == 436)  # nothing was had
