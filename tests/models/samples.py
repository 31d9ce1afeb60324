"""One payload of each event, with the fields and forms that the platform's pages show."""

import json

OPENID = "E4F4AEA33253A2797FB897C50B81D7ED"
GROUP = "C9F778FE6ADF9D1D1DBE395BF744A33A"
TIME = "2026-03-01T09:48:47+08:00"

V2_MESSAGE: dict[str, object] = {
    "id": "ROBOT1.0_.b6nx.CVryAO0nR58RXuU6SC.m5f",
    "content": " /weather 北京",
    "timestamp": TIME,
    "message_type": 103,
    "message_scene": {"source": "default", "ext": ["msg_idx=REFIDX_CJ/7YhA==", "ref_msg_idx=REFIDX_A=="]},
    "attachments": [
        {
            "content_type": "image/png",
            "filename": "cat.png",
            "height": 208,
            "width": 320,
            "size": 4096,
            "url": "https://multimedia.nt.qq.com.cn/download?fileid=1",
        }
    ],
    "msg_elements": [
        {"msg_idx": "REFIDX_A==", "message_type": 0, "content": "before", "author": {"id": OPENID, "bot": False}}
    ],
    "ark_data": {"prompt": "[card]", "ark_type": "tuwen", "fields": {"title": "t", "tags": ["a"]}},
}
GROUP_MESSAGE = V2_MESSAGE | {
    "author": {
        "id": OPENID,
        "member_openid": OPENID,
        "username": "Alice",
        "bot": False,
        "member_role": "admin",
        "union_openid": "",
    },
    "group_id": GROUP,
    "group_openid": GROUP,
    "mentions": [{"scope": "single", "id": "BOT", "member_openid": "BOT", "bot": True, "is_you": True}],
}
C2C_MESSAGE = V2_MESSAGE | {"author": {"id": OPENID, "user_openid": OPENID, "username": ""}}
GUILD_MESSAGE: dict[str, object] = {
    "id": "08e3b9ad8d99ddf2eb0110",
    "channel_id": "100010",
    "guild_id": "18700000000001",
    "content": "<@!1234> hello",
    "timestamp": TIME,
    "author": {"id": "9876", "username": "Bob", "avatar": "https://qqchannel.example/0", "bot": False},
    "member": {"joined_at": "2025-04-12T16:34:42+08:00", "nick": "Bobby", "roles": ["1", "4"]},
    "mentions": [{"id": "1234", "username": "the bot", "bot": True}],
    "attachments": [{"url": "gchat.qpic.cn/1/2/0", "content_type": "image/jpeg", "id": "2", "size": 12}],
    "seq": 101,
    "seq_in_channel": "101",
    "message_reference": {"message_id": "08e3b9"},
}
DIRECT_MESSAGE = GUILD_MESSAGE | {"direct_message": True, "src_guild_id": "18700000000002"}
ROBOT = {"timestamp": 1772329727, "group_openid": GROUP, "op_member_openid": OPENID}
MEMBER = {"timestamp": 1772329727, "group_openid": GROUP, "member_openid": OPENID, "user_openid": ""}
FRIEND: dict[str, object] = {"timestamp": 1772329727, "openid": OPENID}
GUILD_ID = "18700000000001"
CHANNEL_ID = "100010"
USER_ID = "11528069550601428493"
GUILD: dict[str, object] = {
    "id": GUILD_ID,
    "name": "the guild",
    "icon": "https://groupprohead.gtimg.cn/0",
    "owner_id": USER_ID,
    "member_count": 2,
    "max_members": 300,
    "description": "",
    "joined_at": TIME,
    "op_user_id": USER_ID,
}
CHANNEL: dict[str, object] = {
    "id": CHANNEL_ID,
    "guild_id": GUILD_ID,
    "name": "a channel",
    "type": 0,
    "sub_type": 0,
    "owner_id": USER_ID,
    "op_user_id": USER_ID,
}
GUILD_MEMBER: dict[str, object] = {
    "guild_id": GUILD_ID,
    "user": {"id": USER_ID, "username": "Bob", "avatar": "https://qqchannel.example/0", "bot": False},
    "nick": "Bobby",
    "roles": ["11"],
    "joined_at": TIME,
    "op_user_id": USER_ID,
}
DELETED: dict[str, object] = {
    "message": {
        "id": "08e3b9ad8d99ddf2eb0110",
        "channel_id": CHANNEL_ID,
        "guild_id": GUILD_ID,
        "author": {"id": USER_ID, "username": "Bob", "bot": False},
    },
    "op_user": {"id": USER_ID},
}
REACTION: dict[str, object] = {
    "user_id": USER_ID,
    "guild_id": GUILD_ID,
    "channel_id": CHANNEL_ID,
    "target": {"id": "08cac39bf6d0aaeccf48", "type": 0},
    "emoji": {"id": "277", "type": 1},
}
AUDIT: dict[str, object] = {
    "audit_id": "3a1b",
    "guild_id": GUILD_ID,
    "channel_id": CHANNEL_ID,
    "audit_time": TIME,
    "create_time": TIME,
    "seq_in_channel": "101",
}
FORUM: dict[str, object] = {"guild_id": GUILD_ID, "channel_id": CHANNEL_ID, "author_id": USER_ID}
TITLE = '{"paragraphs":[{"elems":[{"text":{"text":"a title"},"type":1}],"props":{}}]}'
CONTENT = (
    '{"paragraphs":[{"elems":[{"text":{"text":"hello ","props":{"font_bold":true}},"type":1},'
    '{"url":{"url":"https://qq.com","desc":"a link"},"type":4}],"props":{"alignment":1}},'
    '{"elems":[{"image":{"plat_image":{"url":"https://p/1","width":2,"height":3,"image_id":"i"}},"type":2}]}]}'
)
THREAD = FORUM | {"thread_info": {"thread_id": "B_1", "title": TITLE, "content": CONTENT, "date_time": TIME}}
POST = FORUM | {"post_info": {"thread_id": "B_1", "post_id": "p1", "content": CONTENT, "date_time": TIME}}
REPLY = FORUM | {
    "reply_info": {"thread_id": "B_1", "post_id": "p1", "reply_id": "r1", "content": CONTENT, "date_time": TIME}
}
AUDIO: dict[str, object] = {"guild_id": GUILD_ID, "channel_id": CHANNEL_ID, "audio_url": "https://a/b", "text": "song"}
LISTENER: dict[str, object] = {
    "guild_id": GUILD_ID,
    "channel_id": CHANNEL_ID,
    "channel_type": 2,
    "user_id": USER_ID,
}

SAMPLES: dict[str, object] = {
    "READY": {
        "version": 1,
        "session_id": "082ee18c-0be3-491b-9d8b-fbd95c51673a",
        "user": {"id": "6158788878435714165", "username": "群pro测试机器人", "bot": True},
        "shard": [0, 0],
    },
    "RESUMED": "",
    "GROUP_AT_MESSAGE_CREATE": GROUP_MESSAGE,
    "GROUP_MESSAGE_CREATE": GROUP_MESSAGE,
    "C2C_MESSAGE_CREATE": C2C_MESSAGE,
    "AT_MESSAGE_CREATE": GUILD_MESSAGE,
    "MESSAGE_CREATE": GUILD_MESSAGE,
    "DIRECT_MESSAGE_CREATE": DIRECT_MESSAGE,
    "INTERACTION_CREATE": {
        "id": "1bc0e5c0-1d1a-4f9b-8e4a-7d3f0c8d1a2b",
        "application_id": "102000001",
        "type": 11,
        "scene": "group",
        "chat_type": 1,
        "timestamp": TIME,
        "group_openid": GROUP,
        "group_member_openid": OPENID,
        "data": {"type": 11, "resolved": {"button_id": "1", "button_data": "vote:yes"}},
        "version": 1,
    },
    "FRIEND_ADD": FRIEND | {"scene": 1003, "scene_param": "from-a-link", "author": {"union_openid": "U"}},
    "FRIEND_DEL": FRIEND,
    "C2C_MSG_REJECT": FRIEND,
    "C2C_MSG_RECEIVE": FRIEND,
    "GROUP_ADD_ROBOT": ROBOT,
    "GROUP_DEL_ROBOT": ROBOT,
    "GROUP_MSG_REJECT": ROBOT,
    "GROUP_MSG_RECEIVE": ROBOT,
    "GROUP_MEMBER_ADD": MEMBER,
    "GROUP_MEMBER_REMOVE": MEMBER,
    "GROUP_JOIN_REQUEST": {
        "group_openid": GROUP,
        "join_request_id": "jr_1",
        "member_openid": OPENID,
        "username": "Carol",
        "apply_at": TIME,
        "apply_source": "self_apply",
        "verify_info": {"method": "admin_review_qa", "review_qa_list": [{"question": "why?", "answer": "fun"}]},
        "auto_approved": {"strategy_id": "st_1"},
    },
    "SUBSCRIBE_MESSAGE_STATUS": {
        "group_openid": GROUP,
        "openid": OPENID,
        "result": [
            {
                "template_id": 1001,
                "custom_template_id": "c1",
                "op": 1,
                "subscribe_id": "s1",
                "subscribe_ts": 1772329727,
                "update_ts": 1772329727,
            }
        ],
    },
    "ENTER_AIO": {"user_openid": OPENID, "from_source": "search"},
    "GUILD_CREATE": GUILD,
    "GUILD_UPDATE": GUILD,
    "GUILD_DELETE": GUILD,
    "CHANNEL_CREATE": CHANNEL,
    "CHANNEL_UPDATE": CHANNEL,
    "CHANNEL_DELETE": CHANNEL,
    "GUILD_MEMBER_ADD": GUILD_MEMBER,
    "GUILD_MEMBER_UPDATE": GUILD_MEMBER,
    "GUILD_MEMBER_REMOVE": GUILD_MEMBER,
    "MESSAGE_DELETE": DELETED,
    "PUBLIC_MESSAGE_DELETE": DELETED,
    "DIRECT_MESSAGE_DELETE": DELETED,
    "MESSAGE_REACTION_ADD": REACTION,
    "MESSAGE_REACTION_REMOVE": REACTION,
    "MESSAGE_AUDIT_PASS": AUDIT | {"message_id": "08e3b9ad8d99ddf2eb0110"},
    "MESSAGE_AUDIT_REJECT": AUDIT,
    "FORUM_THREAD_CREATE": THREAD,
    "FORUM_THREAD_UPDATE": THREAD,
    "FORUM_THREAD_DELETE": THREAD,
    "FORUM_POST_CREATE": POST,
    "FORUM_POST_DELETE": POST,
    "FORUM_REPLY_CREATE": REPLY,
    "FORUM_REPLY_DELETE": REPLY,
    "FORUM_PUBLISH_AUDIT_RESULT": FORUM
    | {"thread_id": "B_1", "post_id": "", "reply_id": "", "type": 1, "result": 1, "err_msg": "no", "task_id": "t1"},
    "OPEN_FORUM_THREAD_CREATE": FORUM,
    "OPEN_FORUM_THREAD_UPDATE": FORUM,
    "OPEN_FORUM_THREAD_DELETE": FORUM,
    "OPEN_FORUM_POST_CREATE": FORUM,
    "OPEN_FORUM_POST_DELETE": FORUM,
    "OPEN_FORUM_REPLY_CREATE": FORUM,
    "OPEN_FORUM_REPLY_DELETE": FORUM,
    "AUDIO_START": AUDIO,
    "AUDIO_FINISH": AUDIO,
    "AUDIO_ON_MIC": AUDIO,
    "AUDIO_OFF_MIC": AUDIO,
    "AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER": LISTENER,
    "AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT": LISTENER,
}


def wire(value: object) -> bytes:
    """Return the JSON that the platform would send."""
    return json.dumps(value, ensure_ascii=False).encode()
