"""The rule for every error code of the platform: error class, retry policy, hint.

Responsible for these tables; pure data. Codes are keyed by (endpoint family, code), because the platform uses one
number for different errors; rows are grouped by remedy. The HTTP status decides about an unknown code.
Collaborators: `exchange` reads error answers, `retry` applies the policies. It parses nothing and waits for nothing.
Source: dev-prepare/error-trace/openapi, dev-prepare/api-call-guide, and the pages of the endpoints.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Literal, NamedTuple

from ..errors import (
    ApiError,
    AuthError,
    ContentRejected,
    DuplicateMessage,
    Hint,
    IPNotAllowed,
    MediaError,
    MessagePendingAudit,
    NotFound,
    PermissionMissing,
    QuotaExceeded,
    RateLimited,
    ReplyWindowExpired,
    ServerError,
)

Family = Literal["general", "token", "share_link"]


class RetryPolicy(Enum):
    """If and when the same call may be repeated."""

    NO = "no"
    ONCE = "once"
    BACKOFF = "backoff"
    UNEXPLAINED = "unexplained"
    QUOTA = "quota"
    TOKEN = "token"
    SEQ = "seq"
    ACTIVE = "active"
    ACCEPTED = "accepted"


class ErrorRule(NamedTuple):
    """The error to raise for a code, whether to retry, and the hint for the user."""

    error: type[ApiError]
    retry: RetryPolicy
    hint: Hint


class _Row(NamedTuple):
    error: type[ApiError]
    retry: RetryPolicy
    hint: Hint
    codes: str
    """Codes and ranges of codes ("50035-50037"), separated by blanks."""


_ARGUMENT = Hint("检查调用参数", "one of the arguments is wrong: compare the call with the endpoint's page")
_BUSY = Hint(
    "平台内部错误，稍后重试", "the platform failed: try again later; if it lasts, report the trace id to Tencent"
)
_SYSTEM_CHECK = Hint("平台鉴权系统出错，最多重试一次", "the platform's own check failed; it was repeated once")
_REPORT = Hint("请求头异常，请报告此问题", "the SDK should never cause this: report it with the trace id")
_CONTENT = Hint("修改消息内容后再发", "change the content; the same message will be refused again")
_UNSAFE = Hint("内容未通过安全审核，请修改", "the content check refused it: change the wording, links or pictures")
_URL = Hint(
    "在 q.qq.com「消息 URL 配置」中报备域名；xxx.com、crawler.py 这类纯文本也会被当作链接",
    "register the domain in the console (message URLs); plain text such as crawler.py or xxx.com counts as a URL too",
)
_TOO_LONG = Hint("消息过长，请拆分", "the message is too long: split it")
_MARKDOWN = Hint(
    "检查 markdown：参数不能为空、不能含换行或 markdown 语法；只能再带 keyboard；原生与模板二选一",
    "check the markdown: values neither empty nor with line breaks or markdown signs; only a keyboard may go along; "
    "native text or a template, not both",
)
_MARKDOWN_RIGHT = Hint("机器人没有该 markdown 权限，请在 q.qq.com 申请", "apply for the right to send this markdown")
_KEYBOARD = Hint(
    "检查按钮：最多 5 行、每行 5 个，样式和内容须合法",
    "check the keyboard: at most 5 rows of 5 buttons, each with a valid style and action",
)
_KEYBOARD_RIGHT = Hint("机器人没有发送按钮的权限，请在 q.qq.com 申请", "apply for the right to send keyboards")
_ARK_RIGHT = Hint("机器人没有该 ark 模板权限，请在 q.qq.com 申请", "apply for the right to send this ark template")
_NOT_REPLIABLE = Hint(
    "该消息不能回复，改发主动消息", "this message cannot be replied to: send an active message instead"
)
_EXPIRED = Hint(
    "回复超时：群 5 分钟、单聊 60 分钟内有效；慢任务请先回复「处理中」",
    "the time to reply is over (group 5 min, C2C 60 min): for slow work send a short answer first",
)
_FOREIGN_ID = Hint(
    "msg_id 或 event_id 无效，或属于别的会话；定时任务里是否复用了旧 id？",
    "the msg_id or event_id is invalid or belongs to another conversation; does a timer reuse an old one?",
)
_REPLIES = Hint(
    "被动回复超过次数或时间，请合并消息", "too many replies to one message, or too late: merge them into one"
)
_CHANNEL_QUOTA = Hint(
    "主动消息额度已用完：每个子频道每天 20 条，每个频道每天 2 个子频道，私信每人每天 2 条",
    "the day's active messages are used up (20 a channel, 2 channels a guild, 2 a user in private chats): wait a day",
)
_ACTIVE_QUOTA = Hint(
    "主动消息过于频繁或额度用完；若本想回复，请传 msg_id，例如 ctx.reply()",
    "active messages are too frequent or used up; if this was meant as a reply, pass reply_to, as ctx.reply() does",
)
_ACTIVE_RIGHT = Hint(
    "没有主动消息权限：请用 ctx.reply() 回复，或让群主在群设置打开「主动发言」",
    "no right to active messages: answer with ctx.reply(), or have the group switch on the bot's active messages",
)
_QUOTA = Hint("额度已用完，等额度恢复后再试", "the allowance is used up: wait until it is renewed")
_PANEL_LIMIT = Hint(
    "超出数量限制：面板或条目过多，或名称、描述过长（名称 14、描述 30 个字符宽，汉字算 2）",
    "over a limit: too many panels or items, or a name (14) or description (30) that is too wide; Chinese counts 2",
)
_FULL = Hint("数量已达上限，请先删除一些", "the limit is reached: remove something first")
_SLOWER = Hint("调用过于频繁，已自动放慢", "too fast: the SDK waits and slows down; send less if it lasts")
_NO_RIGHT = Hint("机器人没有此操作的权限", "the bot, or the user it acts for, lacks the right: ask an administrator")
_APPLY = Hint("在 q.qq.com「接口权限」申请该接口", "apply for this interface in the console (interface rights)")
_GRANT = Hint(
    "让频道主重新授权该接口，可发送授权链接",
    "have the guild's owner grant this interface (demand_api_permission sends a link)",
)
_NOT_THERE = Hint("机器人不在该会话或被禁言", "the bot is not in this conversation, or is muted there")
_REFUSED = Hint("对方不是好友或拒收消息", "the user is no friend of the bot or refuses its messages")
_OFFLINE = Hint("机器人已下线，请在 q.qq.com 检查状态", "the bot is offline: look at its state in the console")
_BANNED = Hint("机器人被封禁，请在 q.qq.com 申请解封", "the bot is banned: appeal in the console")
_MISSING = Hint("对象不存在或已删除，检查 id", "no such object, or it was deleted: check the id and where it belongs")
_UNKNOWN_OPENID = Hint(
    "请使用本机器人事件中的 openid，不是 QQ 号或群号；用户或群也可能已注销，或 event_id 不属于本机器人",
    "use the openid of an event of this bot, not a QQ or group number; the user or group may also be gone",
)
_RECALL = Hint("只能撤回 2 分钟内自己发送的消息", "only the bot's own messages of the last 2 minutes can be recalled")
_FETCH = Hint(
    "平台要自己下载该 URL：须公网可访问、无防盗链、响应快",
    "the platform downloads the URL itself: it must be public, without hotlink protection, and fast",
)
_FILE = Hint(
    "检查文件格式与大小：图片/语音 20 MB、视频 30 MB、文件 200 MB",
    "check format and size: image, voice 20 MB, video 30 MB, file 200 MB",
)
_IMAGE_SIZE = Hint("图片库单张最大 10 MB，请压缩后再上传", "an image of the library has 10 MB at most: make it smaller")
_IMAGE_HASH = Hint(
    "md5 与已上传的内容不一致，请重新 prepare 并上传",
    "the md5 differs from the stored bytes: prepare the image and upload it again",
)
_MEDIA_ARGUMENT = Hint(
    "检查上传参数：file_type、url、file_data 或 upload_id",
    "check the arguments of the upload: file_type, and url, file_data or upload_id",
)
_MEDIA_URL = Hint(
    "平台无法使用该 URL：须为公网可访问的 http(s) 地址",
    "the platform cannot use this URL: it must be a public http or https address",
)
_FILE_INFO = Hint(
    "file_info 无效或已过期，且只能用于上传时的场景",
    "file_info expired or is of another scene (group, C2C): upload again",
)
_TOKEN = Hint(
    "access token 无效，已刷新一次仍失败；旧 Token 鉴权已下线，请用 AppID + AppSecret",
    "the access token was refused, a fresh one too; the old fixed tokens are gone: use AppID and AppSecret",
)
_APP_ID = Hint("检查 AppID：必须是本机器人的 AppID", "check the AppID: it must be this bot's own")
_SECRET = Hint(
    "AppSecret 可能被重置；请在 q.qq.com 开发设置重新复制",
    "the AppSecret may have been reset: copy it again in the console",
)
_IP = Hint(
    "本机出口 IP 不在白名单：在 q.qq.com 开发设置加入；校园网、NAT、代理的出口会变",
    "add this machine's public IP to the bot's IP list in the console; behind NAT or a proxy it may change",
)
_GATEWAY = Hint(
    "机器人必须先连上网关（READY）才能发消息", "connect to the gateway first: the bot has to be online to send here"
)
_AUDIT = Hint(
    "消息进入审核，结果见 MESSAGE_AUDIT 事件",
    "not a failure: the verdict comes as MESSAGE_AUDIT_PASS or MESSAGE_AUDIT_REJECT",
)
_SEQ = Hint(
    "同一 msg_id 的 msg_seq 重复：若没有自己指定 msg_seq，通常是另一个进程也在运行这个机器人；否则每条回复递增 msg_seq",
    "this msg_seq was used for the msg_id already: another process runs this bot and has answered, or your own code "
    "numbers the replies and must count up for each",
)
_STREAM = Hint("流式消息不能修改已显示的前缀", "a stream may not change what was already shown: only append")

_GENERAL = (
    # Who is calling
    _Row(AuthError, RetryPolicy.TOKEN, _TOKEN, "11243 11244 40011027 40012002"),
    _Row(AuthError, RetryPolicy.NO, _TOKEN, "11241 11245 11273 40011005"),
    _Row(AuthError, RetryPolicy.NO, _APP_ID, "11251 11261 11275"),
    _Row(IPNotAllowed, RetryPolicy.NO, _IP, "11298 40023002"),
    _Row(ServerError, RetryPolicy.ONCE, _SYSTEM_CHECK, "11242 11252 11263 11281"),
    _Row(ApiError, RetryPolicy.NO, _REPORT, "10002 10044 11301-11302 12002 502010 503008 504002 610002 630002 630006"),
    # Rights
    _Row(PermissionMissing, RetryPolicy.NO, _APPLY, "10000 11253-11254 11262 1100102 1100307 40012010 40034123"),
    _Row(PermissionMissing, RetryPolicy.NO, _GRANT, "11264 11274 11282 304064"),
    _Row(PermissionMissing, RetryPolicy.NO, _BANNED, "11265"),
    _Row(PermissionMissing, RetryPolicy.NO, _OFFLINE, "40054016"),
    _Row(PermissionMissing, RetryPolicy.NO, _ARK_RIGHT, "304004 304014"),
    _Row(PermissionMissing, RetryPolicy.NO, _MARKDOWN_RIGHT, "50056 304036 304041 40034012 40034090 40034127"),
    _Row(PermissionMissing, RetryPolicy.NO, _KEYBOARD_RIGHT, "304037"),
    _Row(PermissionMissing, RetryPolicy.NO, _ACTIVE_RIGHT, "304046 304048 40034102 40034105"),
    _Row(
        PermissionMissing,
        RetryPolicy.NO,
        _NOT_THERE,
        "11293 610007 850018 1100301 1100306 40011026 40034101 40054002-40054003",
    ),
    _Row(PermissionMissing, RetryPolicy.NO, _REFUSED, "304031 304034 40054004 40054013"),
    _Row(PermissionMissing, RetryPolicy.NO, _NO_RIGHT, "301006 302010 501017 620005 630003 1100303"),
    _Row(PermissionMissing, RetryPolicy.NO, _RECALL, "306004 306008 306011 40062003 40064004"),
    _Row(ApiError, RetryPolicy.NO, _GATEWAY, "304018"),
    # Objects
    _Row(
        NotFound,
        RetryPolicy.NO,
        _MISSING,
        "10001 10003-10004 12001 50043 302011 302024 304011 304032 304038 306002 306007 306009 501005 501008 501010 "
        "501018 502001 502003 503001 503009 503012 610001 620004 1100104 40030006 40035008 40061002",
    ),
    _Row(NotFound, RetryPolicy.NO, _UNKNOWN_OPENID, "11255 40011028"),
    # Pace and allowances
    _Row(RateLimited, RetryPolicy.BACKOFF, _SLOWER, "20028 50002 620006 1100100 1100308 40023001"),
    _Row(QuotaExceeded, RetryPolicy.QUOTA, _CHANNEL_QUOTA, "304022 304035 304045 304047 304049-304050"),
    _Row(QuotaExceeded, RetryPolicy.QUOTA, _ACTIVE_QUOTA, "22009 40034100"),
    _Row(QuotaExceeded, RetryPolicy.QUOTA, _QUOTA, "302012 302021 304019 304052 503004 610013 40034122 40093002"),
    _Row(QuotaExceeded, RetryPolicy.NO, _FULL, "301004 501013 501016 620002 40030013 40035007"),
    _Row(QuotaExceeded, RetryPolicy.NO, _PANEL_LIMIT, "30013"),
    # Replies
    _Row(ReplyWindowExpired, RetryPolicy.ACTIVE, _EXPIRED, "304027 304103 40034005 40034026"),
    _Row(ReplyWindowExpired, RetryPolicy.ACTIVE, _FOREIGN_ID, "304026 40034024-40034025"),
    _Row(ReplyWindowExpired, RetryPolicy.ACTIVE, _REPLIES, "40034128"),
    _Row(ReplyWindowExpired, RetryPolicy.ACTIVE, _NOT_REPLIABLE, "304028 40034027"),
    _Row(ReplyWindowExpired, RetryPolicy.NO, _NOT_REPLIABLE, "50045-50047"),
    _Row(DuplicateMessage, RetryPolicy.SEQ, _SEQ, "40054005"),
    _Row(MessagePendingAudit, RetryPolicy.ACCEPTED, _AUDIT, "304023-304024"),
    # Content
    _Row(ContentRejected, RetryPolicy.NO, _URL, "304003 40054010"),
    _Row(
        ContentRejected,
        RetryPolicy.NO,
        _UNSAFE,
        "302013 302020 304025 501014 502009 1100101 1100103 3300006 40030020 40034006",
    ),
    _Row(ContentRejected, RetryPolicy.NO, _TOO_LONG, "304005 40054007 40054018"),
    _Row(
        ContentRejected,
        RetryPolicy.NO,
        _MARKDOWN,
        "50037 50040-50042 50054-50055 50057 40034008-40034011 40034124",
    ),
    _Row(
        ContentRejected,
        RetryPolicy.NO,
        _KEYBOARD,
        "50049-50050 304039-304040 304062 305007 40034029 40034106 40034108-40034109",
    ),
    _Row(
        ContentRejected,
        RetryPolicy.NO,
        _CONTENT,
        "22006 50006 50035 50059 304030 304061 340069 501015 503005-503006 503014-503020 630007 40030008",
    ),
    _Row(ContentRejected, RetryPolicy.NO, _STREAM, "40007"),
    # Media
    _Row(
        MediaError,
        RetryPolicy.BACKOFF,
        _FETCH,
        "304010 304017 304021 304082-304083 850026-850027 40034001 40034004 40093001",
    ),
    _Row(MediaError, RetryPolicy.NO, _FILE, "304020 850019 850031"),
    _Row(MediaError, RetryPolicy.NO, _FILE_INFO, "304080"),
    _Row(MediaError, RetryPolicy.NO, _MEDIA_ARGUMENT, "850012"),
    _Row(MediaError, RetryPolicy.NO, _MEDIA_URL, "850028 40011021"),
    _Row(MediaError, RetryPolicy.NO, _IMAGE_SIZE, "40035002"),
    _Row(MediaError, RetryPolicy.NO, _IMAGE_HASH, "40035003"),
    # Arguments
    _Row(
        ApiError,
        RetryPolicy.NO,
        _ARGUMENT,
        "50038 50048 50051 50053 301000 301007 302000 302008 302014-302018 302022-302023 304051 306001 501001 501009 "
        "501019 502002 502004-502007 503002 503007 503011 504001 610008 610010 620001 620003 630001 630008 "
        "40030001 40030011-40030012 40030014-40030018 40030021 40061001",
    ),
    # The platform
    _Row(ServerError, RetryPolicy.NO, _BUSY, "302009 304006 304016 340067 1100304 1100499"),
    _Row(
        ServerError,
        RetryPolicy.BACKOFF,
        _BUSY,
        "11004 11303-11306 12003 50001 50039 301001-301003 301005 302001-302007 302019 304007-304009 304012 304029 "
        "304033 304044 306003 306005-306006 306010 501002-501004 501006-501007 501011-501012 501020 502008 503003 "
        "503010 503013 504003-504004 610003-610006 610009 610011-610012 610014 620007 630004-630005 1100300 1100302 "
        "1100305 40030009 40054006 50055001-50055002 50055006 50065001",
    ),
)

_TOKEN_ENDPOINT = (
    _Row(RateLimited, RetryPolicy.BACKOFF, _SLOWER, "100001"),
    _Row(ServerError, RetryPolicy.BACKOFF, _BUSY, "100002"),
    _Row(AuthError, RetryPolicy.NO, _APP_ID, "10004 100007"),
    _Row(AuthError, RetryPolicy.NO, _SECRET, "100016"),
)

_SHARE_LINK = (
    _Row(ApiError, RetryPolicy.NO, _ARGUMENT, "10001"),
    _Row(ServerError, RetryPolicy.NO, _BUSY, "10003"),
)


def _codes(text: str) -> Iterator[int]:
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _table(rows: tuple[_Row, ...]) -> dict[int, ErrorRule]:
    return {code: ErrorRule(row.error, row.retry, row.hint) for row in rows for code in _codes(row.codes)}


_TABLES: dict[Family, dict[int, ErrorRule]] = {
    "general": _table(_GENERAL),
    "token": _table(_TOKEN_ENDPOINT),
    "share_link": _table(_SHARE_LINK),
}

PENDING = ErrorRule(MessagePendingAudit, RetryPolicy.ACCEPTED, _AUDIT)
"""The rule for an answer that names a review, with or without a code."""

_BY_STATUS = {
    201: PENDING,
    202: PENDING,
    401: ErrorRule(AuthError, RetryPolicy.TOKEN, _TOKEN),
    403: ErrorRule(PermissionMissing, RetryPolicy.NO, _NO_RIGHT),
    404: ErrorRule(NotFound, RetryPolicy.NO, _MISSING),
    413: ErrorRule(
        MediaError,
        RetryPolicy.NO,
        Hint(
            "请求体过大，改用 URL 或分片上传",
            "the request is too large: let the platform fetch a URL, or upload in parts",
        ),
    ),
    429: ErrorRule(RateLimited, RetryPolicy.BACKOFF, _SLOWER),
}
_FAILED = ErrorRule(ServerError, RetryPolicy.BACKOFF, _BUSY)
_NOT_LISTED = Hint(
    "未收录的错误，请带上 trace id 反馈", "this error is not in our table: report it with code and trace id"
)
_UNKNOWN = ErrorRule(ApiError, RetryPolicy.NO, _NOT_LISTED)
# The platform gave a reason, which no repeat may change, and what it did is not known.
_UNEXPLAINED = ErrorRule(ServerError, RetryPolicy.UNEXPLAINED, _NOT_LISTED)


def error_rule(family: Family, code: int, status: int) -> ErrorRule:
    """Return the rule for `code` with the HTTP `status` at the endpoints of `family`."""
    known = _TABLES[family].get(code) or _TABLES["general"].get(code)
    if known is None:
        if status >= 500:
            # A proxy repeats the status in its body: that is not a code of the platform.
            return _FAILED if code in (0, status) else _UNEXPLAINED
        return _BY_STATUS.get(status, _UNKNOWN)
    if status == 401 and known.error is not IPNotAllowed:
        return known._replace(retry=RetryPolicy.TOKEN)
    return known


def is_known(family: Family, code: int) -> bool:
    """True if `code` is in the table of `family` or in the general one."""
    return code in _TABLES[family] or code in _TABLES["general"]


def explain(code: int) -> dict[Family, ErrorRule]:
    """Return the rules for `code`, one for each endpoint family that uses it; empty if it is unknown."""
    return {family: table[code] for family, table in _TABLES.items() if code in table}
