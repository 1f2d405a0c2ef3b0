//! One authenticated request.

use super::auth::Pass;
use super::{Answer, Failure, Query, method_not_allowed, no_route};
use crate::app::App;
use crate::audit::Story;
use axum::body::Body;
use drp_objects::{Patch, Principal};
use drp_protocol::Error;
use http::{HeaderMap, Method, request::Parts};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// One authenticated request, as routes see it.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    /// Who asks.
    pub(crate) who: Principal,
    /// What it showed to be let in.
    pub(crate) pass: Pass,
    /// Everything but the body.
    pub(crate) parts: Parts,
    /// The body, not read yet. Nobody locks it: the mutex lets a call be shared between threads.
    pub(crate) body: Mutex<Body>,
    /// Decoded query string.
    pub(crate) query: Query,
    /// Address of this host that the caller reached; none on the local socket.
    pub(crate) reached: Option<IpAddr>,
    /// Address of the caller; none on the local socket.
    pub(crate) peer: Option<IpAddr>,
    /// It came over the local socket.
    pub(crate) local: bool,
    /// Names the request in logs.
    pub(crate) id: Arc<str>,
    /// What the audit log will say of it.
    pub(crate) story: Story,
}

impl Call {
    pub(crate) fn method(&self) -> &Method {
        &self.parts.method
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// A header as text, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Path and query as they were sent.
    pub(crate) fn url(&self) -> &str {
        self.parts.uri.path_and_query().map_or("/", |p| p.as_str())
    }

    pub(crate) fn not_allowed(&self) -> Answer {
        Err(method_not_allowed(self.method(), self.url()))
    }

    pub(crate) fn no_route(&self) -> Answer {
        Err(no_route(self.method(), self.url()))
    }

    /// The body; what is left behind is empty.
    pub(crate) fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks a claim of the caller (wire-protocol §3.3).
    pub(crate) fn claim(&self, scope: &str, action: &str, id: &str) -> Result<(), Failure> {
        Ok(self.app.objects.authorize_for(
            &self.who,
            self.word(),
            self.parts.uri.path(),
            scope,
            action,
            id,
        )?)
    }

    /// Whether a list shows the caller this one: without the claim it is left out (wire-protocol §3.2).
    pub(crate) fn sees(&self, scope: &str, key: &str) -> bool {
        let claims = &self.who.claims;
        claims.allow(scope, "list", key) || claims.allow(scope, "get", key)
    }

    /// Checks the claims that a patch needs, of a document that lies at `at` in its object: one `update:<path>` for each
    /// operation that writes, both paths for a move (wire-protocol §3.3); `get` when none does, for it then only reads.
    pub(crate) fn claim_patch(&self, scope: &str, id: &str, at: &str, patch: &Patch) -> Result<(), Failure> {
        if patch.only_reads() {
            return self.claim(scope, "get", id);
        }
        for action in patch.actions() {
            let action = action.replacen("update:", &format!("update:{at}"), 1);
            // The task list of a machine has a claim of its own, too.
            let tasks = scope == "machines" && action.starts_with("update:/Tasks");
            if !tasks || self.claim(scope, "updateTaskList", id).is_err() {
                self.claim(scope, &action, id)?;
            }
            self.story.detail(action);
        }
        Ok(())
    }

    /// The method as error types show it.
    fn word(&self) -> &'static str {
        match *self.method() {
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "GET",
        }
    }

    /// For the local socket, or the claims `* * *`: what tells of the host or of everything that is stored.
    pub(crate) fn for_the_operator(&self) -> Result<(), Failure> {
        if self.local || self.who.claims.is_full() {
            return Ok(());
        }
        let text = format!("Cannot access {}", self.parts.uri.path());
        Err(Error::new(403, "AUTH", text).and("Requires: * * *").into())
    }
}
