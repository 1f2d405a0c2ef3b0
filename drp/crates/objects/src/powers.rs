//! Nobody gives what they do not hold, and somebody may always do everything (wire-protocol §3.3).
//!
//! Whoever may write roles, users or tasks could else give themselves, or a friend, any claim. The rule asks of a write
//! that what it gives anew is contained in what its writer may do; what was there before may stay.

use crate::{Claims, Objects, Principal, Result, fault::Fault, memory::Row};
use drp_protocol::{Bundle, Claim, Job, JsonMap, Role, Task, User};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Types whose objects say what people may do. Their writers take turns, so that no two of them together take from
/// everybody what each alone would leave.
pub(crate) const POWERS: [&str; 3] = ["roles", "tenants", "users"];

/// Objects as they will be; none for those that go.
type Swap<'a> = BTreeMap<(&'a str, &'a str), Option<&'a JsonMap>>;

fn model<T: DeserializeOwned + Default>(object: &JsonMap) -> T {
    serde_json::from_value(Value::Object(object.clone())).unwrap_or_default()
}

fn refuse(lacking: &Claim) -> Fault {
    let Claim { scope, action, specific, .. } = lacking;
    Fault::Refused {
        kind: "AUTH",
        model: String::new(),
        key: String::new(),
        messages: vec![
            "Nobody can give more than they may do themselves".to_owned(),
            format!("Requires: {scope} {action} {specific}"),
        ],
        code: 403,
    }
}

/// What only those who may do everything do.
fn everything() -> Fault {
    refuse(&Claim { scope: "*".to_owned(), action: "*".to_owned(), specific: "*".to_owned() })
}

impl Objects {
    /// Refuses a write that gives more than the writer holds.
    pub(crate) fn check_powers(
        &self,
        who: &Principal,
        prefix: &str,
        old: Option<&Row>,
        new: &JsonMap,
    ) -> Result<(), Fault> {
        if who.claims.is_full() {
            return Ok(());
        }
        let before = old.map(Row::map).unwrap_or_default();
        match prefix {
            "tenants" if who.claims.is_confined() => Err(everything()),
            "roles" => {
                let (had, has) = (model::<Role>(&before).claims, model::<Role>(new).claims);
                let fresh: Vec<Claim> = has.into_iter().filter(|claim| !had.contains(claim)).collect();
                holds(&who.claims, &fresh)
            }
            "tasks" => {
                let (had, has) = (model::<Task>(&before), model::<Task>(new));
                let fresh = has.extra_claims.into_iter().filter(|claim| !had.extra_claims.contains(claim));
                holds(&who.claims, &fresh.collect::<Vec<_>>())?;
                self.may_give_roles(&who.claims, &had.extra_roles, &has.extra_roles)
            }
            "jobs" => {
                let (had, has) = (model::<Job>(&before).extra_claims, model::<Job>(new).extra_claims);
                let fresh: Vec<Claim> = has.into_iter().filter(|claim| !had.contains(claim)).collect();
                holds(&who.claims, &fresh)
            }
            "users" => {
                let (had, has) = (model::<User>(&before), model::<User>(new));
                let text = |object: &JsonMap, field: &str| {
                    object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                let login =
                    |object: &JsonMap| object.get("Meta").and_then(|meta| meta.get("auth-method")).cloned();
                let taken_over = old.is_some()
                    && (!text(new, "PasswordHash").is_empty()
                        || (!has.secret.is_empty() && has.secret != had.secret)
                        || login(new) != login(&before));
                if taken_over {
                    self.may_become(who, &had.name)?;
                }
                self.may_give_roles(&who.claims, &had.roles, &has.roles)
            }
            "preferences" if crate::prefs::is_secret(model::<drp_protocol::Pref>(new).name.as_str()) => {
                // Whoever knows them makes any token.
                Err(everything())
            }
            _ => Ok(()),
        }
    }

    /// Refuses what would let somebody act as a user who may do more.
    pub(crate) fn may_become(&self, who: &Principal, user: &str) -> Result<(), Fault> {
        if who.claims.is_full() || who.name == format!("user:{user}") {
            return Ok(());
        }
        let roles = self.inner.state.row("users", user).map(|row| model::<User>(&row.map()).roles);
        self.may_give_roles(&who.claims, &[], &roles.unwrap_or_default())
    }

    fn may_give_roles(&self, claims: &Claims, had: &[String], has: &[String]) -> Result<(), Fault> {
        let fresh: Vec<String> = has.iter().filter(|role| !had.contains(role)).cloned().collect();
        if fresh.iter().any(|role| !self.inner.state.exists("roles", role)) {
            // Nobody knows what it will allow once somebody makes it.
            return Err(everything());
        }
        holds(claims, &self.role_claims(&fresh))
    }

    /// Refuses a bundle that gives more than its bringer holds, or that would leave nobody who may do everything.
    ///
    /// # Errors
    /// 403 `AUTH`; 409.
    pub fn check_bundle(&self, who: &Principal, bundle: &Bundle) -> Result<()> {
        for prefix in ["roles", "tasks", "tenants", "users"] {
            for (key, object) in bundle.sections.get(prefix).into_iter().flatten() {
                let row = self.inner.state.row(prefix, key);
                // Fields of bundles come in any case; the table's own form has them exact.
                let Some(table) = self.inner.state.table(prefix) else { continue };
                let Ok(exact) = (table.kind.normalise)(prefix, object.clone()) else { continue };
                self.check_powers(who, prefix, row.as_deref(), &exact)?;
            }
        }
        let gone = self.roles_of_layer(&bundle.meta.name);
        let mut swap: Swap<'_> = gone.iter().map(|key| (("roles", key.as_str()), None)).collect();
        let roles = bundle.sections.get("roles").into_iter().flatten();
        swap.extend(roles.map(|(key, object)| (("roles", key.as_str()), Some(object))));
        self.check_heirs("contents", &bundle.meta.name, "POST", &swap)
    }

    /// Refuses to let a layer go whose roles are all that lets somebody do everything.
    ///
    /// # Errors
    /// 409.
    pub fn check_layer_gone(&self, name: &str) -> Result<()> {
        let gone = self.roles_of_layer(name);
        let swap: Swap<'_> = gone.iter().map(|key| (("roles", key.as_str()), None)).collect();
        self.check_heirs("contents", name, "DELETE", &swap)
    }

    fn roles_of_layer(&self, name: &str) -> Vec<String> {
        let rows = self.inner.state.table("roles").map(|table| table.snapshot()).unwrap_or_default();
        let here = rows.iter().filter(|row| row.layer.as_deref() == Some(name));
        here.map(|row| row.key.to_string()).collect()
    }

    /// Refuses a write of a user, role or tenant after which nobody could do everything. `new` is none when the object
    /// goes.
    pub(crate) fn check_last(
        &self,
        prefix: &str,
        key: &str,
        kind: &'static str,
        new: Option<&JsonMap>,
    ) -> Result<()> {
        if !POWERS.contains(&prefix) {
            return Ok(());
        }
        self.check_heirs(prefix, key, kind, &Swap::from([((prefix, key), new)]))
    }

    fn check_heirs(&self, prefix: &str, key: &str, kind: &'static str, swap: &Swap<'_>) -> Result<()> {
        if swap.is_empty() || self.superuser(swap).is_some() {
            return Ok(());
        }
        // When there is none now, nothing gets worse.
        let Some(last) = self.superuser(&Swap::new()) else { return Ok(()) };
        let text = format!(
            "User {last} is the last one that may do everything; give another user the role superuser first"
        );
        let (model, key) = (prefix.to_owned(), key.to_owned());
        Err(Fault::Refused { kind, model, key, messages: vec![text], code: 409 }.into())
    }

    /// Somebody who may do everything once these objects are as they will be.
    fn superuser(&self, swap: &Swap<'_>) -> Option<String> {
        let state = &self.inner.state;
        let full = |role: &String| {
            let claims = match swap.get(&("roles", role.as_str())) {
                Some(changed) => model::<Role>((*changed)?).claims,
                None => self.role_claims(std::slice::from_ref(role)),
            };
            Claims::new(claims).is_full().then_some(())
        };
        let confined = |user: &str| {
            let swapped = swap.iter().filter(|((prefix, _), _)| *prefix == "tenants");
            let then = swapped.clone().filter_map(|(_, tenant)| *tenant);
            then.into_iter().any(|t| model::<drp_protocol::Tenant>(t).users.iter().any(|u| u == user))
                || state.tenants_of(user).iter().any(|t| !swapped.clone().any(|((_, key), _)| t.is_of(key)))
        };
        let table = state.table("users")?;
        let mut names: Vec<String> = table.snapshot().iter().map(|row| row.key.to_string()).collect();
        let coming = swap.keys().filter(|(prefix, _)| *prefix == "users").map(|(_, key)| (*key).to_owned());
        names.extend(coming);
        names.into_iter().find(|name| {
            let roles = match swap.get(&("users", name.as_str())) {
                Some(Some(changed)) => model::<User>(changed).roles,
                Some(None) => return false,
                None => {
                    state.row("users", name).map(|row| model::<User>(&row.map()).roles).unwrap_or_default()
                }
            };
            roles.iter().any(|role| full(role).is_some()) && !confined(name)
        })
    }
}

fn holds(claims: &Claims, given: &[Claim]) -> Result<(), Fault> {
    match claims.lacking(given) {
        Some(claim) => Err(refuse(claim)),
        None => Ok(()),
    }
}
