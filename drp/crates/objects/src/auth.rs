//! Who is calling (wire-protocol §3.2).

use crate::{Claims, Objects, Principal, Result};
use drp_protocol::Secret;
use std::time::Duration;

/// Why somebody is not let in. The first three travel with an empty body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// 403: unknown user or wrong password.
    #[error("unknown user or wrong password")]
    Credentials,
    /// 403 with `WWW-Authenticate: dr-provision`: the token is malformed, forged or expired.
    #[error("the token is malformed or expired")]
    Token,
    /// 403 `AUTH` `Validation failed`: the token's user is gone or a secret it depends on changed.
    #[error("Validation failed")]
    Changed,
}

/// What a token is wanted for; the default is a full token for an hour.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// How long it holds: an hour when none, for ever when `Duration::MAX`.
    pub ttl: Option<Duration>,
    /// Only these roles, which must be the user's own.
    pub roles: Vec<String>,
    /// Only this scope, `*` when empty.
    pub scope: String,
    /// Only this action, `*` when empty.
    pub action: String,
    /// Only this object, `*` when empty.
    pub specific: String,
}

impl Objects {
    /// Checks a password. It costs some 50 ms of CPU: call it in `spawn_blocking`.
    ///
    /// # Errors
    /// [`Denied::Credentials`].
    pub fn login(&self, user: &str, password: &Secret<String>) -> Result<Principal, Denied> {
        let _ = (user, password);
        todo!()
    }

    /// Checks a bearer token.
    ///
    /// # Errors
    /// [`Denied::Token`] or [`Denied::Changed`].
    pub fn verify(&self, token: &str) -> Result<Principal, Denied> {
        let _ = token;
        todo!()
    }

    /// Makes a token for a user.
    ///
    /// # Errors
    /// 404 for an unknown user; 400 for roles that are not the user's, or `No such scope 'X'`, `No such action 'X'`.
    pub fn user_token(&self, user: &str, request: &TokenRequest) -> Result<Secret<String>> {
        let _ = (user, request);
        todo!()
    }

    /// Makes a token for a machine's agent.
    ///
    /// # Errors
    /// 404 for an unknown machine.
    pub fn machine_token(&self, id: &str, ttl: Option<Duration>) -> Result<Secret<String>> {
        let _ = (id, ttl);
        todo!()
    }

    /// The run-time token of a plugin: claim `* * *`, a million hours (wire-protocol §1.2).
    #[must_use]
    pub fn plugin_token(&self, plugin: &str) -> Secret<String> {
        let _ = plugin;
        todo!()
    }

    /// The token for `define`: claim `* get *`, one hour.
    #[must_use]
    pub fn define_token(&self, provider: &str) -> Secret<String> {
        let _ = provider;
        todo!()
    }

    /// Changes a password, which kills the user's tokens, and publishes `save`. CPU-heavy part runs on the
    /// blocking pool.
    ///
    /// # Errors
    /// 404.
    pub async fn set_password(
        &self,
        who: &Principal,
        user: &str,
        password: &Secret<String>,
    ) -> Result<crate::Fetched> {
        let _ = (who, user, password);
        todo!()
    }

    /// Checks a claim and gives the error of wire-protocol §3.2 when it is missing: 404 for `get`, else 403 `AUTH`
    /// `Cannot access <url>`, `Requires: <scope> <action> <specific>`. An `id` that names an object by another
    /// index is resolved to its key before the comparison and shown as given.
    ///
    /// # Errors
    /// See above.
    pub fn authorize(&self, who: &Principal, url: &str, scope: &str, action: &str, id: &str) -> Result<()> {
        let _ = (who, url, scope, action, id);
        todo!()
    }

    /// The claims of a user as its roles say now.
    #[must_use]
    pub fn user_claims(&self, user: &str) -> Option<Claims> {
        let _ = user;
        todo!()
    }
}
