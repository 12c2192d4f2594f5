//! The key ring in the functions' document: it may grow and change its order, and lose a key that sealed nothing.

use anyhow::{Context as _, ensure};
use runaway_core::db::Db;
use runaway_core::flows;
use runaway_core::vault::Vault;

/// The entries `id:base64` of a ring.
fn entries(ring: &str) -> impl Iterator<Item = &str> {
    ring.split(',').map(str::trim)
}

fn id(entry: &str) -> &str {
    entry.split(':').next().unwrap_or_default()
}

/// Whether the new ring has every key of the old one; a key that is lost takes every token with it that it sealed.
pub(crate) fn keeps_every_key(old: &str, new: &str) -> bool {
    let bare = |entry: &str| entry.trim_end_matches('=').to_owned();
    let new: Vec<String> = entries(new).map(bare).collect();
    entries(old).all(|entry| new.contains(&bare(entry)))
}

/// The ring without the key of this id, once nothing in the database is sealed with it. What another key than the first
/// sealed is sealed anew on the way, as `make reseal` does.
///
/// # Errors
/// When it is the key that seals, is not there, or a row needs it.
pub(crate) async fn without(ring: &str, dropped: &str, db: &Db) -> anyhow::Result<String> {
    let ids: Vec<&str> = entries(ring).map(id).collect();
    ensure!(ids.contains(&dropped), "DROP_KEY: TOKEN_KEYS holds no key {dropped}; it holds {}", ids.join(", "));
    ensure!(ids[0] != dropped, "DROP_KEY: {dropped} is the first key, which seals: put another in front and deploy first");
    let rest = entries(ring).filter(|entry| id(entry) != dropped).collect::<Vec<_>>().join(",");
    let vault = Vault::from_ring(&rest.clone().into())?;
    let looked = flows::reseal(db, &vault, || true).await;
    let looked =
        looked.with_context(|| format!("looking for what {dropped} sealed; the database of DATABASE_URL must be reachable from here"))?;
    let needed: usize = looked.unopened.iter().filter(|(why, _)| why.key_id.as_deref() == Some(dropped)).map(|(_, rows)| rows).sum();
    ensure!(needed == 0, "DROP_KEY: {needed} rows are sealed with the key {dropped}: `make reseal`, then again");
    ensure!(looked.is_settled(), "DROP_KEY: rows were being changed meanwhile: run this again");
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use testkit::World;
    use testkit::world::new_token_key;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_ring_with_another_order_keeps_its_keys() {
        assert!(keeps_every_key("a:x=,b:y", "c:z, b:y=,a:x"));
        assert!(!keeps_every_key("a:x,b:y", "a:x"));
        assert!(!keeps_every_key("a:x", "a:other"));
    }

    #[tokio::test]
    async fn a_key_goes_when_nothing_is_sealed_with_it() {
        let world = World::new().await;
        world.connected_athlete(94_451_852, Uuid::new_v4(), vec![], 3600).await;
        let (db, old, new) = (world.db(), id(&world.token_keys).to_owned(), new_token_key("new"));
        let ring = format!("{new},{}", world.token_keys);
        let refusal = async |dropped: &str| without(&ring, dropped, &db).await.unwrap_err().to_string();
        assert!(refusal("new").await.contains("new is the first key"));
        assert!(refusal("other").await.contains(&format!("holds no key other; it holds new, {old}")));
        assert!(refusal(&old).await.contains(&format!("1 rows are sealed with the key {old}")));
        flows::reseal(&db, &Vault::from_ring(&ring.clone().into()).unwrap(), || true).await.unwrap();
        assert_eq!(without(&ring, &old, &db).await.unwrap(), new);
    }
}
