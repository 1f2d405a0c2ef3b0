//! Accounts (DSP0268: AccountService, ManagerAccount, Role). They are the users that IPMI knows.

use super::http::{Answer, Request};
use super::message::refuse;
use super::profile::Profile;
use super::service;
use super::tree::{View, well, with};
use crate::User;
use crate::engine::Engine;
use drp_ipmi::{MAX_PASSWORD, MAX_USER, Privilege};
use drp_protocol::Secret;
use serde_json::{Map, Value, json};

const ROLES: [(&str, Privilege, &[&str]); 3] = [
    (
        "Administrator",
        Privilege::Administrator,
        &["Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"],
    ),
    ("Operator", Privilege::Operator, &["Login", "ConfigureSelf", "ConfigureComponents"]),
    ("ReadOnly", Privilege::User, &["Login", "ConfigureSelf"]),
];

fn role(privilege: Privilege) -> &'static str {
    ROLES.iter().find(|(_, p, _)| *p == privilege).map_or("ReadOnly", |(name, ..)| name)
}

pub(crate) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let at = format!("AccountService/{}", rest.join("/"));
    match rest {
        [] => Some(with(
            view.head(
                "AccountService",
                "AccountService.v1_15_1.AccountService",
                "AccountService",
                "Account Service",
            ),
            json!({
                "ServiceEnabled": true,
                "MaxPasswordLength": MAX_PASSWORD,
                "MinPasswordLength": 1,
                "AccountLockoutThreshold": 0,
                "Accounts": view.link("AccountService/Accounts"),
                "Roles": view.link("AccountService/Roles"),
                "Status": well(),
            }),
        )),
        ["Roles"] => Some(view.collection(&at, "Role", &ROLES.map(|(name, ..)| name))),
        ["Roles", id] => {
            let (name, _, may) = ROLES.iter().find(|(name, ..)| name == id)?;
            Some(with(
                view.head(&at, "Role.v1_3_1.Role", name, "User Role"),
                json!({ "RoleId": name, "IsPredefined": true, "AssignedPrivileges": may }),
            ))
        }
        ["Accounts"] => {
            let ids: Vec<String> = ids(view).iter().map(ToString::to_string).collect();
            Some(view.collection(&at, "ManagerAccount", &ids))
        }
        ["Accounts", id] => {
            let id: usize = id.parse().ok()?;
            if !ids(view).contains(&id) {
                return None;
            }
            let index = view.state.accounts.iter().position(|other| *other == id);
            let user = index.and_then(|index| view.config.users.get(index));
            Some(with(
                view.head(&at, "ManagerAccount.v1_12_1.ManagerAccount", &id.to_string(), "User Account"),
                json!({
                    "UserName": user.map_or("", |user| user.name.as_str()),
                    "Password": null,
                    "RoleId": user.map_or("None", |user| role(user.privilege)),
                    "Enabled": user.is_some(),
                    "Locked": false,
                    "AccountTypes": ["Redfish", "IPMI"],
                    "Links": user.map_or(json!({}), |user| json!({
                        "Role": view.link(&format!("AccountService/Roles/{}", role(user.privilege))),
                    })),
                }),
            ))
        }
        _ => None,
    }
}

/// Ids of the accounts, or of all slots where the profile has slots.
fn ids(view: &View<'_>) -> Vec<usize> {
    let (first, slots) = (view.profile.first_account, view.profile.account_slots);
    let mut ids = view.state.accounts.clone();
    if slots > 0 {
        ids.extend((first..first + slots).filter(|id| !view.state.accounts.contains(id)));
    }
    ids.sort_unstable();
    ids
}

/// What a body asks of an account.
struct Asked {
    name: Option<String>,
    password: Option<Secret>,
    privilege: Option<Privilege>,
}

fn asked(p: &Profile, body: &Map<String, Value>) -> Result<Asked, Box<Answer>> {
    let mut out = Asked { name: None, password: None, privilege: None };
    for (name, value) in body {
        let wrong = |key: &str, shown: &str| Err(Box::new(refuse(p, key, &[shown, name])));
        match (name.as_str(), value) {
            ("UserName", Value::String(text)) if text.len() <= MAX_USER => out.name = Some(text.clone()),
            ("Password", Value::String(text)) if !text.is_empty() && text.len() <= MAX_PASSWORD => {
                out.password = Some(Secret::new(text.clone()));
            }
            ("RoleId", Value::String(text)) => match ROLES.iter().find(|(name, ..)| name == text) {
                Some((_, privilege, _)) => out.privilege = Some(*privilege),
                None => return wrong("PropertyValueNotInList", text),
            },
            ("Enabled" | "Locked", Value::Bool(_)) | ("AccountTypes", Value::Array(_)) => {}
            ("Password" | "UserName", _) => return wrong("PropertyValueFormatError", "***"),
            ("RoleId" | "Enabled" | "Locked" | "AccountTypes", other) => {
                return wrong("PropertyValueTypeError", &other.to_string());
            }
            _ => return Err(Box::new(refuse(p, "PropertyUnknown", &[name]))),
        }
    }
    Ok(out)
}

impl Engine {
    /// POST, PATCH or DELETE below the AccountService.
    pub(crate) fn account(&mut self, p: &Profile, path: &[&str], request: &Request) -> Answer {
        let empty = Map::new();
        let body = request.json.as_ref().and_then(Value::as_object).unwrap_or(&empty);
        let answer = match (request.method.as_str(), path) {
            ("POST", ["Accounts"]) if p.account_slots == 0 => self.create_account(p, body),
            ("PATCH", ["Accounts", id]) => {
                self.patch_account(p, id.parse().unwrap_or(0), body, &request.path)
            }
            ("DELETE", ["Accounts", id]) if p.account_slots == 0 => {
                let index =
                    id.parse().ok().and_then(|id: usize| self.web.accounts.iter().position(|a| *a == id));
                match index {
                    None => refuse(p, "ResourceMissingAtURI", &[&request.path]),
                    Some(_) if self.config.users.len() == 1 => refuse(p, "ResourceCannotBeDeleted", &[]),
                    Some(index) => {
                        self.config.users.remove(index);
                        self.web.accounts.remove(index);
                        service::changed(p)
                    }
                }
            }
            _ => refuse(p, "OperationNotAllowed", &[]),
        };
        self.counts.account_changes += u64::from(answer.done);
        answer
    }

    fn create_account(&mut self, p: &Profile, body: &Map<String, Value>) -> Answer {
        let asked = match asked(p, body) {
            Ok(asked) => asked,
            Err(refusal) => return *refusal,
        };
        let (Some(name), Some(password)) = (asked.name.filter(|name| !name.is_empty()), asked.password)
        else {
            let missing = if body.contains_key("UserName") { "Password" } else { "UserName" };
            return refuse(p, "PropertyMissing", &[missing]);
        };
        if self.config.users.iter().any(|user| user.name == name) {
            return refuse(p, "ResourceAlreadyExists", &["ManagerAccount", "UserName", &name]);
        }
        if self.config.users.len() >= 15 {
            return refuse(p, "CreateLimitReachedForResource", &[]);
        }
        let privilege = asked.privilege.unwrap_or(Privilege::User);
        self.config.users.push(User { name, password, privilege });
        self.web.number_accounts(self.config.users.len(), p.first_account);
        let id = self.web.accounts.last().copied().unwrap_or(0).to_string();
        let view = self.view(p, std::time::Instant::now());
        let body = view.resource(&["AccountService", "Accounts", &id]).unwrap_or_default();
        let at = view.path(&format!("AccountService/Accounts/{id}"));
        Answer::new(201, body).header("location", at).done()
    }

    fn patch_account(&mut self, p: &Profile, id: usize, body: &Map<String, Value>, path: &str) -> Answer {
        let asked = match asked(p, body) {
            Ok(asked) => asked,
            Err(refusal) => return *refusal,
        };
        let index = self.web.accounts.iter().position(|other| *other == id);
        let slot = p.account_slots > 0 && (p.first_account..p.first_account + p.account_slots).contains(&id);
        match index.and_then(|index| self.config.users.get_mut(index)) {
            Some(user) => {
                if let Some(name) = asked.name.filter(|name| !name.is_empty()) {
                    user.name = name;
                }
                if let Some(password) = asked.password {
                    user.password = password;
                }
                user.privilege = asked.privilege.unwrap_or(user.privilege);
            }
            // An empty slot becomes a user when it gets a name and a password.
            None if slot => {
                let (Some(name), Some(password)) = (asked.name, asked.password) else {
                    return refuse(p, "PropertyMissing", &["UserName"]);
                };
                let privilege = asked.privilege.unwrap_or(Privilege::User);
                self.config.users.push(User { name, password, privilege });
                self.web.accounts.push(id);
            }
            None => return refuse(p, "ResourceMissingAtURI", &[path]),
        }
        service::changed(p)
    }
}
