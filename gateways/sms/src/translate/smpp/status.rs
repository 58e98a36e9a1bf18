//! What carriers answer, in words (SMPP 3.4 §5.1.3).

use isthmus_gateway::{Fault, FaultKind, Words, words};

/// A command status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

/// What a status asks of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is done.
    Done,
    /// Too much at once: slow down, then again.
    Throttled,
    /// The carrier has trouble: again later.
    Temporary,
    /// Again will not help.
    Permanent(FaultKind),
}

impl Status {
    /// `ESME_ROK`.
    pub const OK: Self = Self(0);
    /// `ESME_RINVCMDLEN`.
    pub const INVALID_LENGTH: Self = Self(0x02);
    /// `ESME_RINVCMDID`.
    pub const INVALID_COMMAND: Self = Self(0x03);
    /// `ESME_RX_T_APPN`: cannot be taken now.
    pub const RECEIVER_TEMPORARY: Self = Self(0x64);
    /// `ESME_RX_P_APPN`: will never be taken.
    pub const RECEIVER_PERMANENT: Self = Self(0x65);

    /// What it asks of the sender.
    pub fn class(self) -> Class {
        self.row()
            .map_or(Class::Permanent(FaultKind::Other), |row| {
                match (row.class, row.kind) {
                    ('k', _) => Class::Done,
                    ('s', _) => Class::Throttled,
                    ('t', _) => Class::Temporary,
                    (_, kind) => Class::Permanent(kind),
                }
            })
    }

    /// What it means, in words, with its number.
    pub fn words(self) -> Words {
        let number = self.0;
        match self.row() {
            Some(Row {
                words: (en, zh), ..
            }) => {
                words!("{en} (0x{number:02x})", "{zh}（0x{number:02x}）")
            }
            None => words!(
                "the carrier refused it with error 0x{number:02x}",
                "运营商拒绝了它，错误 0x{number:02x}"
            ),
        }
    }

    /// The fault that tells it to the user.
    pub fn fault(self) -> Fault {
        let kind = match self.class() {
            Class::Done => FaultKind::Internal,
            Class::Throttled => FaultKind::TooFast,
            Class::Temporary => FaultKind::NetworkDown,
            Class::Permanent(kind) => kind,
        };
        Fault::new(kind, self.words())
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.status == self.0)
    }
}

struct Row {
    status: u32,
    /// Done (`k`), slow down (`s`), temporary (`t`) or permanent (`p`).
    class: char,
    kind: FaultKind,
    /// In English and Chinese.
    words: (&'static str, &'static str),
}

const fn row(status: u32, class: char, kind: FaultKind, en: &'static str, zh: &'static str) -> Row {
    Row {
        status,
        class,
        kind,
        words: (en, zh),
    }
}

use FaultKind::{
    BadAddress, BadRequest, NetworkDown, NoSuchTarget, NotAuthorized, Other, TooFast, TooLarge,
    Unsupported,
};

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(0x00, 'k', Other, "done", "已完成"),
    row(0x01, 'p', TooLarge, "the carrier says that the message is too long", "运营商称消息过长"),
    row(0x02, 'p', BadRequest, "the carrier cannot read the message: wrong length", "运营商无法读取消息：长度有误"),
    row(0x03, 'p', Unsupported, "the carrier does not know this command", "运营商不认识该命令"),
    row(0x04, 't', NetworkDown, "the carrier does not allow this in the present state of the bind", "运营商在当前绑定状态下不允许此操作"),
    row(0x05, 't', NetworkDown, "the account is bound at the carrier already", "该账号已在运营商处绑定"),
    row(0x06, 'p', BadRequest, "the carrier refuses the priority", "运营商拒绝该优先级"),
    row(0x07, 'p', BadRequest, "the carrier refuses the kind of receipt that was asked for", "运营商拒绝所要求的回执类型"),
    row(0x08, 't', NetworkDown, "the carrier has a system error", "运营商系统出错"),
    row(0x0a, 'p', NotAuthorized, "the carrier refuses the sender's number", "运营商拒绝发送方号码"),
    row(0x0b, 'p', NoSuchTarget, "the carrier does not know the recipient's number", "运营商不认识收件人号码"),
    row(0x0c, 'p', BadRequest, "the carrier does not know the message id", "运营商不认识该消息编号"),
    row(0x0d, 't', NetworkDown, "the carrier refuses the bind", "运营商拒绝绑定"),
    row(0x0e, 't', NotAuthorized, "the carrier refuses the password of this gateway", "运营商不接受此网关的密码"),
    row(0x0f, 't', NotAuthorized, "the carrier does not know the system id of this gateway", "运营商不认识此网关的系统标识"),
    row(0x11, 'p', BadRequest, "the carrier could not cancel the message", "运营商未能取消该消息"),
    row(0x13, 'p', BadRequest, "the carrier could not replace the message", "运营商未能替换该消息"),
    row(0x14, 's', TooFast, "the carrier's queue is full", "运营商的队列已满"),
    row(0x15, 'p', BadRequest, "the carrier refuses the service type", "运营商拒绝该服务类型"),
    row(0x33, 'p', BadRequest, "the carrier refuses the number of recipients", "运营商拒绝该收件人数量"),
    row(0x40, 'p', BadAddress, "the carrier refuses the recipient's number", "运营商拒绝收件人号码"),
    row(0x42, 'p', BadRequest, "the carrier refuses the submission mode", "运营商拒绝该提交方式"),
    row(0x43, 'p', Unsupported, "the carrier refuses messages in several parts", "运营商拒绝分段消息"),
    row(0x45, 'p', Other, "the carrier could not take the message", "运营商未能接收该消息"),
    row(0x48, 'p', BadAddress, "the carrier refuses the sender's type of number", "运营商拒绝发送方的号码类型"),
    row(0x49, 'p', BadAddress, "the carrier refuses the sender's numbering plan", "运营商拒绝发送方的编号方案"),
    row(0x50, 'p', BadAddress, "the carrier refuses the recipient's type of number", "运营商拒绝收件人的号码类型"),
    row(0x51, 'p', BadAddress, "the carrier refuses the recipient's numbering plan", "运营商拒绝收件人的编号方案"),
    row(0x53, 'p', BadRequest, "the carrier refuses the system type", "运营商拒绝该系统类型"),
    row(0x58, 's', TooFast, "the carrier asks to send more slowly", "运营商要求放慢发送速度"),
    row(0x61, 'p', BadRequest, "the carrier refuses the delivery time", "运营商拒绝该投递时间"),
    row(0x62, 'p', BadRequest, "the carrier refuses the validity period", "运营商拒绝该有效期"),
    row(0x64, 't', NetworkDown, "the carrier cannot take the message now", "运营商目前无法接收该消息"),
    row(0x65, 'p', Other, "the carrier will not take the message", "运营商不接收该消息"),
    row(0x66, 'p', Other, "the carrier rejects the message", "运营商拒收该消息"),
    row(0x67, 'p', Other, "the carrier could not ask for the message", "运营商未能查询该消息"),
    row(0xc0, 'p', BadRequest, "the carrier cannot read the optional parameters", "运营商无法读取可选参数"),
    row(0xc1, 'p', Unsupported, "the carrier does not allow an optional parameter", "运营商不允许某个可选参数"),
    row(0xc2, 'p', BadRequest, "the carrier refuses the length of a parameter", "运营商拒绝某个参数的长度"),
    row(0xc3, 'p', BadRequest, "the carrier misses an optional parameter", "运营商缺少某个可选参数"),
    row(0xc4, 'p', BadRequest, "the carrier refuses the value of a parameter", "运营商拒绝某个参数的值"),
    row(0xfe, 'p', Other, "the carrier could not deliver the message", "运营商未能投递该消息"),
    row(0xff, 'p', Other, "the carrier has an error it does not name", "运营商出现未说明的错误"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_queues_throttling_and_troubles_of_the_carrier_are_tried_again() {
        for (status, class) in [
            (0x00, Class::Done),
            (0x58, Class::Throttled),
            (0x14, Class::Throttled),
            (0x08, Class::Temporary),
            (0x64, Class::Temporary),
            (0x0b, Class::Permanent(FaultKind::NoSuchTarget)),
            (0x66, Class::Permanent(FaultKind::Other)),
            (0x777, Class::Permanent(FaultKind::Other)),
        ] {
            assert_eq!(Status(status).class(), class, "{status:#x}");
        }
    }

    #[test]
    fn every_status_has_words_and_stands_once() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(!row.words.0.is_empty());
            assert!(!row.words.1.is_ascii(), "{} in Chinese", row.words.0);
            assert!(TABLE[..at].iter().all(|other| other.status != row.status));
        }
        assert!(Status(0x777).words().contains("0x777"));
    }
}
