-- An export shows every column of an authorisation under way but the hash of its state: also whether it is to be confirmed.

GRANT SELECT (confirm) ON oauth_states TO runaway_worker;
