//! Why something that was asked for is not done: what stanza errors say.

use super::texts;

texts! {
    /// Why something is not done.
    Denial {
        AddressBad: "this address does not follow the network's form"
            / "此地址不符合该网络的格式",
        AddressIs: "the proper address is {}"
            / "正确的地址是 {}",
        AboutRecipient: "{}: {}"
            / "{}：{}",
        AddressMissing: "an address is missing"
            / "缺少地址",
        AddressNoJid: "this address is malformed: a part of it is empty, too long or holds a forbidden character"
            / "此地址格式有误：某一部分为空、过长或含有禁用字符",
        ArchiveForm: "the form is not one that was filled in"
            / "此表单并非已填写的表单",
        ArchiveFormOther: "the form is not of this archive: its FORM_TYPE is another"
            / "此表单不属于该存档：其 FORM_TYPE 不符",
        ArchiveIds: "no more than 250 ids at a time"
            / "每次最多 250 个 id",
        ArchiveIndex: "pages are asked for by id, not by index"
            / "请按 id 而非序号索取页面",
        ArchiveMax: "`max` is no number"
            / "`max` 不是数字",
        ArchiveNoMessage: "the archive has no message of that id"
            / "存档中没有该 id 的消息",
        ArchiveSides: "a page is before or after a message, not both"
            / "页面只能位于某条消息之前或之后，不能两者兼有",
        ArchiveTime: "a time is not of the form of XEP-0082"
            / "时间不符合 XEP-0082 的格式",
        ArchiveUnsearched: "the archive cannot be searched by this field"
            / "存档不支持按此字段搜索",
        ArchiveWith: "`with` is no JID"
            / "`with` 不是 JID",
        BanYourself: "you cannot ban yourself"
            / "您不能封禁自己",
        BlindCopy: "this gateway sends no blind copies: nothing was sent"
            / "此网关不发送密送副本：未发送任何内容",
        Changed: "the message is on its way already: it cannot be changed any more"
            / "消息已在发送途中，无法再更改",
        ChangedNone: "no message of that id waits here: nothing was changed"
            / "没有该 id 的等待消息：未作任何更改",
        ConnectionLost: "the connection to the network is lost and being made again; not sent"
            / "与网络的连接已断开，正在重新连接；消息未发送",
        ConnectionOver: "the connection to the network has ended"
            / "与网络的连接已结束",
        ContactsFull: "you have too many contacts here"
            / "您在此处的联系人过多",
        DialogEndless: "the network asks without end"
            / "该网络的提问没有止境",
        DialogMore: "this network asks more than a form can: please use the command “register” of {}, or write “register” to it"
            / "该网络的提问超出了一张表单的范围：请使用 {} 的 register 命令，或向其发送 register",
        Encrypted: "this message is encrypted with {}, which cannot cross to this network; nothing was sent. Please switch encryption off here."
            / "此消息使用 {} 加密，无法传到该网络；未发送任何内容。请在此处关闭加密。",
        FilesWait: "too many messages wait for a file; please send again later"
            / "等待文件的消息过多；请稍后重新发送",
        FormAnother: "this is not the form of a room's configuration"
            / "这不是房间配置表单",
        FormMissing: "a form is missing"
            / "缺少表单",
        FormNotSubmitted: "a form is submitted or cancelled"
            / "表单须提交或取消",
        FullJidNeeded: "only a full JID can be in a room"
            / "只有完整 JID 才能进入房间",
        GatewayFull: "the gateway is full; please try again later"
            / "网关已满；请稍后再试",
        GatewayShutting: "the gateway is shutting down"
            / "网关正在关闭",
        GatewayShuttingAgain: "the gateway is shutting down; please send again later"
            / "网关正在关闭；请稍后重新发送",
        GroupchatToRoom: "a groupchat message goes to the room, not to an occupant"
            / "群聊消息应发往房间，而非某个成员",
        IdleHidden: "only who sees the presence of a contact may ask this"
            / "只有能看到该联系人在线状态的人才可查询",
        IdleUnknown: "the network does not tell how long this contact has been away"
            / "该网络不提供此联系人的离开时长",
        InvitationNamesRoom: "an invitation names a room"
            / "邀请须指明房间",
        IqPayload: "an iq request has exactly one payload"
            / "iq 请求必须恰有一个负载",
        ItemAddressOrNick: "whom? name a nickname or an address of this network"
            / "指谁？请给出昵称或该网络的地址",
        ItemCount: "1 to {} items a request, please"
            / "每次请求请包含 1 至 {} 项",
        ItemOne: "one role or one affiliation, please"
            / "请只给出一个角色或一个岗位",
        ItemRoleByNick: "a role is given by nickname"
            / "角色须按昵称授予",
        ItemRoleOrAffiliation: "an item gives either a role or an affiliation"
            / "每一项须给出角色或岗位之一",
        KeptUnreadable: "the kept message cannot be read any more"
            / "已保存的消息无法再读取",
        ListOfNothing: "nobody keeps a list of who is nothing"
            / "没有“无岗位”者的名单",
        ListsForRunners: "only who runs the room may see its lists"
            / "只有房间管理者可以查看其名单",
        ModerationWhat: "a moderation names a message and takes it back"
            / "管理操作须指明一条消息并将其撤回",
        NicknameNeeded: "a nickname is needed: room@service/nickname"
            / "需要昵称：room@service/nickname",
        NicknameUnknown: "nobody of that nickname is here"
            / "此处没有使用该昵称的人",
        NoChanges: "this network cannot change what was said"
            / "该网络无法更改已发送的内容",
        NoNicknames: "this network reserves no nicknames"
            / "该网络不保留昵称",
        NoNode: "there is no such node"
            / "没有这个节点",
        NoPage: "there is no such page"
            / "没有这一页",
        NoPicture: "there is no such picture"
            / "没有这张图片",
        NoPings: "this network carries no pings to others"
            / "该网络无法向他人传送 ping",
        NoRank: "this network has no such rank"
            / "该网络没有这个等级",
        NoReactions: "this network has no reactions"
            / "该网络不支持回应表情",
        NoRoom: "no such room"
            / "没有这个房间",
        NoTakingBack: "this network cannot take messages back: what was said stays"
            / "该网络无法撤回消息：已发送的内容会保留",
        NoTakingBackOthers: "this network cannot take back what somebody else said"
            / "该网络无法撤回他人的消息",
        NoType: "no such type of stanza"
            / "没有这种类型的节",
        NobodyOnNetwork: "{} is nobody on this network"
            / "该网络上没有 {}",
        NobodyReads: "nobody reads messages here; write to an address of the network, or “help” to the gateway"
            / "这里没有人阅读消息；请写给该网络的地址，或向网关发送 help",
        NotAdmitted: "the operator of this gateway does not admit you"
            / "此网关的管理员未允许您使用",
        NotForRoomService: "a room is entered, it has no presence of its own"
            / "房间应当进入；它没有自己的在线状态",
        NotHere: "{} is not in this room"
            / "{} 不在此房间",
        NotHereOrVoiced: "{} is not in this room, or needs no voice"
            / "{} 不在此房间，或不需要发言权",
        NotInRoom: "you are not in this room"
            / "您不在此房间",
        NotInRoomJoin: "you are not in this room; please join it"
            / "您不在此房间；请先进入",
        NotRegistered: "you are not registered with this gateway"
            / "您没有在此网关注册",
        NotUnderstood: "nothing here understands this"
            / "这里无法理解此请求",
        NotYours: "this message is not yours"
            / "这不是您的消息",
        OccupantAsks: "only an occupant may ask about an occupant"
            / "只有房间成员可以查询其他成员",
        OccupantDoes: "only an occupant may do this"
            / "只有房间成员可以这样做",
        OnlyReactions: "only these reactions are allowed: {}"
            / "只允许这些回应表情：{}",
        PageSenseless: "this page makes no sense"
            / "无法理解所请求的页面",
        PasswordBad: "the password is too long or holds control characters"
            / "密码过长或含有控制字符",
        PasswordNotAsked: "a password is given, but none is to be needed: please say that one is"
            / "给出了密码，但并未要求需要密码：请同时要求需要密码",
        PasswordWhich: "which password?"
            / "密码是什么？",
        Person: "this is a person, not a room"
            / "这是一个人，不是房间",
        ReactionsMost: "no more than {} reactions to a message here"
            / "此处对一条消息最多 {} 个回应表情",
        RecipientElsewhere: "{} is no recipient of this gateway: nothing was sent"
            / "{} 不是此网关的收件人：未发送任何内容",
        RecipientsMost: "a message has {} recipients at most: nothing was sent"
            / "一条消息最多有 {} 个收件人：未发送任何内容",
        RegistrationRemoved: "you have removed your registration; this was not sent"
            / "您已取消注册；此消息未发送",
        RemovalAlone: "who removes a registration says nothing else"
            / "取消注册时不得附带其他内容",
        RoomConfigured: "only who runs the room may configure it"
            / "只有房间管理者可以配置房间",
        RoomFirst: "this is a room: join it with a nickname, then send groupchat messages"
            / "这是房间：请先以昵称进入，再发送群聊消息",
        RoomFlagsLate: "the network has not told in time what holds for this room; please ask again"
            / "该网络未及时告知此房间的设置；请重新查询",
        RoomNotYours: "this room is the network's, and cannot be destroyed from here"
            / "此房间属于该网络，无法从这里销毁",
        RoomsMost: "you are in {} rooms already; please leave one first"
            / "您已在 {} 个房间中；请先离开一个",
        SearchConflict: "either everything or what some words say"
            / "要么全部，要么按词语查找，二者择一",
        SearchForm: "a search is a form that was filled in"
            / "搜索须提交已填写的表单",
        SearchFormOther: "this is not the form that was asked for"
            / "这不是所要求的表单",
        SearchNothing: "what is to be found?"
            / "要查找什么？",
        SearchOrder: "there is no such order"
            / "没有这种排序方式",
        SearchTerms: "no word to search for"
            / "没有可搜索的词语",
        SearchUsers: "the number of users is not a number"
            / "用户数不是数字",
        SessionLast: "the last session has not ended yet"
            / "上一次会话尚未结束",
        Stands: "{} stands above you here"
            / "{} 在此处的地位高于您",
        StanzaLarge: "this stanza is larger or more deeply nested than this gateway takes"
            / "此节过大或嵌套过深，网关无法接受",
        StanzaMalformed: "this stanza cannot be read: it is not well-formed"
            / "无法读取此节：格式不正确",
        StoreDown: "the gateway cannot reach its store now; please try again later"
            / "网关目前无法访问其存储；请稍后再试",
        StoreFull: "the gateway cannot store messages now; please try again later"
            / "网关目前无法存储消息；请稍后再试",
        TakenBack: "the message is on its way already: it cannot be taken back any more"
            / "消息已在发送途中，无法再撤回",
        TakenBackNone: "no message of that id waits here: nothing was taken back"
            / "没有该 id 的等待消息：未撤回任何内容",
        TimeForPeople: "the answer is a time only for people: {}"
            / "答复中的时间只适合人阅读：{}",
        TooFast: "you are sending faster than this gateway takes; please try again later"
            / "您的发送速度超出网关的接受能力；请稍后再试",
        TooManyNetworks: "you are on too many networks at a time; please leave one first"
            / "您同时连接的网络过多；请先断开一个",
        TooManyQuestions: "too many questions at a time; please wait for the answers"
            / "一次提问过多；请等待答复",
        TooManyRequests: "you ask for too much at a time; please wait for the answers"
            / "一次请求过多；请等待答复",
        TooManyWait: "too many wait for this list"
            / "等待此列表的请求过多",
        TooMuchWaits: "too much of yours is waiting for the network; please try again later"
            / "您等待发往该网络的内容过多；请稍后再试",
        TypedInRoom: "/{} is typed in a room"
            / "/{} 须在房间中输入",
        TypedIs: "it is: /{} {}"
            / "用法：/{} {}",
        TypedMode: "modes are changed by a + or - and letters, such as /mode +o alice; nothing was sent"
            / "更改模式须以 + 或 - 加字母表示，例如 /mode +o alice；未发送任何内容",
        TypedNone: "there is no command /{} here: nothing was sent. /help tells which there are; begin with // to say something that begins with /"
            / "这里没有命令 /{}：未发送任何内容。/help 可列出命令；要发送以 / 开头的内容，请以 // 开头",
        TypedOneLine: "/{} takes one line: nothing was sent"
            / "/{} 只接受一行：未发送任何内容",
        UnknownMessage: "the message that this is about is not known to the network"
            / "该网络不知道所涉及的消息",
        UnknownOutcome: "the message was handed over and no answer came: whether it arrives is not known"
            / "消息已交出但没有答复：不知是否送达",
        UnmoderatedRoom: "in a room that is not moderated everybody may speak"
            / "在未受管制的房间中人人都可发言",
        ValueNumber: "{} is a number from 0 to {}"
            / "{} 须为 0 到 {} 之间的数字",
        ValueYesNo: "{} is neither yes nor no"
            / "{} 既不是“是”也不是“否”",
        WithParts: "{} ({} parts had been sent)"
            / "{}（此前已发出 {} 段）",
        YesNo: "neither yes nor no"
            / "既不是“是”也不是“否”",
    }
}
