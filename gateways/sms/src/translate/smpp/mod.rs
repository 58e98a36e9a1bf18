//! SMPP 3.4 (Short Message Peer to Peer Protocol Specification, issue 1.2): the part of it that a
//! transceiver needs.
//!
//! [`frame`] cuts bytes into PDUs, [`pdu`] reads and writes them, [`status`] names what carriers
//! answer, [`session`] is the state machine of one bind. All pure.
//!
//! Reading is lenient: carriers send again what is not answered, so a PDU that is refused for its
//! form would come back for ever. Only a length that cannot be believed ends a connection.

pub mod frame;
pub mod pdu;
pub mod session;
pub mod status;

pub use frame::{Frame, Framer};
pub use pdu::{Body, Pdu, Sm, Tlv};
pub use session::{Event, Session, Settings};
pub use status::Status;

/// Command ids (§5.1.2.1).
pub mod command {
    /// Requests have this bit clear, responses set.
    pub const RESPONSE: u32 = 0x8000_0000;
    /// `generic_nack`.
    pub const GENERIC_NACK: u32 = RESPONSE;
    /// `submit_sm`.
    pub const SUBMIT_SM: u32 = 0x0000_0004;
    /// `deliver_sm`.
    pub const DELIVER_SM: u32 = 0x0000_0005;
    /// `unbind`.
    pub const UNBIND: u32 = 0x0000_0006;
    /// `bind_transceiver`.
    pub const BIND_TRANSCEIVER: u32 = 0x0000_0009;
    /// `enquire_link`.
    pub const ENQUIRE_LINK: u32 = 0x0000_0015;
    /// `alert_notification`, which has no response.
    pub const ALERT_NOTIFICATION: u32 = 0x0000_0102;
    /// `outbind`, which has no response.
    pub const OUTBIND: u32 = 0x0000_000b;
    /// `data_sm`.
    pub const DATA_SM: u32 = 0x0000_0103;
}

/// Tags of optional parameters (§5.3.2).
pub mod tag {
    /// `receipted_message_id`.
    pub const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
    /// `sar_msg_ref_num`.
    pub const SAR_MSG_REF_NUM: u16 = 0x020c;
    /// `sar_total_segments`.
    pub const SAR_TOTAL_SEGMENTS: u16 = 0x020e;
    /// `sar_segment_seqnum`.
    pub const SAR_SEGMENT_SEQNUM: u16 = 0x020f;
    /// `network_error_code`.
    pub const NETWORK_ERROR_CODE: u16 = 0x0423;
    /// `message_payload`.
    pub const MESSAGE_PAYLOAD: u16 = 0x0424;
    /// `message_state`.
    pub const MESSAGE_STATE: u16 = 0x0427;
}
