//! Titles and labels of forms: a room's configuration, requests of others, registration.

use super::texts;

texts! {
    /// A title or a label.
    Label {
        Address: "Address"
            / "地址",
        AsksEntrance: "{} asks to be let in"
            / "{} 请求进入",
        AskEntrance: "Ask to be let in"
            / "请求进入",
        AskEntranceAbout: "Those who run the room are asked to let you in, by your nickname on the network. There is nothing to fill in."
            / "将以您在网络上的昵称请求房间管理者允许您进入。无需填写任何内容。",
        AsksVoice: "{} asks for a voice"
            / "{} 请求发言权",
        Closed: "Only who is in may speak"
            / "只有房间内的成员可以发言",
        GiveVoice: "Give him a voice?"
            / "给予其发言权？",
        LetIn: "Let him in?"
            / "允许其进入？",
        MaxUsers: "Most occupants (0: no limit)"
            / "成员上限（0：无限制）",
        MembersOnly: "Only the invited may enter"
            / "只有受邀者可以进入",
        Moderated: "Only who has a voice may speak"
            / "只有拥有发言权者可以发言",
        Nickname: "Nickname"
            / "昵称",
        Password: "Password"
            / "密码",
        PasswordNeeded: "A password is needed"
            / "需要密码",
        Public: "Shown in lists of rooms"
            / "显示在房间列表中",
        Registration: "What {} is to know of you."
            / "{} 需要了解的关于您的信息。",
        Role: "Role"
            / "角色",
        SearchAddresses: "Search in addresses"
            / "在地址中搜索",
        SearchAll: "All rooms, whatever they are called"
            / "所有房间，不论名称",
        SearchFor: "Search for"
            / "搜索",
        SearchKind: "Multi-user chats (XEP-0045)"
            / "多人聊天室（XEP-0045）",
        SearchKinds: "Kinds of rooms"
            / "房间类型",
        SearchLeast: "At least so many users"
            / "用户数下限",
        SearchNames: "Search in names"
            / "在名称中搜索",
        SearchOrder: "Order by"
            / "排序方式",
        SearchRooms: "Search for rooms"
            / "搜索房间",
        SearchSubjects: "Search in subjects"
            / "在主题中搜索",
        SubjectFree: "Everybody may change the subject"
            / "人人都可更改主题",
        Users: "Number of users"
            / "用户数",
    }
}
