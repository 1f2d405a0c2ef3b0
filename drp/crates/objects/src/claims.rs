//! What somebody may do (wire-protocol §3.3).

use crate::tenants::Confined;
use drp_protocol::{Claim, JsonMap};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

const USUAL: &[&str] = &["list", "get", "create", "delete", "actions", "update", "action"];

/// Scopes with the actions they have instead of, or beside, the usual ones.
const SCOPES: &[(&str, &[&str], &[&str])] = &[
    ("users", USUAL, &["token", "password"]),
    ("jobs", USUAL, &["log"]),
    ("machines", USUAL, &["getSecure", "updateSecure", "updateTaskList", "token", "whoami"]),
    ("plugins", USUAL, &["getSecure", "updateSecure"]),
    ("profiles", USUAL, &["getSecure", "updateSecure"]),
    ("stages", USUAL, &["getSecure", "updateSecure"]),
    ("preferences", &["list", "post"], &[]),
    ("events", &["post"], &[]),
    ("contents", &["list", "get", "create", "update", "delete"], &[]),
    ("files", &["list", "get", "post", "delete"], &[]),
    ("isos", &["list", "get", "post", "delete"], &[]),
    ("interfaces", &["list", "get"], &[]),
    ("info", &["get"], &[]),
    ("system", &["upgrade", "replicate", "active", "passive"], &["actions", "action"]),
    ("objects", &["list"], &[]),
    ("audit", &["list"], &[]),
    ("extensions", &["list", "get", "create", "delete"], &["validate", "render"]),
    ("bootenvs", USUAL, &[]),
    ("catalog_items", USUAL, &[]),
    ("contexts", USUAL, &[]),
    ("endpoints", USUAL, &["getSecure", "updateSecure"]),
    ("leases", USUAL, &[]),
    ("params", USUAL, &[]),
    ("plugin_providers", USUAL, &[]),
    ("pools", USUAL, &[]),
    ("reservations", USUAL, &[]),
    ("roles", USUAL, &[]),
    ("subnets", USUAL, &[]),
    ("tasks", USUAL, &[]),
    ("templates", USUAL, &[]),
    ("tenants", USUAL, &[]),
    ("version_sets", USUAL, &[]),
    ("workflows", USUAL, &[]),
];

const RAW_EXTRA: &[&str] = &["getSecure", "updateSecure"];

/// Scope to action to an empty object, for [`drp_protocol::Info::scopes`]: the built-in scopes and those of the
/// given raw types.
#[must_use]
pub fn scopes(raw_types: &[String]) -> BTreeMap<String, BTreeMap<String, JsonMap>> {
    let table = |usual: &[&str], extra: &[&str]| {
        usual.iter().chain(extra).map(|action| ((*action).to_owned(), JsonMap::new())).collect()
    };
    let mut out: BTreeMap<_, _> =
        SCOPES.iter().map(|(scope, usual, extra)| ((*scope).to_owned(), table(usual, extra))).collect();
    for raw in raw_types {
        out.entry(raw.clone()).or_insert_with(|| table(USUAL, RAW_EXTRA));
    }
    out
}

type Actions = &'static [&'static str];

static KNOWN: LazyLock<BTreeMap<&str, (Actions, Actions)>> =
    LazyLock::new(|| SCOPES.iter().map(|(scope, usual, extra)| (*scope, (*usual, *extra))).collect());

/// The action without its sub-action: `update:/x` is an `update`.
fn base(action: &str) -> &str {
    action.split_once(':').map_or(action, |(base, _)| base)
}

/// Whether the claims table knows the action on the scope. A scope it does not know may be a raw type, which has the
/// usual actions.
fn known(scope: &str, action: &str) -> bool {
    match KNOWN.get(scope) {
        Some((usual, extra)) => usual.iter().chain(*extra).any(|a| *a == base(action)),
        None => false,
    }
}

/// Checks claims as roles and token requests hold them. `raw_types` are scopes too.
pub(crate) fn check_claims(claims: &[Claim], raw_types: &[String], errors: &mut Vec<String>) {
    for claim in claims {
        let scopes: Vec<&str> = listed(&claim.scope).collect();
        let is_raw = |scope: &str| raw_types.iter().any(|raw| raw == scope);
        for scope in &scopes {
            if *scope != "*" && !KNOWN.contains_key(scope) && !is_raw(scope) {
                errors.push(format!("No such scope '{scope}'"));
            }
        }
        for action in listed(&claim.action).filter(|a| *a != "*") {
            let fits = |scope: &&str| match *scope {
                "*" => KNOWN.keys().any(|scope| known(scope, action)),
                scope if is_raw(scope) || !KNOWN.contains_key(scope) => {
                    USUAL.iter().chain(RAW_EXTRA).any(|a| *a == base(action))
                }
                scope => known(scope, action),
            };
            if !scopes.iter().any(fits) {
                errors.push(format!("No such action '{action}'"));
            }
        }
    }
}

/// Whether a scope belongs to the daemon, so that no raw type can have its name.
pub(crate) fn is_built_in(scope: &str) -> bool {
    KNOWN.contains_key(scope)
        || matches!(
            scope,
            "log" | "logs" | "meta" | "prefs" | "indexes" | "ws" | "websocket" | "whoami" | "plugin-apis"
        )
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

/// Whether a claim's action covers a wanted one: `*`, the same, its base, or a parent pointer of it.
fn covers(have: &str, want: &str) -> bool {
    if have == "*" || have == want {
        return true;
    }
    match want.split_once(':') {
        Some((base, _)) if have == base => true,
        Some(_) => want.strip_prefix(have).is_some_and(|rest| have.contains(':') && rest.starts_with('/')),
        None => false,
    }
}

fn holds(claims: &[Claim], scope: &str, action: &str, specific: &str) -> bool {
    claims.iter().any(|claim| {
        listed(&claim.scope).any(|have| have == "*" || have == scope)
            && listed(&claim.action).any(|have| covers(have, action))
            && listed(&claim.specific).any(|have| have == "*" || have == specific)
    })
}

/// A set of claims. Narrowed tokens hold several sets, each of which must allow a thing; who is in a tenant is besides
/// confined to its objects.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    all_of: Vec<Arc<Vec<Claim>>>,
    confined: Vec<Confined>,
}

impl Claims {
    /// Claims of one set.
    #[must_use]
    pub fn new(claims: Vec<Claim>) -> Self {
        Self { all_of: vec![Arc::new(claims)], confined: Vec::new() }
    }

    /// Everything.
    #[must_use]
    pub fn full() -> Self {
        Self::new(vec![Claim { scope: "*".into(), action: "*".into(), specific: "*".into() }])
    }

    /// These claims, narrowed to what other claims allow too.
    #[must_use]
    pub fn narrowed(mut self, to: Vec<Claim>) -> Self {
        self.all_of.push(Arc::new(to));
        self
    }

    /// These claims within tenants.
    pub(crate) fn confined(mut self, to: Vec<Confined>) -> Self {
        self.confined = to;
        self
    }

    /// Whether their holder is in a tenant.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        !self.confined.is_empty()
    }

    pub(crate) fn confines(&self) -> &[Confined] {
        &self.confined
    }

    /// What the claims of a narrowed token were narrowed to, beyond what its holder has anyway.
    pub(crate) fn narrowings(&self) -> &[Arc<Vec<Claim>>] {
        self.all_of.get(1..).unwrap_or_default()
    }

    /// Whether a tenant hides the object from their holder. An empty key is no object.
    #[must_use]
    pub fn hide(&self, scope: &str, key: &str) -> bool {
        self.confined.iter().any(|tenant| tenant.hides(scope, key))
    }

    /// Whether the thing is allowed: [`Claims::grant`] and not [`Claims::hide`].
    #[must_use]
    pub fn allow(&self, scope: &str, action: &str, specific: &str) -> bool {
        self.grant(scope, action, specific) && !self.hide(scope, specific)
    }

    /// Whether the claims name the thing, whatever a tenant hides. `specific` is the key of an object, or empty for none in particular, which is
    /// matched only by `*` or an explicitly listed empty text. An action that the claims table does not know is allowed
    /// to anyone who has any claims at all, but for the usual ones, which are asked for on every scope, and a literal
    /// `*`.
    #[must_use]
    pub fn grant(&self, scope: &str, action: &str, specific: &str) -> bool {
        if self.all_of.is_empty() {
            return false;
        }
        // `logs` is for everybody; any other scope that the table does not know may be a raw type. The usual actions
        // are asked for where the table leaves them out, too: what nobody may be given is not for everybody.
        if matches!(scope, "log" | "logs") && self.is_confined() {
            // Lines of the log speak of the objects of everybody.
            return false;
        }
        let usual = || scope != "logs" && USUAL.iter().chain(RAW_EXTRA).any(|a| *a == base(action));
        let asked = scope == "*" || base(action) == "*" || known(scope, action) || usual();
        !asked || self.all_of.iter().all(|claims| holds(claims, scope, action, specific))
    }

    /// Whether an event may be heard. Those of actions that the claims table does not know, `save` and the commands of
    /// plugins, show an object of the type, so they are for those who may read it; of types it does not know, for all.
    #[must_use]
    pub fn hear(&self, scope: &str, action: &str, specific: &str) -> bool {
        if known(scope, action) || !known(scope, "get") {
            return self.allow(scope, action, specific);
        }
        self.allow(scope, "get", specific) || self.allow(scope, "list", specific)
    }

    /// Whether everything on a scope is allowed for every object with this action, so that no object needs a check.
    #[must_use]
    pub(crate) fn allow_all(&self, scope: &str, action: &str) -> bool {
        !self.all_of.is_empty()
            && self.all_of.iter().all(|claims| holds(claims, scope, action, "*"))
            && !self.confined.iter().any(|tenant| tenant.restricts(scope))
    }

    /// Whether these are `* * *`: nothing is forbidden. What no claim can name, a copy of the whole store for
    /// instance, asks for this; [`Claims::allow`] would let anybody do what its table does not know.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.allow_all("*", "*") && !self.is_confined()
    }

    /// Whether other claims allow no more than these.
    #[must_use]
    pub(crate) fn contain(&self, others: &[Claim]) -> bool {
        !self.all_of.is_empty() && self.lacking(others).is_none()
    }

    /// The first of other claims that allows more than these, none when there is none. Whoever is in a tenant lacks
    /// them all: claims know no tenant, so giving them away would lead out of it.
    pub(crate) fn lacking<'a>(&self, others: &'a [Claim]) -> Option<&'a Claim> {
        let held = |scope: &str, action: &str, specific: &str| {
            !self.all_of.is_empty()
                && !self.is_confined()
                && self.all_of.iter().all(|claims| holds(claims, scope, action, specific))
        };
        others.iter().find(|claim| {
            !listed(&claim.scope).all(|scope| {
                listed(&claim.action)
                    .all(|action| listed(&claim.specific).all(|specific| held(scope, action, specific)))
            })
        })
    }

    /// Whether nothing at all is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all_of.iter().all(|claims| claims.is_empty())
    }
}

/// Who does something, for events and claim checks.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The text events carry: `user:<name>`, `plugin:<instance>`, `runner:<machine uuid>`, `system`.
    pub name: String,
    /// Name of the user, plugin or machine without the word before it.
    pub subject: String,
    /// What it may do.
    pub claims: Claims,
}

impl Principal {
    /// The daemon itself, which may do everything.
    #[must_use]
    pub fn system() -> Self {
        Self::full("system")
    }

    /// Somebody named, who may do everything: for plugins and local callers.
    #[must_use]
    pub fn full(name: impl Into<String>) -> Self {
        let name = name.into();
        let subject = name.split_once(':').map_or(name.as_str(), |(_, subject)| subject).to_owned();
        Self { name, subject, claims: Claims::full() }
    }

    /// Whether it is a plugin, running or defining itself.
    #[must_use]
    pub fn is_plugin(&self) -> bool {
        self.name.starts_with("plugin:")
    }
}

#[cfg(test)]
mod tests {
    use super::{Claims, check_claims, scopes};
    use drp_protocol::Claim;

    fn claim(text: &str) -> Claim {
        let mut parts = text.split(' ').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Claim { scope: next(), action: next(), specific: next() }
    }

    #[test]
    fn events_of_odd_actions_are_for_those_who_may_read() {
        let claims = |scope: &str, action: &str| {
            Claims::new(vec![Claim { scope: scope.into(), action: action.into(), specific: "k".into() }])
        };
        for (scope, action, event, want) in [
            ("info", "get", ("users", "save", "k"), false),
            ("users", "get", ("users", "save", "k"), true),
            ("users", "list", ("users", "save", "k"), true),
            ("users", "get", ("users", "save", "other"), false),
            ("machines", "update", ("machines", "poweron", "k"), false),
            ("machines", "get", ("machines", "update", "k"), false),
            ("info", "get", ("lamps", "lit", "k"), true),
        ] {
            assert_eq!(
                claims(scope, action).hear(event.0, event.1, event.2),
                want,
                "{scope} {action} {event:?}"
            );
        }
    }

    #[test]
    fn only_everything_is_full() {
        assert!(Claims::full().is_full());
        for short in ["* get *", "machines * *", "* * x", ""] {
            assert!(!Claims::new(vec![claim(short)]).is_full(), "{short}");
        }
        assert!(!Claims::new(Vec::new()).is_full() && !Claims::default().is_full());
        assert!(!Claims::full().narrowed(vec![claim("* get *")]).is_full());
    }

    #[test]
    fn what_claims_allow() {
        for (have, want, allowed) in [
            ("* * *", "machines delete x", true),
            ("* get *", "machines get x", true),
            ("* get *", "machines update x", false),
            ("machines,jobs get,list *", "jobs list ", true),
            ("machines get a,b", "machines get b", true),
            ("machines get a,b", "machines get c", false),
            ("machines get a,b", "machines get ", false),
            ("machines update *", "machines update:/Description x", true),
            ("machines update:/Params *", "machines update:/Params/a x", true),
            ("machines update:/Params *", "machines update:/ParamsX x", false),
            ("machines update:/Params *", "machines update x", false),
            ("machines action *", "machines action:poweron x", true),
            ("machines action:poweron *", "machines action:poweroff x", false),
            // Unknown to the table: anyone. Raw types are scopes like others.
            ("machines get *", "logs watch x", true),
            ("machines get *", "machines save x", true),
            // The usual actions are asked for also where the table does not have them.
            ("users token me", "preferences update:/Val baseTokenSecret", false),
            ("users token me", "preferences create ", false),
            ("users token me", "info delete x", false),
            ("users token me", "users getSecure x", false),
            ("* * *", "preferences update:/Val baseTokenSecret", true),
            // Everything is never unknown.
            ("users token me", "* * *", false),
            ("users token me", "machines * x", false),
            ("users token me", "* get x", false),
            ("* * *", "* * *", true),
            ("machines get *", "cows get x", false),
            ("cows get *", "cows get x", true),
        ] {
            let want = claim(want);
            let claims = Claims::new(vec![claim(have)]);
            assert_eq!(claims.allow(&want.scope, &want.action, &want.specific), allowed, "{have} / {want:?}");
        }
        assert!(!Claims::default().allow("machines", "get", "x"));
        let narrowed = Claims::full().narrowed(vec![claim("machines get *")]);
        assert!(narrowed.allow("machines", "get", "x") && !narrowed.allow("machines", "update", "x"));
    }

    #[test]
    fn claims_that_name_nothing_are_refused() {
        let mut errors = Vec::new();
        check_claims(&[claim("cows get *"), claim("machines frob *"), claim("* * *")], &[], &mut errors);
        assert_eq!(errors, ["No such scope 'cows'", "No such action 'frob'"]);
        errors.clear();
        check_claims(&[claim("cows getSecure *"), claim("* update:/x *")], &["cows".into()], &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn the_table_for_info() {
        let table = scopes(&["cows".into()]);
        assert!(table["machines"].contains_key("getSecure") && table["cows"].contains_key("updateSecure"));
        assert_eq!(table["events"].keys().collect::<Vec<_>>(), ["post"]);
    }
}
