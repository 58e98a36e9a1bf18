//! What networks tell of people (WHOIS and its like): what each piece is called.
//!
//! Gateways name the pieces in English; those that are known here are said in every language.

use super::{Lang, texts};

texts! {
    /// A piece of what is known of somebody.
    Fact {
        Account: "account"
            / "账号",
        Address: "address"
            / "地址",
        Away: "away"
            / "离开",
        Bot: "bot"
            / "机器人",
        Certificate: "certificate"
            / "证书",
        Channels: "channels"
            / "频道",
        Host: "host"
            / "主机",
        Idle: "idle"
            / "空闲",
        Name: "name"
            / "姓名",
        Nick: "nick"
            / "昵称",
        Note: "note"
            / "备注",
        Operator: "operator"
            / "管理员",
        Secure: "secure"
            / "安全连接",
        Server: "server"
            / "服务器",
        Since: "since"
            / "登录时间",
        User: "user"
            / "用户名",
    }
}

/// A piece and what it is called, in a line.
pub(crate) fn fact_line(label: &str, value: &str, lang: Lang) -> String {
    let label = fact(label, lang);
    lang.one_of(format!("{label}: {value}"), format!("{label}：{value}"))
}

/// What a piece is called; one that is not known, as the gateway calls it.
pub(crate) fn fact(label: &str, lang: Lang) -> &str {
    let mut all = Fact::ALL.iter();
    let known = all.find(|&&fact| Lang::En.say(fact) == label);
    known.map_or(label, |&fact| lang.say(fact))
}
