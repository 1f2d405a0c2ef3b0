//! What can go wrong, whose fault it is and what to do: Slack's own error names and ours.

use drp_plugin_sdk::Error;
use std::time::Duration;

/// What kind of refusal an error name of Slack is, and so what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The token or webhook.
    Credentials,
    /// This channel, or a right that is missing there.
    Channel,
    /// This message.
    Message,
    /// Slack itself, for now.
    Busy,
}

/// The names that Slack's reference has for `auth.test`, `chat.postMessage`, `users.conversations` and incoming webhooks
/// (api.slack.com/methods, "Sending messages using incoming webhooks"), with what to do.
const KNOWN: &[(&str, Kind, &str)] = &[
    ("invalid_auth", Kind::Credentials, TOKEN),
    ("not_authed", Kind::Credentials, TOKEN),
    (
        "account_inactive",
        Kind::Credentials,
        "the bot or its workspace was deleted; install the app again and set the new slack/bot-key",
    ),
    (
        "token_revoked",
        Kind::Credentials,
        "the token was revoked; install the app again and set the new slack/bot-key",
    ),
    ("token_expired", Kind::Credentials, "set a fresh slack/bot-key, or turn token rotation off for the app"),
    ("not_allowed_token_type", Kind::Credentials, "use the bot token, which begins with xoxb-"),
    (
        "no_permission",
        Kind::Credentials,
        "the app lacks a permission in this workspace; an administrator has to approve it",
    ),
    (
        "org_login_required",
        Kind::Credentials,
        "the workspace is being moved to an organisation; try again when that is done",
    ),
    ("ekm_access_denied", Kind::Credentials, "an administrator of the workspace has suspended access"),
    ("access_denied", Kind::Credentials, "an administrator has to allow the app"),
    ("team_access_not_granted", Kind::Credentials, "an administrator has to let the app into this workspace"),
    ("invalid_token", Kind::Credentials, HOOK),
    (
        "no_service",
        Kind::Credentials,
        "the webhook is switched off or gone; make a new one and set slack/webhook-url",
    ),
    ("no_service_id", Kind::Credentials, HOOK),
    ("no_team", Kind::Credentials, HOOK),
    ("team_disabled", Kind::Credentials, "the workspace of the webhook is disabled"),
    (
        "missing_scope",
        Kind::Channel,
        "add the missing scope to the app under OAuth & Permissions, install it again and set the new slack/bot-key",
    ),
    (
        "channel_not_found",
        Kind::Channel,
        "correct slack/channels (ids are safest, as C0123456789); a private channel is found only after the bot was invited: /invite @bot",
    ),
    ("not_in_channel", Kind::Channel, "invite the bot into the channel: /invite @bot"),
    ("is_archived", Kind::Channel, "unarchive the channel, or take it out of slack/channels"),
    ("channel_is_archived", Kind::Channel, "unarchive the channel, or make a webhook for another one"),
    (
        "restricted_action",
        Kind::Channel,
        "a setting of the workspace keeps the bot from posting there; ask its administrator",
    ),
    (
        "restricted_action_read_only_channel",
        Kind::Channel,
        "only some may post into this channel; ask the workspace's administrator",
    ),
    (
        "posting_to_general_channel_denied",
        Kind::Channel,
        "the workspace keeps #general for administrators; use another channel",
    ),
    ("action_prohibited", Kind::Channel, "a setting of the workspace forbids it; ask its administrator"),
    ("user_not_found", Kind::Channel, "correct the channel"),
    ("msg_too_long", Kind::Message, SHORTER),
    ("msg_blocks_too_long", Kind::Message, SHORTER),
    ("no_text", Kind::Message, "give the message a text"),
    ("invalid_blocks", Kind::Message, SHORTER),
    ("invalid_blocks_format", Kind::Message, SHORTER),
    ("invalid_payload", Kind::Message, SHORTER),
    ("too_many_attachments", Kind::Message, SHORTER),
    ("ratelimited", Kind::Busy, WAIT),
    ("rate_limited", Kind::Busy, WAIT),
    ("message_limit_exceeded", Kind::Busy, "the workspace has used up its messages; see its plan"),
    ("internal_error", Kind::Busy, WAIT),
    ("fatal_error", Kind::Busy, WAIT),
    ("service_unavailable", Kind::Busy, WAIT),
    ("request_timeout", Kind::Busy, WAIT),
    ("team_added_to_org", Kind::Busy, WAIT),
    ("rollup_error", Kind::Busy, WAIT),
];

const TOKEN: &str = "set slack/bot-key to the Bot User OAuth Token of the app (it begins with xoxb-), found under OAuth & Permissions";
const HOOK: &str = "set slack/webhook-url to the whole address that Slack shows for the webhook";
const SHORTER: &str = "shorten the message or its template";
const WAIT: &str = "wait a little; it is tried again";

/// What an error name of Slack means.
pub(crate) fn kind(error: &str) -> Kind {
    known(error).map_or(Kind::Channel, |(_, kind, _)| *kind)
}

/// What to do about an error name of Slack.
pub(crate) fn advice(error: &str) -> &'static str {
    known(error).map_or("look the name up at api.slack.com/methods/chat.postMessage", |(_, _, next)| next)
}

fn known(error: &str) -> Option<&'static (&'static str, Kind, &'static str)> {
    KNOWN.iter().find(|(name, ..)| *name == error)
}

/// Why a call had no success.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// 429: nothing was posted.
    #[error("Slack asks to wait {} s (429)", .0.as_millis().div_ceil(1000))]
    Limited(Duration),
    /// Slack refused, by this name; nothing was posted. The second text says more, such as the scope that is missing.
    #[error("Slack refused: {0}{1}")]
    Refused(String, String),
    /// The certificate is not believed; nothing was sent.
    #[error("the certificate of {0} is not believed: {1}")]
    Untrusted(String, String),
    /// Not reached; nothing was sent.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// Sent, but without an answer that says what became of it.
    #[error("sent to {0}, but it is not known what became of it: {1}")]
    Unclear(String, String),
}

impl Failure {
    /// Whether it may have been posted.
    pub(crate) fn unclear(&self) -> bool {
        matches!(self, Self::Unclear(..))
    }

    /// What to do.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Limited(_) => WAIT,
            Self::Refused(error, _) => advice(error),
            Self::Untrusted(..) => {
                "set slack/tls-ca to the authority that signed it, if that is yours; else somebody is in between"
            }
            Self::Unreachable(..) => {
                "see that this host resolves the name and may open TCP connections to it"
            }
            Self::Unclear(..) => "look into the channel before posting it again",
        }
    }

    /// The error as the API and `PluginErrors` show it. `what` was tried.
    pub(crate) fn error(&self, what: &str) -> Error {
        let (code, word, whose) = match self {
            Self::Limited(_) => {
                (502, "RATE_LIMITED", "nobody's: Slack takes about one message a second for a channel")
            }
            Self::Refused(error, _) => match kind(error) {
                Kind::Credentials => (401, "CREDENTIALS", "the settings'"),
                Kind::Channel => (502, "CHANNEL", "the settings', or the workspace's"),
                Kind::Message => (400, "MESSAGE", "the request's"),
                Kind::Busy => (502, "REFUSED", "Slack's"),
            },
            Self::Untrusted(..) => (502, "CERTIFICATE", "the settings', or the network's"),
            Self::Unreachable(..) => (504, "UNREACHABLE", "the network's"),
            Self::Unclear(..) => (504, "UNCONFIRMED", "Slack's, or the network's"),
        };
        // Events are tried again by themselves; what is answered with an error is not.
        let next = match self {
            Self::Limited(wait) => {
                let seconds = wait.as_millis().div_ceil(1000);
                format!("it was not posted and is not tried again; ask again after {seconds} s")
            }
            Self::Refused(name, _) if advice(name) == WAIT => {
                "it was not posted and is not tried again; ask again after a little while".to_owned()
            }
            other => other.advice().to_owned(),
        };
        error(code, word, format!("{what}: {self}"), whose, &next)
    }
}

/// An error of a param that is missing, of the wrong type or out of range.
pub(crate) fn param(what: impl Into<String>, next: &str) -> Error {
    error(400, "PARAM", what, "the settings'", next)
}

/// An error with the three messages that all errors have.
pub(crate) fn error(code: u16, kind: &str, what: impl Into<String>, whose: &str, next: &str) -> Error {
    Error::new(code, kind, what)
        .and(format!("Whose fault: {whose}"))
        .and(format!("What to do: {next}"))
        .on("plugin", "slack")
}

#[cfg(test)]
mod tests {
    use super::{Failure, KNOWN, Kind, kind};
    use std::time::Duration;

    #[test]
    fn every_known_error_says_what_to_do_and_has_a_code() {
        for (name, ..) in KNOWN {
            let error = Failure::Refused((*name).to_owned(), String::new()).error("post to #ops");
            assert!(
                error.messages[0].contains(name) && error.messages[2].starts_with("What to do: "),
                "{error}"
            );
            // 403 of a config would withdraw the whole provider.
            assert!([400, 401, 502].contains(&error.code), "{error}");
        }
        assert_eq!((kind("invalid_auth"), kind("never_heard_of")), (Kind::Credentials, Kind::Channel));
        let late = Failure::Unclear("x".to_owned(), "y".to_owned());
        assert!(late.unclear() && late.error("post").code == 504);
        let limited = Failure::Limited(Duration::from_millis(2100)).error("post");
        assert_eq!(limited.r#type, "RATE_LIMITED");
        assert!(
            limited.messages[2].contains("not posted") && limited.messages[2].contains("after 3 s"),
            "{limited}"
        );
        let busy = Failure::Refused("internal_error".to_owned(), String::new()).error("post");
        assert!(busy.messages[2].contains("it was not posted"), "{busy}");
    }
}
