//! Tokens, which lay there in clear and are sealed here.

use anyhow::Context as _;
use runaway_core::vault::{Purpose, Vault};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{Client, Transaction};

/// The step's name.
pub(super) const NAME: &str = "tokens";
/// The step it follows.
pub(super) const NAME_BEFORE: &str = "activities";
/// Tokens that are opened at once to be compared.
const TOKENS_PER_READ: i64 = 500;

/// Seals the tokens of a batch of athletes, marks these as connected, and gives each a full sync: it completes what
/// the predecessor did not keep. What was granted is not known, as nobody wrote it down; without a known scope nothing
/// that is missing at Strava is taken for deleted.
///
/// # Errors
/// When sealing or a statement fails.
pub(super) async fn seal_batch(transaction: &Transaction<'_>, source: &str, vault: &Vault, last: i64, upper: i64) -> anyhow::Result<u64> {
    let sql = format!(
        "SELECT athlete, coalesce(access_token, ''), refresh_token, scope,
                CASE WHEN access_token IS NULL OR NOT isfinite(expires_at) THEN 0 ELSE coalesce(extract(epoch FROM expires_at)::bigint, 0) END
           FROM ({source}) c WHERE reason IS NULL AND athlete > $1 AND athlete <= $2 ORDER BY athlete"
    );
    let (mut ids, mut access, mut refresh, mut scopes, mut ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in transaction.query(&sql, &[&last, &upper]).await.context("reading tokens")? {
        let id: i64 = row.get(0);
        let (in_clear, refresh_in_clear) = (SecretString::from(row.get::<_, String>(1)), SecretString::from(row.get::<_, String>(2)));
        access.push(vault.seal(Purpose::StravaAccessToken, id, &in_clear)?);
        refresh.push(vault.seal(Purpose::StravaRefreshToken, id, &refresh_in_clear)?);
        scopes.push(row.get::<_, Option<String>>(3).unwrap_or_default());
        ends.push(row.get::<_, i64>(4));
        ids.push(id);
    }
    let sql = "
        WITH held AS (
            INSERT INTO strava_tokens (athlete_id, access_token, refresh_token, expires_at, scopes)
            SELECT t.id, t.access, t.refresh, to_timestamp(t.ends), string_to_array(replace(t.scopes, ' ', ','), ',')
              FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::text[]) AS t (id, access, refresh, ends, scopes)
            ON CONFLICT (athlete_id) DO NOTHING RETURNING athlete_id),
        connected AS (
            UPDATE athletes a SET strava_connected = true, strava_disconnected_at = NULL, strava_connected_at = coalesce(a.strava_connected_at, now())
              FROM held WHERE a.id = held.athlete_id)
        INSERT INTO sync_jobs (id, athlete_id, sync_type, lane) SELECT gen_random_uuid(), athlete_id, 'full', 'backfill' FROM held
        ON CONFLICT (athlete_id, sync_type) WHERE status IN ('pending', 'in_progress') DO NOTHING";
    transaction.execute(sql, &[&ids, &access, &refresh, &ends, &scopes]).await.context("storing sealed tokens")
}

/// How many tokens were to be moved, and how many of them are held and open to what they were. One that was refreshed
/// since has to open only.
///
/// # Errors
/// When a statement fails.
pub(super) async fn compare(client: &Client, source: &str, vault: &Vault) -> anyhow::Result<(i64, i64)> {
    let sql = format!(
        "SELECT c.athlete, c.access_token, c.refresh_token, t.access_token, t.refresh_token,
                t.expires_at > coalesce(c.expires_at, 'epoch') + interval '1 second'
           FROM ({source}) c LEFT JOIN strava_tokens t ON t.athlete_id = c.athlete
          WHERE c.reason IS NULL AND c.athlete > $1 ORDER BY c.athlete LIMIT $2"
    );
    let (mut last, mut all, mut right) = (0_i64, 0, 0);
    loop {
        let rows = client.query(&sql, &[&last, &TOKENS_PER_READ]).await.context("reading tokens")?;
        for row in &rows {
            last = row.get(0);
            all += 1;
            let opens = |purpose: Purpose, sealed: Option<Vec<u8>>, was: Option<String>| {
                let opened = sealed.and_then(|sealed| vault.open(purpose, last, &sealed).ok());
                let is_refreshed = row.get::<_, Option<bool>>(5).unwrap_or_default();
                opened.is_some_and(|opened| is_refreshed || opened.expose_secret() == was.unwrap_or_default())
            };
            let is_right =
                opens(Purpose::StravaAccessToken, row.get(3), row.get(1)) && opens(Purpose::StravaRefreshToken, row.get(4), row.get(2));
            right += i64::from(is_right);
        }
        if rows.is_empty() {
            return Ok((all, right));
        }
    }
}
