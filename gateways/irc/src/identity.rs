//! Client certificates: one for each user and network that asked for one (CertFP, SASL EXTERNAL).
//!
//! Made here, self-signed, and kept sealed under a key of the deployment: who reads the store
//! without that key can pass for nobody.

use std::sync::{Arc, OnceLock};

use isthmus_gateway::{Fault, FaultKind, Refusal, Uplink, UserId};
use isthmus_kit::Identity;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// Where certificates are kept.
#[derive(Default)]
pub(crate) struct Vault {
    up: OnceLock<Arc<dyn Uplink>>,
}

impl Vault {
    /// From now on there is somewhere to keep them.
    pub(crate) fn attach(&self, up: Arc<dyn Uplink>) {
        let _ = self.up.set(up);
    }

    /// The certificate of a user for a network.
    pub(crate) async fn find(
        &self,
        user: UserId,
        network: &str,
    ) -> Result<Option<Identity>, Fault> {
        let Some(up) = self.up.get() else {
            return Ok(None);
        };
        let name = name(user, network);
        let kept = up.kept(&name).await.map_err(|refusal| refused(&refusal))?;
        Ok(kept.and_then(|sealed| open(&**up, &name, sealed)))
    }

    /// Makes a certificate and keeps it in the place of one there may be.
    pub(crate) async fn make(&self, user: UserId, network: &str) -> Result<Identity, Fault> {
        let Some(up) = self.up.get() else {
            return Err(internal((
                "there is nowhere to keep a certificate",
                "没有可保存证书的地方",
            )));
        };
        let identity = generate()
            .map_err(|_| internal(("a certificate could not be made", "无法生成证书")))?;
        let name = name(user, network);
        let sealed = seal(&**up, &name, &identity)
            .ok_or_else(|| internal(("a certificate could not be sealed", "无法加密保存证书")))?;
        let kept = up.keep(&name, Some(sealed)).await;
        kept.map_err(|refusal| refused(&refusal))?;
        Ok(identity)
    }

    /// Forgets the certificate.
    pub(crate) async fn forget(&self, user: UserId, network: &str) -> Result<(), Fault> {
        let Some(up) = self.up.get() else {
            return Ok(());
        };
        let kept = up.keep(&name(user, network), None).await;
        kept.map_err(|refusal| refused(&refusal))
    }
}

/// A fingerprint as services of networks take it: lower-case hexadecimal.
pub(crate) fn shown(identity: &Identity) -> String {
    hex::encode(identity.fingerprint())
}

fn name(user: UserId, network: &str) -> String {
    format!("certificate {} {}", user.0, network.to_ascii_lowercase())
}

/// A self-signed certificate (ECDSA P-256) that names nobody: it is known by its digest.
fn generate() -> Result<Identity, rcgen::Error> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "irc");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    // RFC 5280 §4.1.2.5 knows a date for "no end".
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key)?;
    Ok(Identity {
        certificate: certificate.der().to_vec(),
        key: key.serialize_der(),
    })
}

fn key(up: &dyn Uplink) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &up.secret("irc certificates")).ok()?;
    Some(LessSafeKey::new(key))
}

/// Nonce, then the sealed length of the certificate, certificate and key; bound to the name.
fn seal(up: &dyn Uplink, name: &str, identity: &Identity) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let length = u32::try_from(identity.certificate.len()).ok()?;
    let mut sealed = length.to_be_bytes().to_vec();
    sealed.extend_from_slice(&identity.certificate);
    sealed.extend_from_slice(&identity.key);
    let unique = Nonce::assume_unique_for_key(nonce);
    key(up)?
        .seal_in_place_append_tag(unique, Aad::from(name.as_bytes()), &mut sealed)
        .ok()?;
    sealed.splice(..0, nonce);
    Some(sealed)
}

fn open(up: &dyn Uplink, name: &str, mut sealed: Vec<u8>) -> Option<Identity> {
    let nonce = Nonce::try_assume_unique_for_key(sealed.get(..NONCE_LEN)?).ok()?;
    let opened = key(up)?
        .open_in_place(nonce, Aad::from(name.as_bytes()), &mut sealed[NONCE_LEN..])
        .inspect_err(|_| tracing::error!("a sealed certificate cannot be opened"))
        .ok()?;
    let (length, rest) = opened.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (certificate, key) = rest.split_at_checked(length)?;
    Some(Identity {
        certificate: certificate.to_vec(),
        key: key.to_vec(),
    })
}

fn refused(refusal: &Refusal) -> Fault {
    match refusal {
        Refusal::Unknown => internal(("there is no such thing", "没有这样的内容")),
        Refusal::Unwanted(words) | Refusal::Later(words) => {
            Fault::new(FaultKind::Internal, &**words)
        }
    }
}

fn internal(words: (&'static str, &'static str)) -> Fault {
    Fault::new(FaultKind::Internal, words)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::Shelf;

    #[tokio::test]
    async fn a_certificate_is_kept_sealed_for_one_user_and_network() {
        let shelf = Arc::new(Shelf::default());
        let vault = Vault::default();
        vault.attach(Arc::clone(&shelf) as _);
        let user = UserId(7);
        assert_eq!(vault.find(user, "net").await, Ok(None));
        let made = vault.make(user, "Net").await.expect("made");
        assert_eq!(vault.find(user, "net").await, Ok(Some(made.clone())));
        assert_eq!(vault.find(user, "other").await, Ok(None));
        assert_eq!(vault.find(UserId(8), "net").await, Ok(None));
        let kept = shelf.value("certificate 7 net").expect("kept");
        let holds = |part: &[u8]| kept.windows(part.len()).any(|window| window == part);
        assert!(!holds(&made.key) && !holds(&made.certificate));
        // What is sealed for one user opens for no other.
        shelf.put("certificate 8 net", kept);
        assert_eq!(vault.find(UserId(8), "net").await, Ok(None));
        let again = vault.make(user, "net").await.expect("made");
        assert_ne!(again.fingerprint(), made.fingerprint());
        assert_eq!(shown(&again).len(), 64);
        vault.forget(user, "net").await.expect("forgotten");
        assert_eq!(vault.find(user, "net").await, Ok(None));
    }

    #[tokio::test]
    async fn a_damaged_certificate_is_none() {
        let shelf = Arc::new(Shelf::default());
        let vault = Vault::default();
        vault.attach(Arc::clone(&shelf) as _);
        for damaged in [vec![], vec![0; 11], vec![0; 12], vec![0; 100]] {
            shelf.put("certificate 7 net", damaged);
            assert_eq!(vault.find(UserId(7), "net").await, Ok(None));
        }
    }
}
