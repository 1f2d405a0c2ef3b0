//! Who is calling (wire-protocol §3.2).

use super::query::Query;
use super::reply::{Failure, Reply};
use crate::app::App;
use crate::audit::{Entry, place};
use crate::logins::{Left, Refusal, WINDOW, too_many};
use base64::Engine;
use drp_objects::{Denied, Objects, Principal};
use drp_protocol::{Error, Secret};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;

/// What a request shows to be let in.
enum Credentials {
    Basic(String, Secret<String>),
    Bearer(Secret<String>),
}

/// Reads the header, or `?token=`, which is `user:password` when it holds a colon.
fn credentials(headers: &HeaderMap, query: &Query) -> Option<Credentials> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        let token = query.get("token")?;
        return Some(match token.split_once(':') {
            Some((user, password)) => Credentials::Basic(user.to_owned(), Secret::new(password.to_owned())),
            None => Credentials::Bearer(Secret::new(token.to_owned())),
        });
    };
    let (scheme, value) = header.to_str().ok()?.trim().split_once(' ')?;
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(Secret::new(value.to_owned())));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let bytes = base64::engine::general_purpose::STANDARD.decode(value).ok()?;
        let text = Secret::new(String::from_utf8(bytes).ok()?);
        let (user, password) = text.expose().split_once(':')?;
        return Some(Credentials::Basic(user.to_owned(), Secret::new(password.to_owned())));
    }
    None
}

/// What let somebody in, for those who stay: it is looked at again while they do.
pub(crate) enum Pass {
    /// The operator at the local socket.
    Local,
    /// A bearer token.
    Token(Secret<String>),
    /// A user's password; the mark is what the user's secrets were then.
    Password { user: String, mark: Option<String> },
}

impl Pass {
    /// Looks again: the principal with the claims it has now, or none when it would not be let in any more.
    pub(crate) fn renewed(&self, objects: &Objects, who: &Principal) -> Option<Principal> {
        match self {
            Self::Local => Some(who.clone()),
            Self::Token(token) => objects.verify(token.expose()).ok(),
            Self::Password { user, mark } if mark.is_some() && objects.user_mark(user) == *mark => {
                Some(Principal { claims: objects.user_claims(user)?, ..who.clone() })
            }
            Self::Password { .. } => None,
        }
    }
}

/// The principal behind a request and what it showed, or the answer that turns it away.
pub(super) async fn authenticate(
    app: &Arc<App>,
    headers: &HeaderMap,
    query: &Query,
    from: IpAddr,
    id: &str,
) -> Result<(Principal, Pass), Reply> {
    let entry = |who: String, key: &str, outcome: &str, status: u16, detail: &str| Entry {
        who,
        from: place(Some(from)),
        request: id.to_owned(),
        action: "login".to_owned(),
        scope: "users".to_owned(),
        key: key.to_owned(),
        outcome: outcome.to_owned(),
        status,
        detail: detail.to_owned(),
        ..Entry::default()
    };
    let denied = match credentials(headers, query) {
        None => return Err(bare(StatusCode::UNAUTHORIZED, true)),
        Some(Credentials::Bearer(token)) => match app.objects.verify(token.expose()) {
            Ok(who) => return Ok((who, Pass::Token(token))),
            Err(denied) => denied,
        },
        Some(Credentials::Basic(user, password)) => {
            // Before the check: a change meanwhile ends the pass, never prolongs it.
            let mark = app.objects.user_mark(&user);
            let asked = user.clone();
            let as_user =
                |outcome, status, detail| entry(format!("user:{asked}"), &asked, outcome, status, detail);
            match app.logins.login(app, user, password, from).await {
                Ok(login) => {
                    let user = login.who.subject.clone();
                    if login.checked {
                        app.audit.record(entry(login.who.name.clone(), &user, "ok", 200, ""));
                    }
                    // A plugin may have made the user, or call it otherwise.
                    let mark = mark.filter(|_| user == asked).or_else(|| app.objects.user_mark(&user));
                    return Ok((login.who, Pass::Password { user, mark }));
                }
                Err(Refusal::Wrong(left)) => {
                    app.audit.record(as_user("refused", 403, "unknown user or wrong password"));
                    return Err(limited(bare(StatusCode::FORBIDDEN, false), left));
                }
                Err(Refusal::Limited(left)) => {
                    app.audit.record_rarely(as_user("refused", 429, "too many failures"));
                    let reply = Failure::from(too_many(&asked, from, left)).into_reply();
                    return Err(limited(reply, left).with("retry-after", &left.reset.max(1).to_string()));
                }
                Err(Refusal::Unknown(error)) => {
                    app.audit.record(as_user("failed", error.code, "its plugin does not say"));
                    return Err(Failure::from(*error).into_reply());
                }
            }
        }
    };
    let status =
        if denied == Denied::Token { "malformed, forged or expired token" } else { "token of old secrets" };
    app.audit.record_rarely(entry(String::new(), "", "refused", 403, status));
    Err(match denied {
        Denied::Credentials => bare(StatusCode::FORBIDDEN, false),
        Denied::Token => bare(StatusCode::FORBIDDEN, true),
        Denied::Changed => Failure::from(Error::new(403, "AUTH", "Validation failed")).into_reply(),
    })
}

/// Says what tries are left (IETF draft-ietf-httpapi-ratelimit-headers-03).
fn limited(reply: Reply, left: Left) -> Reply {
    if left.limit == 0 {
        return reply;
    }
    reply
        .with("ratelimit-limit", &left.limit.to_string())
        .with("ratelimit-remaining", &left.remaining.to_string())
        .with("ratelimit-reset", &left.reset.to_string())
        .with("ratelimit-policy", &format!("{};w={}", left.limit, WINDOW.as_secs()))
}

/// A refusal of the outermost layer has no body (wire-protocol §3.1).
fn bare(status: StatusCode, ask: bool) -> Reply {
    let mut reply = Reply::empty(status);
    reply.0.headers_mut().remove(CONTENT_TYPE);
    if ask {
        reply.0.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("dr-provision"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: Option<&str>, query: &str) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        match credentials(&headers, &Query::parse(query)) {
            None => "nothing".to_owned(),
            Some(Credentials::Basic(user, password)) => format!("{user}/{}", password.expose()),
            Some(Credentials::Bearer(token)) => format!("token {}", token.expose()),
        }
    }

    #[test]
    fn credentials_come_in_several_shapes() {
        for (header, query, expected) in [
            (Some("Basic dTpwOnE="), "", "u/p:q"),
            (Some("basic dTpw"), "token=x", "u/p"),
            (Some("Bearer abc"), "", "token abc"),
            (None, "token=abc", "token abc"),
            (None, "token=u%3Ap", "u/p"),
            (Some("Basic !!!"), "", "nothing"),
            (Some("Basic dTo"), "", "nothing"),
            (Some("Digest abc"), "", "nothing"),
            (Some("Bearer"), "token=abc", "nothing"),
            (None, "", "nothing"),
        ] {
            assert_eq!(shown(header, query), expected, "{header:?} {query}");
        }
    }
}
