"""Words of logging in, accounts and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    # logging in
    "login.title": Text("登录", "Log in"),
    "login.name": Text("用户名", "User name"),
    "login.password": Text("密码", "Password"),
    "login.wrong": Text(
        "用户名或密码不正确，或者账户暂时不能登录。连续输错 5 次，账户将锁定 10 分钟。",
        "The user name or the password is wrong, or the account cannot be used now. After 5 failures in a row it is "
        "locked for 10 minutes.",
    ),
    "login.locked": Text(
        "验证码多次输错，账户已暂时锁定，请稍后重新登录。",
        "Too many wrong codes: the account is locked for a while. Log in again later.",
    ),
    # passwords
    "people.password_character": Text(
        "密码中有不可见的控制字符。", "The password has a control character in it."
    ),
    "people.password_long": Text(
        "密码超过 {limit} 字节（一个汉字占 3 字节）；为免被截断，不予接受。",
        "The password is longer than {limit} bytes (a Chinese character has 3). It is refused, since it would be cut.",
    ),
    "people.password_short": Text(
        "密码至少要有 {length} 个字符。", "A password has at least {length} characters."
    ),
    "people.password_classes": Text(
        "密码须含大写字母、小写字母、数字、其他字符中的至少 {classes} 类。",
        "A password has at least {classes} of capitals, small letters, digits and other characters.",
    ),
    "people.password_name": Text(
        "密码中不得含有用户名（正写或倒写）。",
        "The password must not contain the user name, forwards or backwards.",
    ),
    "people.password_common": Text(
        "这个密码太常见或太单调，容易被猜中。",
        "The password is a common one or too uniform: it is soon guessed.",
    ),
    "people.password_used": Text(
        "不得使用最近 {remember} 次用过的密码。",
        "The last {remember} passwords cannot be used again.",
    ),
    "people.copy": Text("复制", "Copy"),
    "people.go_on": Text("继续", "Go on"),
    "people.next": Text("下一页", "Next page"),
    "people.comma": Text("、", ", "),
    # the second factor
    "totp.title": Text("双因素验证", "Second factor"),
    "totp.heading": Text("动态口令（双因素）", "One-time codes (second factor)"),
    "totp.ask": Text(
        "请输入验证器上的 6 位动态口令；手机不在身边时，可输入一个恢复码。",
        "Type the 6-digit code of your authenticator, or a recovery code if you do not have it at hand.",
    ),
    "totp.code": Text("动态口令或恢复码", "One-time or recovery code"),
    "totp.confirm": Text("确认", "Confirm"),
    "totp.wrong": Text(
        "动态口令不正确，或已经用过；请等下一个。",
        "The code is wrong or was used before; wait for the next one.",
    ),
    "totp.required_now": Text(
        "您的账户必须使用双因素验证。请用验证器应用扫描下面的二维码，再输入它显示的 6 位数字。",
        "Your account needs a second factor. Scan the picture with an authenticator app and type the 6 digits it shows.",
    ),
    "totp.scan": Text(
        "请用验证器应用扫描二维码，再输入它显示的 6 位数字；确认后密钥不再显示。",
        "Scan the picture with an authenticator app and type the 6 digits it shows. The secret is not shown again "
        "after that.",
    ),
    "totp.qr": Text("动态口令密钥的二维码", "QR code of the secret"),
    "totp.by_hand": Text(
        "无法扫描时，手工输入密钥：", "If you cannot scan it, type in this secret:"
    ),
    "totp.on": Text(
        "已启用。剩余恢复码 {left} 个。换发恢复码或停用，须先输入一个动态口令。",
        "It is on, with {left} recovery codes left. For new ones, or to turn it off, type a code first.",
    ),
    "totp.off": Text("未启用。", "It is off."),
    "totp.turn_on": Text("启用", "Turn on"),
    "totp.turn_off": Text("停用", "Turn off"),
    "totp.is_on": Text("双因素验证已经启用。", "The second factor is on already."),
    "totp.required": Text(
        "您的角色必须使用双因素验证，不能停用。", "Your role needs a second factor; it stays on."
    ),
    "totp.begin_first": Text(
        "请先开始启用，再输入动态口令。", "Begin to turn it on first, then type a code."
    ),
    "totp.codes": Text("恢复码", "Recovery codes"),
    "totp.codes_once": Text(
        "恢复码只显示这一次，每个只能用一次。请妥善保存，手机丢失时用它登录。",
        "These codes are shown this once, and each is good once. Keep them safe, for when the phone is lost.",
    ),
    "totp.codes_new": Text("换发恢复码", "New recovery codes"),
    # one's own account
    "profile.language": Text("语言", "Language"),
    "profile.password_title": Text("修改密码", "Change the password"),
    "profile.password_due": Text(
        "密码是初始密码或已到期，须先修改才能继续使用。",
        "The password is an initial one or has expired: change it before you go on.",
    ),
    "profile.password_rules": Text(
        "至少 {length} 个字符，含大写、小写、数字、其他字符中的 {classes} 类，不含用户名，不与最近 {remember} 次相同；每 {days} 天须更换。",
        "At least {length} characters; {classes} of capitals, small letters, digits and others; without the user name; "
        "none of the last {remember}; changed every {days} days.",
    ),
    "profile.password_current": Text("当前密码", "Present password"),
    "profile.password_new": Text("新密码", "New password"),
    "profile.password_again": Text("再输一次新密码", "New password again"),
    "profile.not_again": Text(
        "两次输入的新密码不一致。", "The two new passwords are not the same."
    ),
    "profile.current_wrong": Text("当前密码不正确。", "The present password is wrong."),
    "profile.password_young": Text(
        "密码修改后 {days} 天内不能再次修改；如有泄露，请联系系统管理员重置。",
        "A password stays for {days} day(s). If somebody knows it, have an administrator reset it.",
    ),
    "profile.password_elsewhere": Text(
        "您的密码由统一身份认证管理，请在那里修改。",
        "Your password is kept by your organisation's directory; change it there.",
    ),
    "profile.password_done": Text(
        "密码已修改，其他会话已全部退出。", "The password was changed; all other sessions are over."
    ),
    "profile.password_days": Text(
        "密码还有 {days} 天到期。", "The password expires in {days} day(s)."
    ),
    "profile.sessions": Text("登录会话", "Sessions"),
    "profile.since": Text("登录时间", "Since"),
    "profile.seen": Text("最近活动", "Last seen"),
    "profile.action": Text("操作", "Action"),
    "profile.here": Text("当前会话", "this one"),
    "profile.end_session": Text("退出该会话", "End it"),
    "profile.end_sessions": Text("退出其他所有会话", "End all others"),
    "profile.session_done": Text("会话已退出。", "Ended."),
    "profile.locked": Text(
        "账户已暂时锁定，请稍后再试。", "The account is locked for a while. Try again later."
    ),
    "profile.session_only": Text(
        "此操作须登录后进行，不能使用 API 令牌。",
        "This is for who has logged in; an API token is not enough.",
    ),
    "profile.totp_off_done": Text("双因素验证已停用。", "The second factor is off."),
    # API tokens
    "tokens.title": Text("API 令牌", "API tokens"),
    "tokens.hint": Text(
        "供脚本调用 /api/v1 使用（Authorization: Bearer），权限和可见范围与您本人相同。",
        "For scripts that call /api/v1 (Authorization: Bearer). A token may do and see what you may.",
    ),
    "tokens.name": Text("名称", "Name"),
    "tokens.days": Text("有效天数", "Days"),
    "tokens.make": Text("生成令牌", "Make a token"),
    "tokens.expires": Text("到期", "Expires"),
    "tokens.used": Text("最近使用", "Last used"),
    "tokens.never": Text("从未", "never"),
    "tokens.revoke": Text("吊销", "Revoke"),
    "tokens.revoke_sure": Text(
        "吊销令牌“{name}”？使用它的脚本将立即失效。",
        "Revoke the token “{name}”? Scripts that use it stop at once.",
    ),
    "tokens.revoked": Text("令牌已吊销。", "The token was revoked."),
    "tokens.once": Text(
        "令牌只显示这一次，{until} 到期：", "The token is shown this once; it expires at {until}:"
    ),
    "tokens.name_wrong": Text(
        "名称须为 1 至 {length} 个字符。", "A name has 1 to {length} characters."
    ),
    "tokens.days_wrong": Text("有效天数须为 1 至 365。", "Days are 1 to 365."),
    "tokens.too_many": Text(
        "每人最多 {most} 个令牌，请先吊销不用的。",
        "Nobody has more than {most} tokens; revoke one first.",
    ),
    # users
    "users.new": Text("新建用户", "New user"),
    "users.create": Text("创建", "Create"),
    "users.text": Text("用户名、姓名或邮箱", "Name or mail"),
    "users.full_name": Text("姓名", "Full name"),
    "users.mail": Text("邮箱", "Mail"),
    "users.role": Text("角色", "Role"),
    "users.departments": Text("可见部门", "Departments"),
    "users.departments_hint": Text(
        "勾选“全部”则不限部门；系统管理员和审计员只能是全部。",
        "“All” means no limit; administrators and auditors always see all.",
    ),
    "users.more": Text("其他部门（每行一个）", "Other departments, one a line"),
    "users.status": Text("状态", "Status"),
    "users.is_enabled": Text("启用", "enabled"),
    "users.is_disabled": Text("停用", "disabled"),
    "users.is_locked": Text("锁定至 {until}", "locked until {until}"),
    "users.disabled": Text(
        "停用（不能登录，令牌失效）", "Disabled: cannot log in, tokens do not work"
    ),
    "users.last_login": Text("最近登录", "Last login"),
    "users.nobody": Text("没有符合条件的用户。", "Nobody matches."),
    "users.name_hint": Text(
        "小写字母、数字、汉字及 . _ @ -，创建后不能修改。",
        "Small letters, digits, Chinese characters and . _ @ -; it cannot be changed later.",
    ),
    "users.name_wrong": Text(
        "用户名须为 1 至 64 个小写字母、数字、汉字或 . _ @ -，并以字母、数字或汉字开头。",
        "A user name has 1 to 64 small letters, digits, Chinese characters or . _ @ -, and begins with none of the signs.",
    ),
    "users.name_taken": Text("该用户名已存在。", "There is a user of this name."),
    "users.full_name_long": Text(
        "姓名最多 {length} 个字符。", "A full name has at most {length} characters."
    ),
    "users.mail_wrong": Text("邮箱格式不正确。", "This is no mail address."),
    "users.role_wrong": Text("请选择角色。", "Choose a role."),
    "users.departments_wrong": Text(
        "部门最多 200 个，名称最多 128 个字符。",
        "At most 200 departments, of 128 characters each.",
    ),
    "users.whole_site": Text(
        "系统管理员和审计员须能看到全部部门。", "Administrators and auditors are of the whole site."
    ),
    "users.oneself": Text(
        "不能修改自己的角色、可见部门和启用状态，也不能在这里重置自己的密码；请由另一位系统管理员操作。",
        "Nobody changes their own role, departments or status, or resets their own password here: ask another "
        "administrator.",
    ),
    "users.last_administrator": Text(
        "这是最后一个启用的系统管理员，不能停用或改为其他角色。",
        "This is the last enabled administrator: it stays one.",
    ),
    "users.changed": Text("已保存用户 {name}。", "{name} was saved."),
    "users.handed": Text("初始密码", "Initial password"),
    "users.handed_once": Text(
        "密码只显示这一次，请当面或经安全渠道交给本人；首次登录时须修改。",
        "The password is shown this once. Hand it over in person or by a safe way; it is changed at the first login.",
    ),
    "users.ways_in": Text("登录方式", "Ways in"),
    "users.reset": Text("重置密码", "Reset the password"),
    "users.reset_sure": Text(
        "重置 {name} 的密码？其会话将全部退出。",
        "Reset the password of {name}? All their sessions end.",
    ),
    "users.unlock": Text("解除锁定", "Unlock"),
    "users.unlocked": Text("已解除锁定。", "Unlocked."),
    "users.totp_reset_do": Text("重置双因素", "Reset the second factor"),
    "users.totp_sure": Text(
        "重置 {name} 的双因素验证？请先核实本人身份。",
        "Reset the second factor of {name}? Be sure who asks for it.",
    ),
    "users.totp_reset": Text("双因素验证已重置。", "The second factor was reset."),
    # the audit log
    "log.number": Text("序号", "Number"),
    "log.time": Text("时间", "Time"),
    "log.actor": Text("操作人", "Actor"),
    "log.address": Text("来源地址", "Address"),
    "log.action": Text("操作", "Action"),
    "log.action_hint": Text(
        "以 . 结尾为一类，如 login.", "A dot at the end is all of a kind: login."
    ),
    "log.subject": Text("对象", "Subject"),
    "log.detail": Text("详情", "Detail"),
    "log.hash": Text("散列值", "Hash"),
    "log.since": Text("自", "From"),
    "log.until": Text("至", "To"),
    "log.nothing": Text("没有符合条件的记录。", "No entry matches."),
}
