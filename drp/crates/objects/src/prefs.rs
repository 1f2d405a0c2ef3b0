//! Preferences (wire-protocol §3.9).

use crate::{
    Objects, Principal, Result,
    fault::Fault,
    objects::Inner,
    secure,
    write::{Verb, hidden_name},
};
use drp_protocol::Level;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What values a preference takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// A text that others must not see; 32 bytes when the flag is set.
    Secret(bool),
    /// The name of an object of that type, which may be empty when the flag is set.
    Reference(&'static str, bool),
    /// Whole seconds.
    Number,
    /// A log level.
    Level,
}

const PREFS: &[(&str, &str, Takes)] = &[
    ("baseTokenSecret", "", Takes::Secret(true)),
    ("debugBootEnv", "warn", Takes::Level),
    ("debugDhcp", "warn", Takes::Level),
    ("debugFrontend", "warn", Takes::Level),
    ("debugPlugins", "warn", Takes::Level),
    ("debugRenderer", "warn", Takes::Level),
    ("defaultBootEnv", "local", Takes::Reference("bootenvs", false)),
    ("defaultStage", "none", Takes::Reference("stages", false)),
    ("defaultWorkflow", "", Takes::Reference("workflows", true)),
    ("knownTokenTimeout", "3600", Takes::Number),
    ("logLevel", "warn", Takes::Level),
    ("systemGrantorSecret", "", Takes::Secret(false)),
    ("unknownBootEnv", "ignore", Takes::Reference("bootenvs", false)),
    ("unknownTokenTimeout", "600", Takes::Number),
];

pub(crate) fn is_secret(name: &str) -> bool {
    PREFS.iter().any(|(known, _, takes)| *known == name && matches!(takes, Takes::Secret(_)))
}

/// The preferences that name an object, and its type.
pub(crate) fn references() -> impl Iterator<Item = (&'static str, &'static str)> {
    PREFS.iter().filter_map(|(name, _, takes)| match takes {
        Takes::Reference(prefix, _) => Some((*name, *prefix)),
        _ => None,
    })
}

impl Inner {
    /// The value of one preference.
    pub(crate) fn pref(&self, name: &str) -> String {
        if is_secret(name) {
            let value = self.state.hidden(&hidden_name("preferences", name));
            return value.map(|v| v.to_string()).unwrap_or_default();
        }
        let stored = self.state.row("preferences", name).and_then(|row| row.map().remove("Val"));
        match stored {
            Some(Value::String(value)) => value,
            _ => PREFS
                .iter()
                .find(|(known, ..)| *known == name)
                .map(|(_, default, _)| (*default).to_owned())
                .unwrap_or_default(),
        }
    }

    fn check_pref(&self, name: &str, value: &str) -> Result<(), String> {
        let Some((_, _, takes)) = PREFS.iter().find(|(known, ..)| *known == name) else {
            return Err(format!("Unknown Preference {name}"));
        };
        match *takes {
            Takes::Secret(true) if value.len() != 32 => Err(format!("{name}: Must be 32 bytes long")),
            Takes::Secret(_) if value.is_empty() => Err(format!("{name}: Must not be empty")),
            Takes::Secret(_) => Ok(()),
            Takes::Reference(_, true) if value.is_empty() => Ok(()),
            Takes::Reference(prefix, _) if self.state.exists(prefix, value) => Ok(()),
            Takes::Reference(prefix, _) => Err(format!("{name}: {prefix} {value} does not exist")),
            Takes::Number => match value.parse::<u32>() {
                Ok(_) => Ok(()),
                Err(_) => Err(format!("{name}: {value:?} is not a whole number of seconds")),
            },
            Takes::Level => match Level::parse(value) {
                Some(_) => Ok(()),
                None => Err(format!("{name}: {value:?} is not a log level")),
            },
        }
    }
}

impl Objects {
    /// All preferences with their defaults. Without `reveal` the two secrets are left out.
    #[must_use]
    pub fn prefs(&self, reveal: bool) -> BTreeMap<String, String> {
        let shown = PREFS.iter().filter(|(name, ..)| reveal || !is_secret(name));
        shown.map(|(name, ..)| ((*name).to_owned(), self.inner.pref(name))).collect()
    }

    /// Sets preferences; when one is wrong, none is set. Events of secret ones carry an empty value.
    ///
    /// # Errors
    /// 400 `Unknown Preference X`, `baseTokenSecret: Must be 32 bytes long`, numbers that are none.
    pub async fn set_prefs(&self, who: &Principal, prefs: &BTreeMap<String, String>) -> Result<()> {
        let messages: Vec<String> =
            prefs.iter().filter_map(|(name, value)| self.inner.check_pref(name, value).err()).collect();
        if !messages.is_empty() {
            let (model, key) = ("prefs".to_owned(), String::new());
            return Err(Fault::Refused { kind: "POST", model, key, messages, code: 400 }.into());
        }
        for name in prefs.keys() {
            let pref = [("Name".to_owned(), Value::from(name.as_str()))].into_iter().collect();
            self.check_powers(who, "preferences", None, &pref)?;
        }
        for (name, value) in prefs {
            self.put_pref(who, name, value).await?;
        }
        Ok(())
    }

    async fn put_pref(&self, who: &Principal, name: &str, value: &str) -> Result<()> {
        if self.resolve("preferences", name).is_none() {
            let created = self.create(who, "preferences", json!({"Name": name, "Val": value})).await;
            match created {
                Err(error) if error.code == 409 => {}
                other => return other.map(drop),
            }
        }
        let edit = |table: &crate::memory::Table, row: &crate::memory::Row| {
            let mut object = row.map();
            object.insert("Val".to_owned(), value.into());
            self.decode(table, &row.key, Value::Object(object), "POST", 400).map(Some)
        };
        self.change(who, "preferences", name, Verb::Post, edit).await?;
        Ok(())
    }

    /// The secrets that tokens depend on are made at the first start.
    pub(crate) async fn first_prefs(&self) -> Result<()> {
        for name in ["baseTokenSecret", "systemGrantorSecret"] {
            if self.inner.pref(name).is_empty() {
                let secret = secure::random_text(32)?;
                self.put_pref(&Principal::system(), name, &secret).await?;
            }
        }
        Ok(())
    }
}
