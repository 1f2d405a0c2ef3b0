//! What a plugin is configured with (wire-protocol §1.12).

use crate::{Objects, Result, fault::Fault, lookup::Lookup, write::invalid_value};
use drp_protocol::{JsonMap, PluginProvider};

impl Objects {
    /// The body of `/config` for a plugin: its own params opened, every required and optional param of its provider by
    /// full lookup (plugin, profile `global`, schema default), and `Name`. It holds secrets: send it, do not print it.
    ///
    /// # Errors
    /// 404; 400 with one message per `Missing required parameter: <p>` or value that breaks its schema.
    pub fn plugin_config(&self, plugin: &str, provider: &PluginProvider) -> Result<JsonMap> {
        let (_, row) = self.found("plugins", plugin, "GET")?;
        let state = &self.inner.state;
        let lookup = Lookup::new(state);
        let mut body = lookup.all("plugins", &row, false, true, &[])?;
        let mut problems = Vec::new();
        let required = provider.required_params.iter().map(|name| (name, true));
        for (name, required) in required.chain(provider.optional_params.iter().map(|name| (name, false))) {
            if !body.contains_key(name) {
                match lookup.one("plugins", &row, name, true, true)? {
                    Some(value) => drop(body.insert(name.clone(), value)),
                    None if required => problems.push(format!("Missing required parameter: {name}")),
                    None => {}
                }
            }
        }
        for (name, value) in &body {
            if let Some(def) = state.param(name)
                && let Err(text) = def.check(value)
            {
                problems.push(invalid_value(name, (!def.secure).then_some(value), &text));
            }
        }
        if !problems.is_empty() {
            let (model, key) = ("plugins".to_owned(), row.key.to_string());
            return Err(Fault::Refused {
                kind: "ValidationError",
                model,
                key,
                messages: problems,
                code: 400,
            }
            .into());
        }
        body.insert("Name".to_owned(), row.key.as_ref().into());
        Ok(body)
    }
}
