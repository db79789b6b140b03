"""The API's operations about people: users, oneself, API tokens, the audit log."""

from __future__ import annotations

from typing import Final

from exporters.console.people import logbook, profile, secondfactor, tokens, users
from exporters.console.web.routing import Nothing, Operation, Reply

OPERATIONS: Final = (
    Operation("log.export", "GET", "/log/export", "audit", logbook.exported, logbook.Filter, Reply, "text/csv"),
    Operation("log.list", "GET", "/log", "audit", logbook.listed, logbook.Filter, logbook.Entries),
    Operation("profile.get", "GET", "/profile", "self", profile.account, gives=profile.Account),
    Operation("profile.language", "PUT", "/profile/language", "self", profile.choose_language, profile.Language, Nothing),
    Operation("profile.password", "POST", "/profile/password", "entering", profile.change_password, profile.ChangePassword, Nothing),
    Operation("profile.sessions.end", "DELETE", "/profile/sessions/{id}", "self", profile.end_session, profile.SessionId, Nothing),
    Operation("profile.sessions.end_others", "DELETE", "/profile/sessions", "self", profile.end_other_sessions, Nothing, Nothing),
    Operation("profile.totp.begin", "POST", "/profile/totp", "self", secondfactor.begin, Nothing, secondfactor.Secret),
    Operation("profile.totp.codes", "POST", "/profile/totp/codes", "self", secondfactor.new_codes, secondfactor.Code, secondfactor.Codes),
    Operation("profile.totp.end", "POST", "/profile/totp/end", "self", secondfactor.end, secondfactor.Code, Nothing),
    Operation("profile.totp.prove", "POST", "/profile/totp/prove", "self", secondfactor.prove, secondfactor.Code, secondfactor.Codes),
    Operation("tokens.create", "POST", "/tokens", "self", tokens.create, tokens.NewToken, tokens.Made),
    Operation("tokens.list", "GET", "/tokens", "self", tokens.listed, Nothing, tokens.Tokens),
    Operation("tokens.revoke", "DELETE", "/tokens/{id}", "self", tokens.revoke, tokens.TokenId, Nothing),
    Operation("users.change", "PUT", "/users/{id}", "administer", users.change, users.Update, users.Known),
    Operation("users.create", "POST", "/users", "administer", users.create, users.Create, users.Password),
    Operation("users.get", "GET", "/users/{id}", "administer", users.get, users.UserId, users.Known),
    Operation("users.list", "GET", "/users", "administer", users.listed, users.List, users.Users),
    Operation("users.reset_password", "POST", "/users/{id}/password", "administer", users.reset_password, users.UserId, users.Password),
    Operation("users.reset_totp", "DELETE", "/users/{id}/totp", "administer", users.reset_totp, users.UserId, Nothing),
    Operation("users.unlock", "POST", "/users/{id}/unlock", "administer", users.unlock, users.UserId, Nothing),
)  # fmt: skip
