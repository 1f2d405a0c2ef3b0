//! What a request comes to, in the words of the audit log.

use super::Entry;
use crate::http::Query;
use drp_objects::Principal;
use http::Method;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Types whose every change is told, whoever makes it. Of others plugins and machines change too much.
const TOLD: [&str; 6] = ["contents", "plugin_providers", "preferences", "roles", "tenants", "users"];

/// One request: who, from where, what. Routes add to it what the path does not say.
#[derive(Clone)]
pub(crate) struct Story {
    who: String,
    from: String,
    request: Arc<str>,
    action: String,
    scope: String,
    key: String,
    /// Whether it is told when it went well.
    told: bool,
    /// Whether it is told when it was refused.
    refusable: bool,
    said: Arc<Mutex<Said>>,
}

/// What routes add.
#[derive(Debug, Default)]
struct Said {
    key: Option<String>,
    details: Vec<String>,
}

/// Where a caller is, as the log writes it.
pub(crate) fn place(from: Option<IpAddr>) -> String {
    from.map_or_else(|| "local".to_owned(), |ip| ip.to_canonical().to_string())
}

impl Story {
    /// `path` is what follows `/api/v3`, or the whole one of `/api/v1`.
    pub(crate) fn new(
        who: &Principal,
        from: Option<IpAddr>,
        request: &Arc<str>,
        method: &Method,
        path: &[String],
        query: &Query,
    ) -> Self {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let (scope, key, action) = deed(method, &path);
        let program = who.is_plugin() || who.name.starts_with("runner:");
        let secret = reads
            && (action == "token"
                || action == "backup"
                || query.is_set("decode")
                || matches!(path.as_slice(), ["contents", _]));
        let quiet = matches!(path.as_slice(), ["events"] | ["jobs", _, "log"] | ["whoami"]);
        let told = if reads { secret } else { !quiet && action != "render" };
        let told = told && (!program || TOLD.contains(&scope.as_str()) || action.starts_with("action:"));
        Self {
            who: who.name.clone(),
            from: place(from),
            request: Arc::clone(request),
            action: if secret && reads && action == "get" { "getSecure".to_owned() } else { action },
            scope,
            key,
            told,
            refusable: !quiet,
            said: Arc::default(),
        }
    }

    /// Scope and name of an object that the path names by an index, as `Name:bob`.
    pub(crate) fn names_by_index(&self) -> Option<(&str, &str)> {
        self.key.contains(':').then_some((self.scope.as_str(), self.key.as_str()))
    }

    /// Names the object, where the path does not: one that is made.
    pub(crate) fn about(&self, key: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).key = Some(key.to_owned());
    }

    /// Says more of it. No value of an object may be in it.
    pub(crate) fn detail(&self, text: impl Into<String>) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).details.push(text.into());
    }

    /// The entry, when the outcome is worth one.
    pub(crate) fn ends(&self, status: u16) -> Option<Entry> {
        let refused = matches!(status, 401 | 403);
        if !(self.told || (refused && self.refusable)) {
            return None;
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Entry {
            who: self.who.clone(),
            from: self.from.clone(),
            request: self.request.to_string(),
            action: self.action.clone(),
            scope: self.scope.clone(),
            key: said.key.clone().unwrap_or_else(|| self.key.clone()),
            outcome: match status {
                401 | 403 => "refused",
                400.. => "failed",
                _ => "ok",
            }
            .to_owned(),
            status,
            detail: said.details.join(" "),
            ..Entry::default()
        })
    }
}

/// Scope, key and action of a request, as claims call them where they have a word.
fn deed(method: &Method, path: &[&str]) -> (String, String, String) {
    let verb = match *method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT | Method::PATCH => "update",
        Method::DELETE => "delete",
        _ => method.as_str(),
    };
    let (scope, key, action) = match path {
        ["prefs"] => {
            ("preferences", String::new(), if verb == "create" { "post" } else { "list" }.to_owned())
        }
        ["api", "v1", rest @ ..] => return v1(verb, rest),
        ["backup"] | ["system", "backup"] => ("system", String::new(), "backup".to_owned()),
        ["system", "actions", command] => ("system", String::new(), format!("action:{command}")),
        ["system", what @ ..] => ("system", String::new(), what.join("/")),
        ["plugin-apis", plugin, ..] => ("plugin-apis", (*plugin).to_owned(), verb.to_owned()),
        [area @ ("files" | "isos"), rest @ ..] => {
            (*area, rest.join("/"), if verb == "create" { "post" } else { verb }.to_owned())
        }
        [scope @ ("users" | "machines"), key, word @ ("token" | "password")] => {
            (*scope, (*key).to_owned(), (*word).to_owned())
        }
        ["meta", scope, key @ ..] => (*scope, key.join("/"), "update".to_owned()),
        ["params", key @ ..] => ("params", key.join("/"), verb.to_owned()),
        [scope, key, "actions" | "plugin_actions", command] => {
            (*scope, (*key).to_owned(), format!("action:{command}"))
        }
        // A param is made or goes: its object changes.
        [scope, key, "params", ..] if verb != "get" => (*scope, (*key).to_owned(), "update".to_owned()),
        [scope, key, ..] => (*scope, (*key).to_owned(), verb.to_owned()),
        [scope] => (*scope, String::new(), if verb == "get" { "list" } else { verb }.to_owned()),
        [] => ("", String::new(), verb.to_owned()),
    };
    (scope.to_owned(), key, action)
}

/// The same for what is below `/api/v1`.
fn v1(verb: &str, path: &[&str]) -> (String, String, String) {
    let (key, action) = match path {
        ["extensions"] if verb == "get" => (String::new(), "list"),
        ["extensions"] => (String::new(), verb),
        ["extensions", "validate"] => (String::new(), "validate"),
        ["extensions", key @ ..] => (key.join("/"), verb),
        ["render"] => (String::new(), "render"),
        _ => return ("info".to_owned(), String::new(), verb.to_owned()),
    };
    ("extensions".to_owned(), key, action.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(who: &str, method: &str, path: &str, query: &str, status: u16) -> Option<String> {
        let who = Principal::full(who);
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        let method = method.parse().unwrap();
        let story = Story::new(&who, None, &"r1".into(), &method, &path, &Query::parse(query));
        let entry = story.ends(status)?;
        Some(format!("{} {} {} {}", entry.scope, entry.action, entry.key, entry.outcome))
    }

    #[test]
    fn what_is_told() {
        for (who, method, path, query, status, want) in [
            ("user:a", "POST", "machines", "", 201, Some("machines create  ok")),
            ("user:a", "PATCH", "users/ann", "", 200, Some("users update ann ok")),
            ("user:a", "PUT", "users/ann/password", "", 200, Some("users password ann ok")),
            ("user:a", "GET", "users/ann/token", "ttl=9", 200, Some("users token ann ok")),
            ("user:a", "GET", "machines/m1/token", "", 404, Some("machines token m1 failed")),
            ("user:a", "GET", "machines/m1", "", 200, None),
            ("user:a", "GET", "machines/m1", "", 403, Some("machines get m1 refused")),
            ("user:a", "GET", "machines/m1", "decode=true", 200, Some("machines getSecure m1 ok")),
            ("user:a", "GET", "contents/c1", "", 200, Some("contents getSecure c1 ok")),
            ("user:a", "POST", "machines/m1/params/a/b", "", 200, Some("machines update m1 ok")),
            ("user:a", "DELETE", "machines/m1/params/a", "", 404, Some("machines update m1 failed")),
            (
                "user:a",
                "POST",
                "machines/m1/actions/poweron",
                "",
                400,
                Some("machines action:poweron m1 failed"),
            ),
            ("user:a", "POST", "jobs/j1/plugin_actions/x", "", 200, Some("jobs action:x j1 ok")),
            ("user:a", "POST", "system/actions/x", "", 200, Some("system action:x  ok")),
            ("user:a", "POST", "prefs", "", 201, Some("preferences post  ok")),
            ("user:a", "POST", "plugin_providers/ipmi", "", 201, Some("plugin_providers create ipmi ok")),
            ("user:a", "POST", "files/a/b", "", 201, Some("files post a/b ok")),
            ("user:a", "PATCH", "meta/machines/m1", "", 200, Some("machines update m1 ok")),
            ("user:a", "GET", "backup", "", 200, Some("system backup  ok")),
            ("user:a", "POST", "events", "", 204, None),
            ("user:a", "POST", "api/v1/extensions", "", 201, Some("extensions create  ok")),
            (
                "user:a",
                "DELETE",
                "api/v1/extensions/provider/x",
                "",
                204,
                Some("extensions delete provider/x ok"),
            ),
            ("user:a", "POST", "api/v1/render", "", 200, None),
            ("user:a", "POST", "api/v1/render", "", 403, Some("extensions render  refused")),
            ("user:a", "GET", "api/v1/extensions", "", 403, Some("extensions list  refused")),
            ("plugin:p", "POST", "machines/m1/params/a", "", 200, None),
            ("plugin:p", "PATCH", "users/ann", "", 200, Some("users update ann ok")),
            ("plugin:p", "POST", "machines/m1/actions/x", "", 200, Some("machines action:x m1 ok")),
            ("runner:m", "PATCH", "machines/m1", "", 403, Some("machines update m1 refused")),
        ] {
            assert_eq!(
                told(who, method, path, query, status).as_deref(),
                want,
                "{who} {method} {path} {status}"
            );
        }
    }
}
