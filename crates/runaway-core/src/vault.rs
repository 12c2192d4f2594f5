//! Sealing and opening of OAuth tokens with AES-256-GCM; randomness and fingerprints.
//!
//! A sealed value is `version | length of key id | key id | nonce | ciphertext and tag`. Purpose and athlete are
//! authenticated with it: a value copied to another athlete, column or ticket does not open. The first key of the ring
//! seals, every key opens, so that keys can be rotated without a pause.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Base64 with or without padding at its end: an environment file may not be able to hold the equals signs.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
/// Longest key id, so that its length fits one byte.
const KEY_ID_BYTES_MAX: usize = 64;

/// What a sealed value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Strava's access token.
    StravaAccessToken,
    /// Strava's refresh token.
    StravaRefreshToken,
    /// What an exchange brought, for the ticket with this id.
    StravaExchange(Uuid),
}

/// Why a key ring or a sealed value is of no use.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// `TOKEN_KEYS` is not `id:base64,id:base64` with keys of 32 bytes.
    #[error("TOKEN_KEYS: {0}")]
    KeyRing(&'static str),
    /// The value names a key the ring does not have.
    #[error("sealed with key {0:?}, which TOKEN_KEYS does not hold")]
    UnknownKey(String),
    /// Altered, sealed for somebody else, or the ring holds another key under that id.
    #[error("sealed with key {0:?}, and does not open for this athlete and purpose")]
    DoesNotOpen(String),
    /// Cut, or never sealed.
    #[error("the value is not a sealed one")]
    NotSealed,
    /// The cipher refused to seal.
    #[error("sealing failed")]
    SealingFailed,
}

impl VaultError {
    /// The key that a value which does not open names.
    pub fn key_id(&self) -> Option<&str> {
        match self {
            Self::UnknownKey(id) | Self::DoesNotOpen(id) => Some(id),
            Self::KeyRing(_) | Self::NotSealed | Self::SealingFailed => None,
        }
    }
}

/// Unguessable bytes.
///
/// # Errors
/// [`VaultError::SealingFailed`] when the machine has no randomness.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| VaultError::SealingFailed)?;
    Ok(bytes)
}

/// SHA-256: what is stored of a value that must be recognised and not be readable.
pub fn fingerprint(value: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value).as_ref().to_vec()
}

/// Whether two secrets are the same, in a time that tells neither where they differ nor how long they are.
pub fn is_same_secret(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(&fingerprint(a.as_bytes()), &fingerprint(b.as_bytes())).is_ok()
}

struct Key {
    id: String,
    key: RandomizedNonceKey,
}

/// The key ring.
pub struct Vault {
    keys: Vec<Key>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Vault {
    /// Reads a ring of the form `id:base64,id:base64`.
    ///
    /// # Errors
    /// [`VaultError::KeyRing`], which never quotes the key.
    pub fn from_ring(ring: &SecretString) -> Result<Self, VaultError> {
        let keys: Vec<Key> = ring.expose_secret().split(',').map(read_key).collect::<Result<_, _>>()?;
        for (n, key) in keys.iter().enumerate() {
            if keys[..n].iter().any(|earlier| earlier.id == key.id) {
                return Err(VaultError::KeyRing("two keys have the same id"));
            }
        }
        Ok(Self { keys })
    }

    /// The ids of the ring's keys; the first one's seals.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals a token for one athlete and purpose.
    ///
    /// # Errors
    /// [`VaultError::SealingFailed`].
    pub fn seal(&self, purpose: Purpose, athlete_id: i64, token: &SecretString) -> Result<Vec<u8>, VaultError> {
        let sealing = self.keys.first().ok_or(VaultError::SealingFailed)?;
        let mut text = token.expose_secret().as_bytes().to_vec();
        let nonce = sealing
            .key
            .seal_in_place_append_tag(Aad::from(associated(purpose, athlete_id)), &mut text)
            .map_err(|_| VaultError::SealingFailed)?;
        let id_bytes = u8::try_from(sealing.id.len()).map_err(|_| VaultError::SealingFailed)?;
        let mut sealed = vec![VERSION, id_bytes];
        sealed.extend_from_slice(sealing.id.as_bytes());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Opens what [`Vault::seal`] made.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] names the missing key, [`VaultError::DoesNotOpen`] the one that does not fit;
    /// [`VaultError::NotSealed`] for what names none.
    pub fn open(&self, purpose: Purpose, athlete_id: i64, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let (id, nonce, text) = split(sealed).ok_or(VaultError::NotSealed)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or_else(|| VaultError::UnknownKey(id.to_owned()))?;
        let does_not_open = || VaultError::DoesNotOpen(id.to_owned());
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| does_not_open())?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = key.key.open_in_place(nonce, Aad::from(associated(purpose, athlete_id)), &mut text).map_err(|_| does_not_open())?;
        std::str::from_utf8(opened).map(SecretString::from).map_err(|_| does_not_open())
    }

    /// Seals anew with the ring's first key what another one sealed; `None` where the first key sealed it. Opened is
    /// either, so that a value which is lost is found while its key may still be.
    ///
    /// # Errors
    /// As [`Vault::open`] and [`Vault::seal`].
    pub fn reseal(&self, purpose: Purpose, athlete_id: i64, sealed: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        let token = self.open(purpose, athlete_id, sealed)?;
        let is_current = split(sealed).is_some_and(|(id, ..)| self.key_ids().next() == Some(id));
        if is_current { Ok(None) } else { self.seal(purpose, athlete_id, &token).map(Some) }
    }
}

fn read_key(entry: &str) -> Result<Key, VaultError> {
    let (id, key) = entry.trim().split_once(':').ok_or(VaultError::KeyRing("an entry is not id:base64"))?;
    if id.is_empty() || id.len() > KEY_ID_BYTES_MAX {
        return Err(VaultError::KeyRing("a key id is empty or longer than 64 bytes"));
    }
    let bytes = Zeroizing::new(BASE64.decode(key).map_err(|_| VaultError::KeyRing("a key is not base64"))?);
    if bytes.len() != KEY_BYTES {
        return Err(VaultError::KeyRing("a key is not 32 bytes long"));
    }
    let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::KeyRing("a key was refused"))?;
    Ok(Key { id: id.to_owned(), key })
}

fn associated(purpose: Purpose, athlete_id: i64) -> Vec<u8> {
    match purpose {
        Purpose::StravaAccessToken => format!("strava-access-token:{athlete_id}"),
        Purpose::StravaRefreshToken => format!("strava-refresh-token:{athlete_id}"),
        Purpose::StravaExchange(ticket_id) => format!("strava-exchange/{ticket_id}:{athlete_id}"),
    }
    .into_bytes()
}

fn split(sealed: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (&version, rest) = sealed.split_first()?;
    let (&id_bytes, rest) = rest.split_first()?;
    let (id, rest) = rest.split_at_checked(usize::from(id_bytes))?;
    let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
    (version == VERSION).then_some((std::str::from_utf8(id).ok()?, nonce, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[(&str, u8)]) -> Vault {
        let text: Vec<_> = ids.iter().map(|(id, byte)| format!("{id}:{}", BASE64.encode([*byte; KEY_BYTES]))).collect();
        Vault::from_ring(&SecretString::from(text.join(","))).unwrap_or_else(|error| panic!("{error}"))
    }

    fn seal(vault: &Vault) -> Vec<u8> {
        vault.seal(Purpose::StravaAccessToken, 7, &SecretString::from("token")).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_token_opens_for_its_athlete_and_purpose_only() {
        let vault = ring(&[("k1", 1)]);
        let sealed = seal(&vault);
        assert!(!sealed.windows(5).any(|w| w == b"token"));
        let opened = vault.open(Purpose::StravaAccessToken, 7, &sealed);
        assert_eq!(opened.ok().map(|t| t.expose_secret().to_owned()).as_deref(), Some("token"));
        for (purpose, athlete_id) in
            [(Purpose::StravaAccessToken, 8), (Purpose::StravaRefreshToken, 7), (Purpose::StravaExchange(Uuid::nil()), 7)]
        {
            let foreign = vault.open(purpose, athlete_id, &sealed);
            assert!(matches!(foreign, Err(VaultError::DoesNotOpen(id)) if id == "k1"), "{purpose:?} {athlete_id}");
        }
    }

    #[test]
    fn an_exchange_opens_for_its_ticket_only() {
        let (vault, ticket) = (ring(&[("k1", 1)]), Uuid::from_bytes([1; 16]));
        let exchange = SecretString::from("exchange");
        let sealed = vault.seal(Purpose::StravaExchange(ticket), 7, &exchange).unwrap_or_else(|error| panic!("{error}"));
        assert!(vault.open(Purpose::StravaExchange(ticket), 7, &sealed).is_ok());
        for (purpose, athlete_id) in [
            (Purpose::StravaExchange(Uuid::nil()), 7),
            (Purpose::StravaExchange(ticket), 8),
            (Purpose::StravaAccessToken, 7),
            (Purpose::StravaRefreshToken, 7),
        ] {
            assert!(vault.open(purpose, athlete_id, &sealed).is_err(), "{purpose:?} {athlete_id}");
        }
    }

    #[test]
    fn resealing_leaves_the_first_keys_values_alone_and_needs_the_old_key() {
        let sealed = seal(&ring(&[("old", 1)]));
        let both = ring(&[("new", 2), ("old", 1)]);
        let resealed = both.reseal(Purpose::StravaAccessToken, 7, &sealed).unwrap_or_default().unwrap_or_default();
        let opened = ring(&[("new", 2)]).open(Purpose::StravaAccessToken, 7, &resealed);
        assert_eq!(opened.ok().map(|t| t.expose_secret().to_owned()).as_deref(), Some("token"));
        assert!(matches!(both.reseal(Purpose::StravaAccessToken, 7, &resealed), Ok(None)));
        let lost = ring(&[("new", 2)]).reseal(Purpose::StravaAccessToken, 7, &sealed).err();
        assert_eq!(lost.as_ref().and_then(VaultError::key_id), Some("old"));
        // Under the right id, and another key all the same.
        let replaced = ring(&[("new", 2), ("old", 3)]).reseal(Purpose::StravaAccessToken, 7, &sealed);
        assert!(matches!(replaced, Err(VaultError::DoesNotOpen(id)) if id == "old"));
    }

    #[test]
    fn a_new_first_key_still_opens_what_the_old_one_sealed() {
        let sealed = seal(&ring(&[("old", 1)]));
        assert!(ring(&[("new", 2), ("old", 1)]).open(Purpose::StravaAccessToken, 7, &sealed).is_ok());
        let lost = ring(&[("new", 2)]).open(Purpose::StravaAccessToken, 7, &sealed);
        assert!(matches!(lost, Err(VaultError::UnknownKey(id)) if id == "old"));
    }

    #[test]
    fn every_altered_or_cut_value_is_refused() {
        let vault = ring(&[("k1", 1)]);
        let sealed = seal(&vault);
        for n in 0..sealed.len() {
            assert!(vault.open(Purpose::StravaAccessToken, 7, &sealed[..n]).is_err(), "cut at {n}");
            let mut altered = sealed.clone();
            altered[n] ^= 1;
            assert!(vault.open(Purpose::StravaAccessToken, 7, &altered).is_err(), "altered at {n}");
        }
    }

    #[test]
    fn a_key_may_lack_its_padding() {
        let padded = format!("k1:{}", BASE64.encode([1; KEY_BYTES]));
        let sealed = seal(&ring(&[("k1", 1)]));
        for text in [padded.as_str(), padded.trim_end_matches('=')] {
            let vault = Vault::from_ring(&SecretString::from(text)).unwrap_or_else(|error| panic!("{error}"));
            assert!(vault.open(Purpose::StravaAccessToken, 7, &sealed).is_ok(), "{text}");
        }
        assert!(padded.ends_with('='));
    }

    #[test]
    fn a_bad_ring_is_named_and_not_quoted() {
        for bad in ["", "k1", ":AAAA", "k1:AAAA", "k1:%%%"] {
            let error = Vault::from_ring(&SecretString::from(bad)).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.starts_with("TOKEN_KEYS: ") && !error.contains("AAAA"), "{bad}: {error}");
        }
    }
}
