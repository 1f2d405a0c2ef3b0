//! The data side of actions (wire-protocol §3.8).

use crate::{Objects, Result, fault::Fault, lookup::Lookup, memory::Row};
use drp_protocol::{Action, AvailableAction, JsonMap};
use std::{collections::BTreeMap, sync::Arc};

/// An action that a plugin offers.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Name of the plugin instance.
    pub plugin: String,
    /// What it offers.
    pub action: AvailableAction,
}

impl Candidate {
    fn serves(&self, set: &str, plugin: Option<&str>) -> bool {
        self.action.command_set() == set
            && plugin.is_none_or(|wanted| wanted.is_empty() || wanted == self.plugin)
    }
}

/// The set that acts on the daemon itself; its object is the profile `global`.
const SYSTEM: &str = "system";
/// The param that names the plugin which acts on a machine.
const CHOICE: &str = "machine-plugin";

impl Objects {
    /// The object an action acts on, with the prefix it is stored under.
    fn acted_on<'a>(&self, set: &'a str, id: &str, word: &'static str) -> Result<(&'a str, Arc<Row>)> {
        let (prefix, id) = if set == SYSTEM { ("profiles", "global") } else { (set, id) };
        let (table, row) = self.found(prefix, id, word)?;
        if !table.kind.has_actions {
            return Err(Fault::not_found(word, set, id).into());
        }
        Ok((prefix, row))
    }

    /// Checks and fills an action for a plugin: steps 1 to 5 of the POST algorithm. `set` is an object prefix or
    /// `system`; `id` is ignored for `system`. Candidates are all actions that plugins offer, in an order that does not
    /// change by itself. The first that has what it requires is taken, or the one that `machine-plugin` names, or the
    /// plugin itself that is acted on. When
    /// none has, the errors are those of the one that has the fewest.
    /// Secure values are opened in `Params` and sealed in `Model`.
    ///
    /// # Errors
    /// 404 of type POST; 400 of type `INVOKE` with the texts of wire-protocol §3.8.
    pub fn fill_action(
        &self,
        set: &str,
        id: &str,
        command: &str,
        plugin: Option<&str>,
        body: &JsonMap,
        candidates: &[Candidate],
    ) -> Result<Action> {
        let (prefix, row) = self.acted_on(set, id, "POST")?;
        let id = if set == SYSTEM && id.is_empty() { "global" } else { id };
        let refused = |messages: Vec<String>| Fault::Refused {
            kind: "INVOKE",
            model: set.to_owned(),
            key: id.to_owned(),
            messages,
            code: 400,
        };
        let plugin = plugin.filter(|p| !p.is_empty());
        let named = self.wanted_plugin(prefix, &row, plugin)?;
        let mut fewest: Option<Vec<String>> = None;
        for candidate in choice(candidates, set, command, plugin, named.as_deref()) {
            let mut params = body.clone();
            let errors = self.fill_params(prefix, &row, &candidate.action, &mut params)?;
            if errors.is_empty() {
                return Ok(Action {
                    model: serde_json::from_slice(&row.json).unwrap_or_default(),
                    plugin: candidate.plugin.clone(),
                    command: command.to_owned(),
                    command_set: set.to_owned(),
                    params,
                });
            }
            if fewest.as_ref().is_none_or(|fewest| errors.len() < fewest.len()) {
                fewest = Some(errors);
            }
        }
        let errors = fewest.unwrap_or_else(|| {
            vec![match plugin {
                Some(plugin) => format!("Action {command} on {set} for plugin {plugin} not found"),
                None => format!("Action {command} on {set}: Not Found"),
            }]
        });
        Err(refused(errors).into())
    }

    /// The plugin that the object itself wants, when the caller names none: of a machine its `machine-plugin`, of a
    /// plugin itself.
    fn wanted_plugin(&self, prefix: &str, row: &Row, plugin: Option<&str>) -> Result<Option<String>, Fault> {
        if plugin.is_some_and(|plugin| !plugin.is_empty()) {
            return Ok(None);
        }
        match prefix {
            "machines" => {}
            "plugins" => return Ok(Some(row.key.to_string())),
            _ => return Ok(None),
        }
        let value = Lookup::new(&self.inner.state).one(prefix, row, CHOICE, true, false)?;
        Ok(value.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned))
    }

    /// Steps 3 and 4: what is wrong with the caller's params, and the params the action asks for.
    fn fill_params(
        &self,
        prefix: &str,
        row: &Row,
        action: &AvailableAction,
        params: &mut JsonMap,
    ) -> Result<Vec<String>, Fault> {
        let command = &action.command;
        let state = &self.inner.state;
        let mut errors = Vec::new();
        for (name, value) in params.iter() {
            let Some(def) = state.param(name) else { continue };
            if def.secure {
                errors.push(format!("Action {command} cannot be passed secure parameter {name} via the API"));
            } else if let Err(text) = def.check(value) {
                // The empty error type of the schema error shows as two colons.
                errors.push(format!("Action {command}: Invalid Parameter: {name}: : {text}"));
            }
        }
        let lookup = Lookup::new(state);
        let required = action.required_params.iter().map(|name| (name, true));
        for (name, required) in required.chain(action.optional_params.iter().map(|name| (name, false))) {
            if params.contains_key(name) {
                continue;
            }
            match lookup.one(prefix, row, name, true, true)? {
                Some(value) => drop(params.insert(name.clone(), value)),
                None if required => errors.push(format!("Action {command} Missing Parameter {name}")),
                None => {}
            }
        }
        Ok(errors)
    }

    /// The actions whose required params resolve on the object, one per command, sorted by command.
    ///
    /// # Errors
    /// 404 of type GET.
    pub fn list_actions(
        &self,
        set: &str,
        id: &str,
        plugin: Option<&str>,
        candidates: &[Candidate],
    ) -> Result<Vec<AvailableAction>> {
        let (prefix, row) = self.acted_on(set, id, "GET")?;
        let lookup = Lookup::new(&self.inner.state);
        let named = self.wanted_plugin(prefix, &row, plugin)?;
        let mut by_command = BTreeMap::new();
        for Candidate { action: AvailableAction { command, .. }, .. } in candidates {
            if by_command.contains_key(command) {
                continue;
            }
            for candidate in choice(candidates, set, command, plugin, named.as_deref()) {
                if missing(&lookup, prefix, &row, &candidate.action)?.is_empty() {
                    by_command.insert(command.clone(), candidate.action.clone());
                    break;
                }
            }
        }
        Ok(by_command.into_values().collect())
    }

    /// One action of an object.
    ///
    /// # Errors
    /// 404 of type GET `<cmd>: Not Found`; 400 of type GET `Action <cmd> Missing Parameter <p>`.
    pub fn one_action(
        &self,
        set: &str,
        id: &str,
        command: &str,
        plugin: Option<&str>,
        candidates: &[Candidate],
    ) -> Result<AvailableAction> {
        let (prefix, row) = self.acted_on(set, id, "GET")?;
        let refused = |code: u16, text: String| Fault::Refused {
            kind: "GET",
            model: set.to_owned(),
            key: id.to_owned(),
            messages: vec![text],
            code,
        };
        let lookup = Lookup::new(&self.inner.state);
        let named = self.wanted_plugin(prefix, &row, plugin)?;
        let mut fewest: Option<Vec<&String>> = None;
        for candidate in choice(candidates, set, command, plugin, named.as_deref()) {
            let missing = missing(&lookup, prefix, &row, &candidate.action)?;
            if missing.is_empty() {
                return Ok(candidate.action.clone());
            }
            if fewest.as_ref().is_none_or(|fewest| missing.len() < fewest.len()) {
                fewest = Some(missing);
            }
        }
        Err(match fewest.and_then(|missing| missing.first().copied()) {
            Some(name) => refused(400, format!("Action {command} Missing Parameter {name}")),
            None => refused(404, format!("{command}: Not Found")),
        }
        .into())
    }
}

/// Who may serve a command, best first: only the plugin that the object wants, when that one offers it.
fn choice<'a>(
    candidates: &'a [Candidate],
    set: &str,
    command: &str,
    plugin: Option<&str>,
    named: Option<&str>,
) -> Vec<&'a Candidate> {
    let serves = |c: &&Candidate| c.action.command == command && c.serves(set, plugin);
    let all: Vec<_> = candidates.iter().filter(serves).collect();
    match all.iter().find(|c| named.is_some_and(|named| c.plugin == named)) {
        Some(only) => vec![only],
        None => all,
    }
}

/// The required params that do not resolve. Nothing is opened for it.
fn missing<'a>(
    lookup: &Lookup<'_>,
    prefix: &str,
    row: &Row,
    action: &'a AvailableAction,
) -> Result<Vec<&'a String>, Fault> {
    let mut missing = Vec::new();
    for name in &action.required_params {
        if lookup.one(prefix, row, name, true, false)?.is_none() {
            missing.push(name);
        }
    }
    Ok(missing)
}
