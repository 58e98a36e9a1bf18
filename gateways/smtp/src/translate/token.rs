//! Tokens that tie a bounce to the job it is about, without a table.
//!
//! A token holds job, recipient and user, sealed with a key of the deployment: whoever sees one
//! learns nothing from it and cannot make another. The same job always makes the same token, so a
//! mail that is sent again bears the same Message-ID and receivers can tell. The seal is
//! deterministic (a synthetic nonce in the manner of RFC 5297, with HMAC-SHA-256). A token expires
//! when the host forgets the job.

use isthmus_gateway::{JobId, UserId};
use ring::hmac;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The job.
    pub job: JobId,
    /// The recipient, from 0.
    pub to: u16,
    /// Whose job it is.
    pub user: UserId,
}

/// Makes and reads tokens.
pub struct Sealer {
    name: hmac::Key,
    mask: hmac::Key,
}

const BODY: usize = 18;
const NAME: usize = 10;
/// What stands before the token of an envelope sender.
const ENVELOPE: &str = "b+";

impl Sealer {
    /// A sealer that is the same for the same `secret`.
    pub fn new(secret: &[u8; 32]) -> Self {
        let whole = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let part =
            |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&whole, label).as_ref());
        Self {
            name: part(b"name"),
            mask: part(b"mask"),
        }
    }

    /// The token in 45 letters and digits, fit for either side of a mail address.
    pub fn seal(&self, token: &Token) -> String {
        let mut body = [0; BODY];
        body[..8].copy_from_slice(&token.job.0.to_be_bytes());
        body[8..10].copy_from_slice(&token.to.to_be_bytes());
        body[10..].copy_from_slice(&token.user.0.to_be_bytes());
        let mut sealed = Vec::with_capacity(NAME + BODY);
        sealed.extend_from_slice(&hmac::sign(&self.name, &body).as_ref()[..NAME]);
        let mask = hmac::sign(&self.mask, &sealed);
        sealed.extend(
            body.iter()
                .zip(mask.as_ref())
                .map(|(byte, mask)| byte ^ mask),
        );
        to_base32(&sealed)
    }

    /// What a token says; nothing if it is not one of ours. Letter case does not matter.
    pub fn open(&self, text: &str) -> Option<Token> {
        let sealed = from_base32(text)?;
        let (name, masked) = sealed.split_at_checked(NAME)?;
        let mask = hmac::sign(&self.mask, name);
        let body: Vec<u8> = masked
            .iter()
            .zip(mask.as_ref())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let body: [u8; BODY] = body.try_into().ok()?;
        // Both are of public length, and one try costs a whole SMTP transaction.
        if &hmac::sign(&self.name, &body).as_ref()[..NAME] != name {
            return None;
        }
        let number = |at: usize| -> [u8; 8] { std::array::from_fn(|i| body[at + i]) };
        Some(Token {
            job: JobId(u64::from_be_bytes(number(0))),
            to: u16::from_be_bytes([body[8], body[9]]),
            user: UserId(i64::from_be_bytes(number(10))),
        })
    }

    /// The local part of the envelope sender.
    pub fn envelope(&self, token: &Token) -> String {
        format!("{ENVELOPE}{}", self.seal(token))
    }

    /// The token in an envelope's local part: `None` where it does not look like one, else
    /// whether it is ours.
    pub fn from_envelope(&self, local: &str) -> Option<Option<Token>> {
        let (prefix, rest) = local.split_at_checked(ENVELOPE.len())?;
        prefix
            .eq_ignore_ascii_case(ENVELOPE)
            .then(|| self.open(rest))
    }

    /// The Message-ID of a job's copy, without angle brackets.
    pub fn message_id(&self, token: &Token, domain: &str) -> String {
        format!("{}.{}@{domain}", self.seal(token), token.to)
    }

    /// The token in a Message-ID of ours.
    pub fn from_message_id(&self, id: &str, domain: &str) -> Option<Token> {
        let (local, host) = id.rsplit_once('@')?;
        let (sealed, to) = local.rsplit_once('.')?;
        let token = self.open(sealed)?;
        (host.eq_ignore_ascii_case(domain) && to == token.to.to_string()).then_some(token)
    }
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// RFC 4648 §6 without padding, in lower case.
fn to_base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0u32, 0);
    for &byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(held << (5 - bits)) as usize & 31]));
    }
    out
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET
            .iter()
            .position(|&it| it == letter.to_ascii_lowercase())?;
        held = (held << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 255).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: Token = Token {
        job: JobId(7),
        to: 1,
        user: UserId(42),
    };

    #[test]
    fn only_the_one_who_sealed_a_token_opens_it() {
        let (ours, other) = (Sealer::new(&[1; 32]), Sealer::new(&[2; 32]));
        let local = ours.envelope(&TOKEN);
        assert!(local.len() <= 64, "{local}");
        assert_eq!(ours.from_envelope(&local.to_uppercase()), Some(Some(TOKEN)));
        assert_eq!(other.from_envelope(&local), Some(None));
        assert_eq!(ours.from_envelope("b+"), Some(None));
        assert_eq!(ours.from_envelope("juliet=capulet.example"), None);
    }

    #[test]
    fn a_message_id_is_ours_with_its_own_number_and_domain_only() {
        let sealer = Sealer::new(&[1; 32]);
        let id = sealer.message_id(&TOKEN, "mail.example.org");
        assert_eq!(sealer.from_message_id(&id, "mail.example.org"), Some(TOKEN));
        assert_eq!(sealer.from_message_id(&id, "peer.example"), None);
        assert_eq!(
            sealer.from_message_id(&id.replace(".1@", ".2@"), "mail.example.org"),
            None
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_what_is_changed_is_not(
            job in any::<u64>(),
            to in any::<u16>(),
            user in any::<i64>(),
            at in 0usize..44,
            by in 1u8..32,
        ) {
            let sealer = Sealer::new(&[3; 32]);
            let token = Token { job: JobId(job), to, user: UserId(user) };
            let sealed = sealer.seal(&token);
            prop_assert_eq!(sealer.open(&sealed), Some(token));
            let mut changed = sealed.into_bytes();
            let was = ALPHABET.iter().position(|it| *it == changed[at]).expect("our own output");
            changed[at] = ALPHABET[(was + usize::from(by)) % 32];
            prop_assert_eq!(sealer.open(std::str::from_utf8(&changed).expect("ASCII")), None);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,80}") {
            prop_assert_eq!(Sealer::new(&[3; 32]).open(&text), None);
        }
    }
}
