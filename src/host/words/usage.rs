//! What belongs behind commands that are typed (`/kick who [why]`).

use super::texts;

texts! {
    /// What belongs behind a command.
    Usage {
        Changes: "[changes]"
            / "[变更]",
        DoesSomething: "does something"
            / "做某事",
        Key: "setting"
            / "设置项",
        KeyValue: "[setting [value]]"
            / "[设置项 [值]]",
        Line: "line"
            / "原始命令行",
        Name: "name"
            / "名称",
        Room: "room"
            / "房间",
        Text: "[text]"
            / "[内容]",
        Who: "who"
            / "谁",
        WhoQuestion: "who question"
            / "谁 问题",
        WhoText: "who text"
            / "谁 内容",
        WhoWhy: "who [why]"
            / "谁 [理由]",
        Why: "[why]"
            / "[理由]",
    }
}
