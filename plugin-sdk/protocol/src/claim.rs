//! Users and what they may do (wire-protocol §2.4, §3.3).

use crate::Base64Bytes;
use std::collections::BTreeMap;

model! {
    /// What its holder may do: three comma lists, each `*` for anything.
    pub struct Claim [] {
        /// Object prefixes or special scopes such as `info`.
        scope: String = "scope",
        /// Actions such as `list`, `get`, `update:/Description` or `action:poweron`.
        action: String = "action",
        /// Keys of the objects it holds for.
        specific: String = "specific",
    }
}

model! {
    /// A named list of claims.
    pub struct Role [V A M O B] at "roles" key name "Name" {
        /// Key.
        name: String = "Name",
        /// What the role allows.
        claims: Vec<Claim> = "Claims",
        /// One line for people.
        description: String = "Description",
        /// Longer text, reStructuredText or Markdown.
        documentation: String = "Documentation",
    }
}

model! {
    /// Somebody who may log in.
    pub struct User [V A M O B] at "users" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// The scrypt hash as text bytes; blanked in every reply.
        #[serde(skip_serializing_if = "is_unset")]
        password_hash: Base64Bytes = "PasswordHash",
        /// Changes with the password; tokens made under another secret are dead.
        secret: String = "Secret",
        /// Names of roles.
        roles: Vec<String> = "Roles",
    }
}

fn is_unset(bytes: &Base64Bytes) -> bool {
    bytes.0.as_ref().is_none_or(Vec::is_empty)
}

model! {
    /// A set of objects and the users confined to it.
    pub struct Tenant [V A M O B] at "tenants" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Prefix to the keys that belong to the tenant.
        members: BTreeMap<String, Vec<String>> = "Members",
        /// Names of the users in the tenant.
        users: Vec<String> = "Users",
    }
}
