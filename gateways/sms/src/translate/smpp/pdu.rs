//! PDUs: reading leniently, writing strictly (SMPP 3.4 §4, §5).
//!
//! Reading never fails: a field that is cut short ends where the bytes end, text may hold any
//! byte (read as Latin-1) and be longer than the specification allows, and what stands behind the
//! last field is dropped.

use super::{command, tag};

/// Length of a header.
pub const HEADER: usize = 16;

/// An optional parameter, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlv {
    /// Its tag.
    pub tag: u16,
    /// Its value.
    pub value: Vec<u8>,
}

/// A short message: the fields of `submit_sm`, `deliver_sm` and, where it has them, `data_sm`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sm {
    /// Type of number, numbering plan, number.
    pub source: Party,
    /// Likewise.
    pub destination: Party,
    /// Mode, type and features (§5.2.12).
    pub esm_class: u8,
    /// Which receipts are wanted (§5.2.17).
    pub registered_delivery: u8,
    /// How the text is encoded (§5.2.19).
    pub data_coding: u8,
    /// The text, user data header included.
    pub short_message: Vec<u8>,
    /// Optional parameters, in order, unknown ones too.
    pub tlvs: Vec<Tlv>,
}

/// One end of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Type of number (§5.2.5).
    pub ton: u8,
    /// Numbering plan (§5.2.6).
    pub npi: u8,
    /// The number, byte by byte as Latin-1.
    pub number: String,
}

/// What a PDU holds behind its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `bind_transceiver`.
    Bind {
        /// Who we are.
        system_id: String,
        /// How we prove it.
        password: String,
        /// What kind of system we are, where the carrier asks for it.
        system_type: String,
    },
    /// `bind_transceiver_resp`: who the carrier is.
    BindResp(String),
    /// `submit_sm`.
    Submit(Box<Sm>),
    /// `submit_sm_resp`: the carrier's id; empty where it tells none.
    SubmitResp(String),
    /// `deliver_sm` or `data_sm`.
    Deliver(Box<Sm>),
    /// `deliver_sm_resp` or `data_sm_resp`.
    DeliverResp,
    /// No body, or one that means nothing to us.
    Other,
}

/// One PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// The command id (§5.1.2.1).
    pub command: u32,
    /// The status (§5.1.3); 0 in requests.
    pub status: u32,
    /// The sequence number.
    pub sequence: u32,
    /// What follows the header.
    pub body: Body,
}

impl Sm {
    /// The first optional parameter with this tag.
    pub fn tlv(&self, tag: u16) -> Option<&[u8]> {
        let found = self.tlvs.iter().find(|tlv| tlv.tag == tag);
        found.map(|tlv| tlv.value.as_slice())
    }

    /// The text: `short_message`, or `message_payload` where that is empty.
    pub fn payload(&self) -> &[u8] {
        match self.tlv(tag::MESSAGE_PAYLOAD) {
            Some(payload) if self.short_message.is_empty() => payload,
            _ => &self.short_message,
        }
    }
}

impl Pdu {
    /// A PDU without a body.
    pub fn empty(command: u32, status: u32, sequence: u32) -> Self {
        Self {
            command,
            status,
            sequence,
            body: Body::Other,
        }
    }

    /// Reads a whole PDU. Bytes that are not there count as zero.
    pub fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
            bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        let command = word(4);
        let mut fields = Fields(bytes.get(HEADER..).unwrap_or_default());
        let body = match command {
            command::BIND_TRANSCEIVER => Body::Bind {
                system_id: fields.text(),
                password: fields.text(),
                system_type: fields.text(),
            },
            c if c == command::RESPONSE | command::BIND_TRANSCEIVER => {
                Body::BindResp(fields.text())
            }
            command::SUBMIT_SM => Body::Submit(Box::new(fields.sm())),
            c if c == command::RESPONSE | command::SUBMIT_SM => Body::SubmitResp(fields.text()),
            command::DELIVER_SM => Body::Deliver(Box::new(fields.sm())),
            command::DATA_SM => Body::Deliver(Box::new(fields.data_sm())),
            c if c == command::RESPONSE | command::DELIVER_SM => Body::DeliverResp,
            c if c == command::RESPONSE | command::DATA_SM => Body::DeliverResp,
            _ => Body::Other,
        };
        Self {
            command,
            status: word(8),
            sequence: word(12),
            body,
        }
    }

    /// Writes it behind what `to` holds.
    pub fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend([0; 4]);
        for word in [self.command, self.status, self.sequence] {
            to.extend(word.to_be_bytes());
        }
        match &self.body {
            Body::Bind {
                system_id,
                password,
                system_type,
            } => {
                put_text(to, system_id, 15);
                put_text(to, password, 8.max(password.len()));
                put_text(to, system_type, 12);
                // Interface version 3.4, no address type, any address (§4.1.5).
                to.extend([0x34, 0, 0, 0]);
            }
            Body::BindResp(text) => put_text(to, text, 15),
            Body::SubmitResp(text) => put_text(to, text, 64),
            Body::Submit(sm) | Body::Deliver(sm) => put_sm(to, sm),
            // An unused message id (§4.6.2).
            Body::DeliverResp => to.push(0),
            Body::Other => {}
        }
        let length = u32::try_from(to.len() - start).unwrap_or(u32::MAX);
        to[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes text that ends with NUL and holds none, cut at `most` bytes.
fn put_text(to: &mut Vec<u8>, text: &str, most: usize) {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    to.extend(text.chars().map(byte).filter(|&b| b != 0).take(most));
    to.push(0);
}

fn put_sm(to: &mut Vec<u8>, sm: &Sm) {
    to.push(0); // service_type
    for party in [&sm.source, &sm.destination] {
        to.extend([party.ton, party.npi]);
        put_text(to, &party.number, 20);
    }
    // protocol_id, priority_flag; no schedule, no validity of our own.
    to.extend([sm.esm_class, 0, 0, 0, 0]);
    to.extend([sm.registered_delivery, 0, sm.data_coding, 0]);
    // The length is one byte (§5.2.21: 254 at most).
    let text = &sm.short_message[..sm.short_message.len().min(254)];
    to.push(u8::try_from(text.len()).unwrap_or(0));
    to.extend(text);
    for tlv in &sm.tlvs {
        let length = u16::try_from(tlv.value.len()).unwrap_or(u16::MAX);
        to.extend(tlv.tag.to_be_bytes());
        to.extend(length.to_be_bytes());
        to.extend(&tlv.value[..usize::from(length)]);
    }
}

/// What is left to read of a body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Text up to a NUL, or to the end where there is none.
    fn text(&mut self) -> String {
        let end = self.0.iter().position(|&b| b == 0);
        let text = self.take(end.unwrap_or(self.0.len()));
        self.take(1);
        latin1(text)
    }

    fn party(&mut self) -> Party {
        Party {
            ton: self.byte(),
            npi: self.byte(),
            number: self.text(),
        }
    }

    fn sm(&mut self) -> Sm {
        self.text(); // service_type
        let (source, destination) = (self.party(), self.party());
        let esm_class = self.byte();
        self.take(2); // protocol_id, priority_flag
        self.text(); // schedule_delivery_time
        self.text(); // validity_period
        let registered_delivery = self.byte();
        self.byte(); // replace_if_present_flag
        let data_coding = self.byte();
        self.byte(); // sm_default_msg_id
        let length = usize::from(self.byte());
        Sm {
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            short_message: self.take(length).to_vec(),
            tlvs: self.tlvs(),
        }
    }

    fn data_sm(&mut self) -> Sm {
        self.text(); // service_type
        Sm {
            source: self.party(),
            destination: self.party(),
            esm_class: self.byte(),
            registered_delivery: self.byte(),
            data_coding: self.byte(),
            short_message: Vec::new(),
            tlvs: self.tlvs(),
        }
    }

    /// What is too short to be a parameter is dropped, and a value that claims to be longer than
    /// the PDU ends with it.
    fn tlvs(&mut self) -> Vec<Tlv> {
        let mut tlvs = Vec::new();
        while let Some(&[t0, t1, l0, l1]) = self.0.first_chunk::<4>() {
            self.take(4);
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            tlvs.push(Tlv {
                tag: u16::from_be_bytes([t0, t1]),
                value: self.take(length).to_vec(),
            });
        }
        tlvs
    }
}

/// Bytes as Latin-1.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

#[cfg(test)]
mod tests;
