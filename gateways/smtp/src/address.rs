//! Mail addresses and the localparts that stand for them, and the mail addresses of users. Pure.
//!
//! A contact's localpart is the whole address, which the host escapes (XEP-0106):
//! `alice@peer.example`. A user's mailbox at the gateway's domain is `name=server`, with everything
//! but `[a-z0-9._-]` of the name written `=hh`: two widespread mail servers refuse `%` there.
//! Not here: aliases, so a name that makes more than 64 octets has no mailbox.

use isthmus_gateway::{Address, AddressFault, Handle, Kind, Parsed, Words, words};

/// Longest local part (RFC 5321 §4.5.3.1.1), in octets.
const LONGEST_LOCAL: usize = 64;
/// Longest domain (RFC 5321 §4.5.3.1.2), in octets.
const LONGEST_DOMAIN: usize = 253;

/// Reads an unescaped localpart.
pub fn parse(localpart: &str) -> Result<Parsed, AddressFault> {
    if localpart.is_empty() {
        return Ok(Parsed::Canonical(Address::new(Kind::Gateway, "", "")));
    }
    // What people paste where an address is asked for.
    let input = localpart.trim();
    let input = input.strip_prefix("mailto:").unwrap_or(input);
    let (local, domain) = match input.rsplit_once('@').or_else(|| input.rsplit_once('%')) {
        Some(halves) => halves,
        None => {
            return Err(AddressFault::new(no_mail_address(localpart)));
        }
    };
    let canonical = join(local, domain)?;
    if canonical == localpart {
        Ok(Parsed::Canonical(Address::new(
            Kind::Contact,
            canonical,
            "",
        )))
    } else {
        Ok(Parsed::Moved(canonical))
    }
}

/// Writes the unescaped localpart of an address.
pub fn format(address: &Address) -> Result<String, AddressFault> {
    if !address.network.is_empty() {
        return Err(AddressFault::new((
            "mail has one network only",
            "邮件只有一个网络",
        )));
    }
    match address.kind {
        Kind::Gateway | Kind::Network => Ok(String::new()),
        Kind::Contact => {
            let canonical = canonical(&address.id)?;
            if canonical == address.id {
                Ok(canonical)
            } else {
                let id = &address.id;
                let words = words!(
                    "{id} should be written {canonical}",
                    "{id} 应写作 {canonical}"
                );
                Err(AddressFault::new(words))
            }
        }
        Kind::Room | Kind::Group | Kind::Pattern => Err(AddressFault::new((
            "mail has no address for this",
            "邮件没有此类地址",
        ))),
    }
}

/// The spelling of a mail address by which a contact is known: all lower case, since localparts
/// are (RFC 7622 §3.3), with the domain as Unicode.
pub fn canonical(mail: &str) -> Result<String, AddressFault> {
    match mail.rsplit_once('@') {
        Some((local, domain)) => join(local, domain),
        None => Err(AddressFault::new(no_mail_address(mail))),
    }
}

/// A mail address as it goes over the wire: local part as spelled, domain as A-labels.
pub fn wire(mail: &str) -> Result<(String, String), AddressFault> {
    let (local, domain) = mail
        .rsplit_once('@')
        .ok_or_else(|| AddressFault::new(no_mail_address(mail)))?;
    check_local(local)?;
    Ok((local.to_owned(), a_label(domain)?))
}

/// The local part of a user's mailbox at the gateway's domain.
pub fn mailbox(local: &str, domain: &str) -> Result<String, AddressFault> {
    if local.is_empty() {
        return Err(AddressFault::new((
            "an account without a name has no mailbox",
            "没有名称的账号没有邮箱",
        )));
    }
    let mut out = String::with_capacity(LONGEST_LOCAL);
    let last = local.len() - 1;
    for (at, byte) in local.bytes().enumerate() {
        // RFC 5321 §4.1.2: a dot stands between atoms only. A leading hyphen is taken for an
        // option by some delivery programs and refused for that.
        let plain = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => true,
            b'-' => at > 0,
            b'.' => at > 0 && at < last && !out.ends_with('.'),
            _ => false,
        };
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02x}"));
        }
    }
    out.push('=');
    out.push_str(&a_label(domain)?);
    if out.len() > LONGEST_LOCAL {
        let words = words!(
            "{local}@{domain} is too long for a mailbox here",
            "{local}@{domain} 过长，此处没有对应的邮箱"
        );
        return Err(AddressFault::new(words));
    }
    Ok(out)
}

/// Whose mailbox a local part at the gateway's domain is: `name=server`, `name%server`,
/// `"name@server"` or an alias.
pub fn handle(local: &str) -> Option<Handle> {
    if let Some(quoted) = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        let (name, domain) = quoted.rsplit_once('@')?;
        return jid(name.to_owned(), domain);
    }
    if let Some((name, domain)) = local.rsplit_once('=') {
        return jid(unescape(name)?, domain);
    }
    if let Some((name, domain)) = local.rsplit_once('%') {
        return jid(name.to_owned(), domain);
    }
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!local.is_empty() && local.chars().all(good)).then(|| Handle::Alias(local.to_lowercase()))
}

fn jid(local: String, domain: &str) -> Option<Handle> {
    let domain = u_label(&a_label(domain).ok()?);
    let local = local.to_lowercase();
    let bad = |c: char| c.is_control() || c.is_whitespace();
    (!local.is_empty() && !local.contains(bad)).then_some(Handle::Jid { local, domain })
}

/// Undoes `=hh`.
fn unescape(name: &str) -> Option<String> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'=' {
            out.push(byte.to_ascii_lowercase());
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let mut one = [0];
        hex::decode_to_slice(digits, &mut one).ok()?;
        out.push(one[0]);
        rest = tail;
    }
    String::from_utf8(out).ok()
}

/// Words for what is no mail address.
pub(crate) fn no_mail_address(what: &str) -> Words {
    words!("{what} is not a mail address", "{what} 不是邮件地址")
}

fn join(local: &str, domain: &str) -> Result<String, AddressFault> {
    check_local(local)?;
    let domain = u_label(&a_label(domain)?);
    Ok(format!("{}@{domain}", local.to_lowercase()))
}

/// RFC 5321 §4.1.2 with RFC 6531 §3.3: a dot-string of atoms, or a quoted string.
fn check_local(local: &str) -> Result<(), AddressFault> {
    let atext = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
    };
    let dots = || {
        local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(atext))
    };
    let quoted = || {
        let inner = local
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        inner.is_some_and(|inner| !inner.contains(['"', '\\']) && !inner.contains(char::is_control))
    };
    if !local.is_empty() && local.len() <= LONGEST_LOCAL && (dots() || quoted()) {
        Ok(())
    } else {
        Err(AddressFault::new(words!(
            "{local} cannot stand before the @ of a mail address",
            "邮件地址的 @ 之前不能是 {local}"
        )))
    }
}

fn a_label(domain: &str) -> Result<String, AddressFault> {
    let fault = || {
        AddressFault::new(words!(
            "{domain} is not the name of a mail server",
            "{domain} 不是邮件服务器的名称"
        ))
    };
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| fault())?;
    let good = ascii.len() <= LONGEST_DOMAIN
        && !ascii.is_empty()
        && !ascii.ends_with('.')
        && ascii.parse::<std::net::Ipv4Addr>().is_err();
    if good { Ok(ascii) } else { Err(fault()) }
}

fn u_label(ascii: &str) -> String {
    let (unicode, result) = idna::domain_to_unicode(ascii);
    match result {
        Ok(()) => unicode,
        Err(_) => ascii.to_owned(),
    }
}

/// Whether a mail address says of itself that nobody reads what is sent to it.
pub fn is_deaf(mail: &str) -> bool {
    let local = mail.rsplit_once('@').map_or(mail, |(local, _)| local);
    let words = local.split('+').next().unwrap_or_default().to_lowercase();
    let words = words.replace(['-', '_', '.'], "");
    matches!(words.as_str(), "noreply" | "donotreply" | "mailerdaemon")
}

/// The domain of a mail address, in lower case and as A-labels.
pub fn domain(mail: &str) -> Option<String> {
    a_label(mail.rsplit_once('@')?.1).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(local: &str, domain: &str) -> Handle {
        Handle::Jid {
            local: local.to_owned(),
            domain: domain.to_owned(),
        }
    }

    #[test]
    fn an_address_that_says_so_is_read_by_nobody() {
        for mail in [
            "noreply@peer.example",
            "no-reply+token@peer.example",
            "Do_Not.Reply@peer.example",
            "mailer-daemon@peer.example",
        ] {
            assert!(is_deaf(mail), "{mail}");
        }
        for mail in ["noreplies@peer.example", "alice@noreply.example"] {
            assert!(!is_deaf(mail), "{mail}");
        }
    }

    #[test]
    fn an_address_is_its_own_localpart_and_other_spellings_have_moved() {
        let alice = Parsed::Canonical(Address::new(Kind::Contact, "alice@peer.example", ""));
        assert_eq!(parse("alice@peer.example"), Ok(alice));
        for other in [
            "alice%peer.example",
            "Alice@Peer.Example",
            " alice@peer.example ",
            "mailto:alice@peer.example",
        ] {
            assert_eq!(
                parse(other),
                Ok(Parsed::Moved("alice@peer.example".into())),
                "{other}"
            );
        }
        let tagged = parse("a.b+tag@xn--bcher-kva.example");
        assert_eq!(tagged, Ok(Parsed::Moved("a.b+tag@bücher.example".into())));
        for bad in [
            "alice",
            "@peer.example",
            "alice@",
            "a b@peer.example",
            "a..b@peer.example",
            "a@b@peer.example",
            "a@192.0.2.1",
            "a@[::1]",
            "a\r\nb@peer.example",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_user_has_a_mailbox_that_mail_servers_accept() {
        for (local, domain, mailbox) in [
            ("juliet", "capulet.example", "juliet=capulet.example"),
            ("a&b", "c.example", "a=26b=c.example"),
            (".a..b.", "c.example", "=2ea.=2eb=2e=c.example"),
            ("-f", "c.example", "=2df=c.example"),
            ("é", "bücher.example", "=c3=a9=xn--bcher-kva.example"),
        ] {
            assert_eq!(super::mailbox(local, domain).as_deref(), Ok(mailbox));
            assert_eq!(handle(mailbox), Some(user(local, domain)));
        }
        assert!(super::mailbox(&"x".repeat(60), "capulet.example").is_err());
        assert!(super::mailbox("juliet", "[::1]").is_err());
    }

    #[test]
    fn several_spellings_reach_a_user() {
        for local in [
            "juliet=capulet.example",
            "Juliet=Capulet.Example",
            "juliet%capulet.example",
            "\"juliet@capulet.example\"",
        ] {
            assert_eq!(
                handle(local),
                Some(user("juliet", "capulet.example")),
                "{local}"
            );
        }
        assert_eq!(handle("Juliet"), Some(Handle::Alias("juliet".into())));
        for nobody in [
            "",
            "a=b c",
            "=c.example",
            "a=2=c.example",
            "a=zz=c.example",
            "a=00=c.example",
            "=ff=c.example",
            "a!b",
            "\"x\"",
        ] {
            assert_eq!(handle(nobody), None, "{nobody}");
        }
    }

    proptest! {
        #[test]
        fn an_address_that_is_read_is_written_the_same(
            localpart in "\\PC{1,12}[@%][a-zA-Z0-9.é-]{1,16}"
        ) {
            match parse(&localpart) {
                Ok(Parsed::Canonical(address)) => prop_assert_eq!(format(&address), Ok(localpart)),
                Ok(Parsed::Moved(right)) => {
                    let again = parse(&right);
                    prop_assert!(matches!(again, Ok(Parsed::Canonical(_))), "{right}: {again:?}");
                }
                Err(_) => {}
            }
        }

        #[test]
        fn a_mailbox_finds_its_user(
            local in "[^\\p{Lu}\\p{Lt}\\s\\p{C}@/]{1,14}",
            domain in "[a-z][a-z0-9]{0,8}\\.example",
        ) {
            prop_assume!(local.to_lowercase() == local);
            if let Ok(mailbox) = mailbox(&local, &domain) {
                prop_assert!(check_local(&mailbox).is_ok());
                prop_assert_eq!(handle(&mailbox), Some(user(&local, &domain)));
            }
        }
    }
}
