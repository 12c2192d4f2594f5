//! Key rings and sealed values.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::prelude::*;
use runaway_core::vault::{Purpose, Vault, VaultError};
use secrecy::{ExposeSecret as _, SecretString};
use testkit::fuzz::{MARK, check, damaged, text};
use uuid::Uuid;

const CASES: u32 = 128;

fn purpose() -> impl Strategy<Value = Purpose> {
    let exchange = any::<u128>().prop_map(|bits| Purpose::StravaExchange(Uuid::from_u128(bits)));
    prop_oneof![Just(Purpose::StravaAccessToken), Just(Purpose::StravaRefreshToken), exchange]
}

/// One to four keys with ids of their own.
fn ring() -> impl Strategy<Value = Vec<String>> {
    let key = ("[a-zA-Z0-9_.=/ -]{0,40}", any::<[u8; 32]>(), any::<bool>());
    prop::collection::vec(key, 1..5).prop_map(|keys| {
        let entry = |(n, (id, key, is_padded)): (usize, (String, [u8; 32], bool))| {
            let key = if is_padded { STANDARD.encode(key) } else { STANDARD_NO_PAD.encode(key) };
            format!("k{n}{id}:{key}")
        };
        keys.into_iter().enumerate().map(entry).collect()
    })
}

fn vault(keys: &[String]) -> Vault {
    Vault::from_ring(&SecretString::from(keys.join(","))).unwrap()
}

#[tokio::test]
async fn what_one_key_seals_opens_with_every_ring_that_holds_it_and_for_nobody_else() {
    let inputs = (ring(), text(), purpose(), any::<i64>(), any::<i64>(), any::<prop::sample::Index>());
    check("sealed values", CASES, &inputs, async |(keys, token, purpose, athlete, other, place)| {
        let sealed = vault(&keys).seal(purpose, athlete, &SecretString::from(token.clone())).unwrap();
        prop_assert!(token.len() < 4 || !sealed.windows(token.len()).any(|window| window == token.as_bytes()));
        let mut rotated = keys.clone();
        rotated.rotate_left(place.index(keys.len()));
        let opened = vault(&rotated).open(purpose, athlete, &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), token.as_str());
        let another = match purpose {
            Purpose::StravaAccessToken => Purpose::StravaRefreshToken,
            Purpose::StravaRefreshToken => Purpose::StravaExchange(Uuid::from_u128(7)),
            Purpose::StravaExchange(ticket) => Purpose::StravaExchange(Uuid::from_u128(ticket.as_u128() ^ 1)),
        };
        let vault_again = vault(&keys);
        prop_assert!(matches!(vault_again.open(another, athlete, &sealed), Err(VaultError::DoesNotOpen(_))));
        prop_assert!(other == athlete || matches!(vault_again.open(purpose, other, &sealed), Err(VaultError::DoesNotOpen(_))));
        if keys.len() > 1 {
            prop_assert!(matches!(vault(&keys[1..]).open(purpose, athlete, &sealed), Err(VaultError::UnknownKey(_))));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nothing_but_the_sealed_value_itself_opens() {
    let keys = ["k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()];
    let ring = vault(&keys);
    let sealed = ring.seal(Purpose::StravaAccessToken, 7, &SecretString::from(MARK)).unwrap();
    let bytes = prop_oneof![3 => damaged(sealed.clone()), 1 => prop::collection::vec(any::<u8>(), 0..80)];
    check("damaged sealed values", CASES, &bytes, async |bytes| {
        let opened = ring.open(Purpose::StravaAccessToken, 7, &bytes);
        prop_assert_eq!(opened.is_ok(), bytes == sealed);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_ring_is_read_as_it_is_written_or_refused_without_a_quotation() {
    let whole = ring().prop_map(|keys| keys.join(","));
    let texts = prop_oneof![
        2 => whole.prop_flat_map(|text| damaged(text.into_bytes())).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => text(),
        1 => text().prop_map(|text| format!("k1:{MARK}{text},{MARK}")),
    ];
    check("key rings", CASES, &texts, async |text| {
        match Vault::from_ring(&SecretString::from(text.clone())) {
            Ok(ring) => {
                let sealed = ring.seal(Purpose::StravaRefreshToken, 1, &SecretString::from("token")).unwrap();
                let first = text.split(',').next().and_then(|entry| entry.trim().split_once(':')).map(|(id, _)| id.to_owned());
                prop_assert_eq!(Some(String::from_utf8_lossy(&sealed[2..2 + usize::from(sealed[1])]).into_owned()), first);
                prop_assert!(!format!("{ring:?}").contains("AAAA"), "a key is shown");
            }
            Err(error) => {
                prop_assert!(matches!(error, VaultError::KeyRing(_)) && !error.to_string().contains(MARK), "{error}");
            }
        }
        Ok(())
    })
    .await;
}
