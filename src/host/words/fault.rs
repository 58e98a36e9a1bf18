//! What is said of a fault that came without words.

use isthmus_gateway::FaultKind;

use super::{Lang, Phrase};

impl Phrase for FaultKind {
    #[rustfmt::skip]
    fn say(self, lang: Lang) -> &'static str {
        let (en, zh) = match self {
            Self::BadAddress => ("this address does not follow the network's form", "此地址不符合该网络的格式"),
            Self::NoSuchTarget => ("there is nobody and nothing of that name", "没有这个名称的人或物"),
            Self::Moved => ("this address has moved", "此地址已迁移"),
            Self::NoSuchNetwork => ("that network cannot be found", "找不到该网络"),
            Self::NetworkDown => ("the network does not answer; please try again later", "该网络没有响应；请稍后再试"),
            Self::Offline => ("the recipient cannot be reached now", "目前无法联系到收件人"),
            Self::NotAuthorized => ("the network did not accept the credentials", "该网络不接受所提供的凭据"),
            Self::NotRegistered => ("the network asks for an account first", "该网络要求先有账号"),
            Self::WrongPassword => ("a password is needed, or the one given was wrong", "需要密码，或所给密码有误"),
            Self::Forbidden => ("the network forbids this", "该网络禁止此操作"),
            Self::NotPrivileged => ("you need a higher rank for this", "您的等级不足以这样做"),
            Self::NotAllowed => ("this gateway does not allow it", "此网关不允许"),
            Self::MembersOnly => ("only members and the invited may enter", "只有会员和受邀者可以进入"),
            Self::RoomFull => ("no more occupants fit", "房间已满"),
            Self::NotJoined => ("you are not in that room", "您不在该房间"),
            Self::NickTaken => ("that nickname is in use", "该昵称已被使用"),
            Self::NickRefused => ("the network does not accept that nickname", "该网络不接受此昵称"),
            Self::TooFast => ("too many requests; please try again later", "请求过多；请稍后再试"),
            Self::Full => ("too much is waiting; please try again later", "等待处理的内容过多；请稍后再试"),
            Self::TooLarge => ("this is too long or too large", "内容过长或过大"),
            Self::NotExpressible => ("this cannot be expressed on the network", "该网络无法表达此内容"),
            Self::Encrypted => ("encrypted messages cannot cross to this network", "加密消息无法传到该网络"),
            Self::Unsupported => ("this network has no such feature", "该网络没有此功能"),
            Self::TimedOut => ("no answer came in time; whether it was done is not known", "未及时收到答复；不知是否已完成"),
            Self::Expired => ("delivery was given up after all attempts", "多次尝试后已放弃投递"),
            Self::BadRequest => ("the request made no sense", "无法理解此请求"),
            Self::Internal => ("something went wrong in the gateway", "网关内部出错"),
            Self::Other => ("the network refused", "该网络拒绝了"),
        };
        lang.one_of(en, zh)
    }
}
