//! Tokens and passwords (wire-protocol §3.2).

use crate::ClientError;
use crate::path::join;
use crate::query::Query;
use crate::transport::{API, Client};
use drp_protocol::{Secret, User, UserToken};
use reqwest::Method;
use serde_json::json;

/// What a token may do and for how long. Empty parts are not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenQuery {
    /// Whole seconds, or a number with a unit from `ns` to `y`.
    pub ttl: Option<String>,
    /// Comma list of roles, contained in the user's own.
    pub roles: Option<String>,
    /// Narrow the token to this scope.
    pub scope: Option<String>,
    /// Narrow the token to this action.
    pub action: Option<String>,
    /// Narrow the token to this key.
    pub specific: Option<String>,
}

impl Client {
    /// A token of a user.
    ///
    /// # Errors
    /// 403 when the caller may not have it, 400 when the query is wrong.
    pub async fn user_token(&self, user: &str, query: &TokenQuery) -> Result<UserToken, ClientError> {
        let mut path = join(API, &["users", user, "token"])?;
        [
            ("ttl", &query.ttl),
            ("roles", &query.roles),
            ("scope", &query.scope),
            ("action", &query.action),
            ("specific", &query.specific),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .fold(Query::new(), |q, (name, value)| q.with(name, value))
        .append_to(&mut path);
        self.get_json(&path).await
    }

    /// A token of a machine; `ttl` is a number with a unit from `ns` to `y`, or `never`.
    ///
    /// # Errors
    /// 404 when the machine does not exist, 400 when the time is wrong.
    pub async fn machine_token(&self, id: &str, ttl: Option<&str>) -> Result<UserToken, ClientError> {
        let mut path = join(API, &["machines", id, "token"])?;
        if let Some(ttl) = ttl {
            Query::new().with("ttl", ttl).append_to(&mut path);
        }
        self.get_json(&path).await
    }

    /// Changes a user's password, which kills the user's tokens.
    ///
    /// # Errors
    /// 404 when the user does not exist.
    pub async fn set_password(&self, user: &str, password: &Secret) -> Result<User, ClientError> {
        let path = join(API, &["users", user, "password"])?;
        self.send_json(Method::PUT, &path, &json!({ "Password": password.expose() })).await
    }
}
