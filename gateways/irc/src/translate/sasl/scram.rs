//! SCRAM-SHA-256, the client's side (RFC 5802, RFC 7677), without channel binding.
//!
//! The password never leaves; the server must show that it knows it too. Passwords are prepared as
//! RFC 4013 says, as far as that matters: odd spaces, what is mapped to nothing, NFKC.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use unicode_normalization::UnicodeNormalization;

use super::Why;

/// Fewer rounds protect nothing (RFC 7677 §4); more would hold up everybody else.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=500_000;

/// One exchange.
pub(super) struct Client {
    password: String,
    /// The first message without its header.
    bare: String,
    nonce: String,
    /// What the server must say at the end; empty before the challenge was answered.
    proof: Vec<u8>,
    /// It has said it.
    proven: bool,
}

impl Client {
    /// An exchange for this user; `nonce` is printable ASCII without commas.
    pub(super) fn new(user: &str, password: &str, nonce: String) -> Self {
        let user = prepared(user).replace('=', "=3D").replace(',', "=2C");
        Self {
            password: prepared(password),
            bare: format!("n={user},r={nonce}"),
            nonce,
            proof: Vec::new(),
            proven: false,
        }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to what the server says; empty at the end. An error is in words.
    pub(super) fn answer(&mut self, said: &str) -> Result<String, Why> {
        if self.proof.is_empty() {
            self.last(said)
        } else {
            self.check(said)?;
            self.proven = true;
            Ok(String::new())
        }
    }

    /// The server has shown that it knows the password.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    fn last(&mut self, first: &str) -> Result<String, Why> {
        let mut parts = first.split(',');
        let mut part = |key: &str| parts.next().and_then(|part| part.strip_prefix(key));
        let (Some(nonce), Some(salt), Some(rounds)) = (part("r="), part("s="), part("i=")) else {
            return Err((
                "the server's challenge cannot be read",
                "无法读取服务器的质询",
            ));
        };
        // RFC 5802 §5.1: the server's nonce begins with ours.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err((
                "the server's challenge answers somebody else",
                "服务器的质询并非针对本次登录",
            ));
        }
        let salt = STANDARD
            .decode(salt)
            .map_err(|_| ("the server's salt cannot be read", "无法读取服务器的盐值"))?;
        let rounds = rounds.parse().ok().filter(|rounds| ROUNDS.contains(rounds));
        let Some(rounds) = rounds.and_then(NonZeroU32::new) else {
            return Err((
                "the server asks for too few or too many rounds",
                "服务器要求的迭代次数过少或过多",
            ));
        };
        let mut salted = [0; 32];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(
            algorithm,
            rounds,
            &salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{first},{without_proof}", self.bare);
        let client_key = mac(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &client_key);
        let signature = mac(stored.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server_key = mac(&salted, b"Server Key");
        self.proof = mac(&server_key, signed.as_bytes());
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    fn check(&self, last: &str) -> Result<(), Why> {
        if last.starts_with("e=") {
            return Err(("the server refuses the login", "服务器拒绝登录"));
        }
        let proof = last
            .strip_prefix("v=")
            .and_then(|proof| proof.split(',').next());
        let proof = proof.and_then(|proof| STANDARD.decode(proof).ok());
        if proof.is_some_and(|proof| proof == self.proof) {
            Ok(())
        } else {
            Err((
                "the server does not know the password it was asked to check",
                "服务器不知道它要核对的密码",
            ))
        }
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

/// RFC 4013 §2.1 and §2.2.
fn prepared(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mapped = text.chars().filter_map(|c| match c {
        '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}' => None,
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => None,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Some(' ')
        }
        c => Some(c),
    });
    mapped.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 §3.
    fn client() -> Client {
        Client::new("user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned())
    }
    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const END: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    #[test]
    fn the_exchange_of_the_rfc_is_as_it_stands_there() {
        let mut client = client();
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            client.answer(CHALLENGE).as_deref(),
            Ok(
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
            )
        );
        assert_eq!(client.answer(END).as_deref(), Ok(""));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        for end in ["v=AAAA", "e=invalid-proof", "", "v=", "x"] {
            let mut client = client();
            assert!(client.answer(CHALLENGE).is_ok());
            assert!(client.answer(end).is_err(), "{end}");
        }
    }

    #[test]
    fn challenges_that_are_none_are_refused() {
        for challenge in [
            "",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4000000000",
            "m=new,r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4096",
        ] {
            assert!(client().answer(challenge).is_err(), "{challenge}");
        }
    }

    #[test]
    fn names_and_passwords_are_prepared() {
        let client = Client::new("a=b,c", "x\u{a0}\u{ad}\u{2168}", "n".to_owned());
        assert_eq!(client.first(), "n,,n=a=3Db=2Cc,r=n");
        assert_eq!(client.password, "x IX");
    }
}
