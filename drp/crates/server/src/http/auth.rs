//! Who is calling (wire-protocol §3.2).

use super::query::Query;
use super::reply::{Failure, Reply};
use crate::app::App;
use base64::Engine;
use drp_objects::{Denied, Objects, Principal};
use drp_protocol::{Error, Secret};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
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
) -> Result<(Principal, Pass), Reply> {
    let denied = match credentials(headers, query) {
        None => return Err(bare(StatusCode::UNAUTHORIZED, true)),
        Some(Credentials::Bearer(token)) => match app.objects.verify(token.expose()) {
            Ok(who) => return Ok((who, Pass::Token(token))),
            Err(denied) => denied,
        },
        Some(Credentials::Basic(user, password)) => {
            // Before the check: a change meanwhile ends the pass, never prolongs it.
            let pass = Pass::Password { mark: app.objects.user_mark(&user), user: user.clone() };
            match app.logins.login(&app.objects, user, password).await {
                Ok(who) => return Ok((who, pass)),
                Err(denied) => denied,
            }
        }
    };
    Err(match denied {
        Denied::Credentials => bare(StatusCode::FORBIDDEN, false),
        Denied::Token => bare(StatusCode::FORBIDDEN, true),
        Denied::Changed => Failure::from(Error::new(403, "AUTH", "Validation failed")).into_reply(),
    })
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
