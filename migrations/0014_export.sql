-- An export shows what is held of an athlete: also of the authorisations under way, but for the hash of their state.

GRANT SELECT (redirect, created_at, expires_at) ON oauth_states TO runaway_worker;
