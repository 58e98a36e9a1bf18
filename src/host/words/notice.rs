//! What is told without having been asked for: why a session ends, what stands for a file or for
//! what a client does not show, and what is known of somebody.

use super::texts;

texts! {
    /// Something that is told.
    Notice {
        Account: "logged in as {}"
            / "已登录为 {}",
        AttachmentKept: "[attachment: {}, {}{} — the gateway keeps it; it cannot be fetched]"
            / "[附件：{}，{}{}——由网关保存，无法获取]",
        AttachmentKeptWhy: "[attachment: {}, {}{} — the gateway keeps it; it cannot be fetched: {}]"
            / "[附件：{}，{}{}——由网关保存，无法获取：{}]",
        AttachmentSize: ", {} bytes"
            / "，{} 字节",
        AttachmentUnknownType: "of unknown type"
            / "类型未知",
        AttachmentUnnamed: "without a name"
            / "未命名",
        AttachmentUnread: "this gateway cannot read it now"
            / "网关目前无法读取",
        Bot: "bot"
            / "机器人",
        FileElsewhere: "its link is not https"
            / "其链接不是 https",
        FileLarge: "it is larger than {} bytes"
            / "大于 {} 字节",
        FileLink: "its link cannot be followed"
            / "无法打开其链接",
        FileNotKept: "this gateway cannot keep it now"
            / "网关目前无法保存",
        FileNotSent: "Your file could not be sent as such: {}. Its link was sent: {}"
            / "您的文件无法以文件形式发送：{}。已发送其链接：{}",
        FileNowhere: "its server redirects to nowhere"
            / "其服务器的重定向没有目标",
        FileOften: "its server redirects too often"
            / "其服务器重定向次数过多",
        FilePrivate: "its server is not on the public internet"
            / "其服务器不在公共互联网上",
        FileServerAnswers: "its server answers {}"
            / "其服务器返回 {}",
        FileServerBreaks: "its server breaks off"
            / "其服务器中断了传输",
        FileServerNone: "its server does not exist"
            / "其服务器不存在",
        FileServerSlow: "its server is too slow"
            / "其服务器过慢",
        FileServerUnreached: "its server cannot be reached"
            / "无法连接其服务器",
        FileType: "files of type {} are not taken here"
            / "此处不接受 {} 类型的文件",
        FilesMost: "too many of your files are fetched at this moment"
            / "您正在获取的文件过多",
        FilesNotFetched: "this gateway fetches no files"
            / "此网关不获取文件",
        NoTopic: "there is no topic"
            / "没有主题",
        Operator: "network operator"
            / "网络管理员",
        Paste: "{} [{} lines: {}]"
            / "{} [{} 行：{}]",
        PasteNot: "Your text was said line by line, it could not become a file: {}"
            / "您的内容已逐行发送，无法转为文件：{}",
        Privacy: "Passwords, accounts and settings are stored encrypted; archives and files are not."
            / "密码、账号和设置加密存储；存档和文件不加密。",
        SessionEnded: "those who run this gateway have ended your session"
            / "此网关的管理员已结束您的会话",
        SessionRefused: "this gateway does not serve you any more"
            / "此网关不再为您服务",
        SessionShutting: "the gateway is shutting down"
            / "网关正在关闭",
        SessionUnregistered: "you have removed your registration"
            / "您已取消注册",
        Spoiler: "spoiler"
            / "剧透",
        SpoilerAbout: "spoiler: {}"
            / "剧透：{}",
        TookBack: "/me took back a message that your client still shows"
            / "/me 撤回了一条消息，您的客户端仍在显示",
        UploadAnswers: "your server’s file service answers {}"
            / "您服务器的文件服务返回 {}",
        UploadEmpty: "it is empty"
            / "文件为空",
        UploadLarge: "it is too large for your server’s file service"
            / "超出您服务器的文件服务允许的大小",
        UploadLater: "your server’s file service takes no more for now"
            / "您服务器的文件服务暂时不再接收文件",
        UploadNone: "your server has no file service"
            / "您的服务器没有文件服务",
        UploadNowhere: "your server’s file service names no place this gateway may use"
            / "您服务器的文件服务未给出网关可用的位置",
        UploadRefused: "your server’s file service refuses it: {}"
            / "您服务器的文件服务拒绝接收：{}",
        UploadSilent: "your server’s file service does not answer"
            / "您服务器的文件服务没有应答",
        UploadSlow: "your server’s file service is too slow"
            / "您服务器的文件服务过慢",
        UploadUnreached: "your server’s file service cannot be reached"
            / "无法连接您服务器的文件服务",
    }
}
