//! Numbers and the localparts that stand for them. Pure.
//!
//! Localparts are those of Cheogram, which clients know: E.164 as it is, short codes and senders
//! that are names with a `phone-context`. National numbers, spaces and `tel:` or `sms:` URIs
//! (RFC 3966, RFC 5724) are understood and answered with the proper localpart.
//!
//! An [`Address`] holds E.164 (`+14169938000`), the name of a sender as it is spelled, or, where
//! neither fits, the localpart itself.

use isthmus_gateway::{Address, AddressFault, Kind, Parsed, words};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

/// Stands between a number and where it is valid (RFC 3966 §5.1.5).
const CONTEXT: &str = ";phone-context=";
/// Where short codes of country code 1 are valid.
const CA_US: &str = "ca-us.phone-context.soprani.ca";
/// Marks a sender that is a name.
const ALPHANUMERIC: &str = "alphanumeric.phone-context.soprani.ca";
/// Marks a withheld number.
const ANONYMOUS: &str = "anonymous.phone-context.soprani.ca";
/// A withheld number.
const WITHHELD: &str = "13";

/// What an address names, beyond its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// E.164, with the plus sign.
    Number(String),
    /// A short code and where it is valid.
    Short {
        /// Its digits.
        code: String,
        /// Where it is valid: `+44` or a domain.
        context: String,
    },
    /// A sender that is a name and cannot receive.
    Name(String),
    /// A withheld number, with its kind (`13` to `18`).
    Withheld(String),
}

impl Peer {
    /// What an address of a contact names.
    pub fn of(address: &Address) -> Self {
        let id = address.id.as_str();
        if is_e164(id) {
            return Self::Number(id.to_owned());
        }
        match id.split_once(CONTEXT) {
            Some((code, ANONYMOUS)) => Self::Withheld(code.to_owned()),
            Some((code, context)) if is_short(code) => Self::Short {
                code: code.to_owned(),
                context: context.to_owned(),
            },
            _ => Self::Name(id.to_owned()),
        }
    }

    /// The address that names it.
    pub fn address(&self) -> Address {
        let id = match self {
            Self::Number(id) | Self::Name(id) => id.clone(),
            Self::Short { code, context } => format!("{code}{CONTEXT}{context}"),
            Self::Withheld(code) => format!("{code}{CONTEXT}{ANONYMOUS}"),
        };
        Address::new(Kind::Contact, id, "")
    }

    /// Whether it cannot receive anything.
    pub fn is_deaf(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Withheld(_))
    }

    /// The name for people, where the localpart shows none.
    pub fn nick(&self) -> &str {
        match self {
            Self::Number(number) => number,
            Self::Short { code, .. } => code,
            Self::Name(name) => name,
            Self::Withheld(_) => "withheld number",
        }
    }
}

/// Reads a localpart or what a person typed. `region` (ISO 3166) is where national numbers and
/// short codes belong to; empty: not known.
pub fn parse(localpart: &str, region: &str) -> Result<Parsed, AddressFault> {
    if localpart.is_empty() {
        return Ok(Parsed::Canonical(Address::new(Kind::Gateway, "", "")));
    }
    let address = if localpart.contains(',') {
        group(localpart, region)?
    } else {
        peer(localpart, region)?.address()
    };
    let canonical = format(&address)?;
    Ok(if canonical == localpart {
        Parsed::Canonical(address)
    } else {
        Parsed::Moved(canonical)
    })
}

/// Writes the localpart of an address.
pub fn format(address: &Address) -> Result<String, AddressFault> {
    if !address.network.is_empty() {
        return Err(AddressFault::new((
            "SMS has one network only",
            "短信只有一个网络",
        )));
    }
    match address.kind {
        Kind::Gateway | Kind::Network => Ok(String::new()),
        Kind::Contact => match Peer::of(address) {
            Peer::Name(name) => encode(&name),
            _ => Ok(address.id.clone()),
        },
        Kind::Group => match group(&address.id, "") {
            Ok(read) if read == *address => Ok(read.id),
            _ => Err(AddressFault::new((
                "a group is its members' numbers with commas between them, in order",
                "群组为其成员号码，依次排列并以逗号分隔",
            ))),
        },
        Kind::Room | Kind::Pattern => Err(AddressFault::new((
            "SMS has no address for this",
            "短信没有此类地址",
        ))),
    }
}

/// The sender of a message as a carrier spells it. `ton` is its type of number (SMPP 3.4 §5.2.5).
pub fn from_carrier(ton: u8, number: &str, region: &str) -> Peer {
    let number = number.trim();
    let digits = number.strip_prefix('+').unwrap_or(number);
    if number.is_empty() {
        return Peer::Withheld(WITHHELD.to_owned());
    }
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain {
        // Anything else cannot be called back; control characters have no place in a name.
        let name: String = number.chars().filter(|c| !c.is_control()).collect();
        return if name.is_empty() {
            Peer::Withheld(WITHHELD.to_owned())
        } else {
            Peer::Name(name)
        };
    }
    if is_short(digits) && !number.starts_with('+') {
        return short(digits, region).unwrap_or_else(|| Peer::Name(digits.to_owned()));
    }
    let international = format!("+{digits}");
    if ton == NATIONAL || (ton == UNKNOWN && !number.starts_with('+')) {
        let as_national = e164(digits, region, true);
        let as_international = e164(&international, "", true);
        let (first, second) = if ton == NATIONAL {
            (as_national, as_international)
        } else {
            (as_international, as_national)
        };
        if let Some(number) = first.or(second) {
            return Peer::Number(number);
        }
    }
    match e164(&international, "", false) {
        Some(number) => Peer::Number(number),
        None if is_e164(&international) => Peer::Number(international),
        None => Peer::Name(number.to_owned()),
    }
}

/// A line as the operator or a user writes it: E.164, or a short code's bare digits.
pub fn line(text: &str, region: &str) -> Option<String> {
    let tidy: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if is_short(&tidy) {
        return Some(tidy);
    }
    e164(&tidy, region, false)
}

/// The region of a line, for the national numbers that reach it; empty: not known.
pub fn region(line: &str) -> String {
    let number = PHONE_NUMBER_UTIL.parse(line, None).ok();
    let country = number.map(|number| number.country_code);
    let region = country.and_then(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code));
    region.map_or_else(String::new, |region| format!("{region:?}"))
}

/// Whether it is E.164 in form.
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// TON 0.
const UNKNOWN: u8 = 0;
/// TON 2.
const NATIONAL: u8 = 2;

fn peer(text: &str, region: &str) -> Result<Peer, AddressFault> {
    let typed = without_scheme(text);
    let typed = plain_digits(typed);
    if let Some((number, context)) = typed.split_once(CONTEXT) {
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let code = || number.to_owned();
        match context {
            ALPHANUMERIC => return decode(number).map(Peer::Name),
            ANONYMOUS if matches!(number, "13" | "14" | "15" | "16" | "17" | "18") => {
                return Ok(Peer::Withheld(code()));
            }
            CA_US if digits && is_short(number) => {
                return Ok(Peer::Short {
                    code: code(),
                    context: CA_US.to_owned(),
                });
            }
            _ if digits && is_short(number) => return short_in(number, context),
            _ => {}
        }
        let full = e164(&format!("tel:{typed}"), region, false);
        return full.map(Peer::Number).ok_or_else(|| not_a_number(text));
    }
    if is_short(&typed) {
        return short(&typed, region).ok_or_else(|| {
            AddressFault::new(words!(
                "{typed} is a short code: of which country? write {typed}{CONTEXT}+44",
                "{typed} 是短号码：属于哪个国家？请写作 {typed}{CONTEXT}+44"
            ))
        });
    }
    let number = e164(&typed, region, false);
    number.map(Peer::Number).ok_or_else(|| not_a_number(text))
}

fn not_a_number(text: &str) -> AddressFault {
    AddressFault::new(words!(
        "{text} is not a phone number: write it with its country code, as in +14169938000",
        "{text} 不是电话号码：请带国家代码书写，例如 +14169938000"
    ))
}

/// Without the scheme of a URI and what may stand behind the number in one.
fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    for scheme in ["tel:", "sms:", "smsto:"] {
        let head = text.get(..scheme.len());
        if head.is_some_and(|head| head.eq_ignore_ascii_case(scheme)) {
            let rest = text[scheme.len()..].trim_start_matches('/');
            return rest.split('?').next().unwrap_or(rest);
        }
    }
    text
}

/// Digits of all scripts as ASCII, and other forms of the plus sign as that.
fn plain_digits(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{ff0b}' => '+',
        '\u{660}'..='\u{669}' => digit(c, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(c, 0x6f0),
        '\u{966}'..='\u{96f}' => digit(c, 0x966),
        '\u{9e6}'..='\u{9ef}' => digit(c, 0x9e6),
        '\u{ff10}'..='\u{ff19}' => digit(c, 0xff10),
        c => c,
    };
    text.chars().map(plain).collect()
}

fn digit(c: char, zero: u32) -> char {
    char::from_digit(u32::from(c).saturating_sub(zero), 10).unwrap_or(c)
}

/// A short code has three to six digits, and eight in no country that has numbers as short.
fn is_short(digits: &str) -> bool {
    (3..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A short code of a region, where that is known.
fn short(code: &str, region: &str) -> Option<Peer> {
    let region = region.to_ascii_uppercase().parse::<Region>().ok()?;
    let country = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
    Some(Peer::Short {
        code: code.to_owned(),
        context: context(country),
    })
}

fn short_in(code: &str, context: &str) -> Result<Peer, AddressFault> {
    let country = context.strip_prefix('+').and_then(|digits| {
        let digits = digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then_some(digits)?;
        digits.parse::<i32>().ok()
    });
    match country {
        Some(country @ 1..=999) => Ok(Peer::Short {
            code: code.to_owned(),
            context: self::context(country),
        }),
        _ => Err(AddressFault::new(words!(
            "there is no country code {context}",
            "没有国家代码 {context}"
        ))),
    }
}

fn context(country: i32) -> String {
    match country {
        1 => CA_US.to_owned(),
        country => format!("+{country}"),
    }
}

/// A number as E.164. `strict`: only if the numbering plan of its country has it.
fn e164(text: &str, region: &str, strict: bool) -> Option<String> {
    let region = region.to_ascii_uppercase().parse::<Region>().ok();
    let number = PHONE_NUMBER_UTIL.parse(text, region).ok()?;
    let valid = PHONE_NUMBER_UTIL.is_valid_number(&number);
    if !valid && (strict || !PHONE_NUMBER_UTIL.is_possible_number(&number)) {
        return None;
    }
    let written = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
    // A trunk prefix behind the country code is dropped, which only makes sense if the rest is a
    // number.
    if !valid && is_e164(text) && written != text {
        return Some(text.to_owned());
    }
    // Some numbers of no plan change again when they are read again: those are none.
    let same = written == text || e164(&written, "", strict).as_deref() == Some(&*written);
    (same && is_e164(&written)).then(|| written.into_owned())
}

fn group(text: &str, region: &str) -> Result<Address, AddressFault> {
    let mut numbers = Vec::new();
    for member in text.split(',') {
        match peer(member, region)? {
            Peer::Number(number) => numbers.push(number),
            _ => return Err(not_a_number(member)),
        }
    }
    numbers.sort();
    numbers.dedup();
    match &numbers[..] {
        [one] => Ok(Address::new(Kind::Contact, one.clone(), "")),
        _ => Ok(Address::new(Kind::Group, numbers.join(","), "")),
    }
}

/// A name as Cheogram writes it: of every character its number less 30, in decimal digits. A
/// character beyond four of them, which none of GSM's is, could not be read back: it becomes `?`.
fn encode(name: &str) -> Result<String, AddressFault> {
    let mut digits = String::new();
    for c in name.chars() {
        let code = u32::from(c).checked_sub(SHIFT).filter(|_| !c.is_control());
        let code = code.ok_or_else(|| {
            AddressFault::new((
                "a sender's name holds no controls",
                "发送者名称不得含有控制字符",
            ))
        })?;
        let code = if code > HIGHEST { QUESTION } else { code };
        digits += &code.to_string();
    }
    if digits.is_empty() {
        return Err(AddressFault::new((
            "a sender's name is missing",
            "缺少发送者名称",
        )));
    }
    Ok(format!("{digits}{CONTEXT}{ALPHANUMERIC}"))
}

const SHIFT: u32 = 30;
/// What four digits hold.
const HIGHEST: u32 = 9999;
const QUESTION: u32 = '?' as u32 - SHIFT;

/// Reads such a name. The digits can be cut in several ways: the likeliest is one of letters and
/// digits, then spaces, then other ASCII.
fn decode(digits: &str) -> Result<String, AddressFault> {
    let fault = || AddressFault::new(("the sender's name cannot be read", "无法读取发送者名称"));
    if digits.is_empty() || digits.len() > 128 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fault());
    }
    // best[at]: the cost of reading what follows, and the first character of that.
    let mut best: Vec<Option<(u32, char, usize)>> = vec![None; digits.len() + 1];
    best[digits.len()] = Some((0, ' ', 0));
    for at in (0..digits.len()).rev() {
        for length in 1..=4.min(digits.len() - at) {
            let piece = &digits[at..at + length];
            let Some((rest, _, _)) = best[at + length] else {
                continue;
            };
            let Some((c, cost)) = character(piece) else {
                continue;
            };
            if best[at].is_none_or(|(known, _, _)| rest + cost < known) {
                best[at] = Some((rest + cost, c, length));
            }
        }
    }
    let mut name = String::new();
    let mut at = 0;
    while at < digits.len() {
        let (_, c, length) = best[at].ok_or_else(fault)?;
        name.push(c);
        at += length;
    }
    Ok(name)
}

/// One character of a name and how unlikely it is.
fn character(piece: &str) -> Option<(char, u32)> {
    if piece.starts_with('0') {
        return None;
    }
    let code: u32 = piece.parse().ok().filter(|&code| code >= 2)?;
    let c = char::from_u32(code + SHIFT).filter(|c| !c.is_control())?;
    let cost = match c {
        c if c.is_ascii_alphanumeric() => 0,
        ' ' | '-' | '_' | '.' | '&' => 1,
        c if c.is_ascii() => 2,
        _ => 8,
    };
    Some((c, cost))
}

#[cfg(test)]
mod tests;
