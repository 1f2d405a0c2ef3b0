//! The data side of actions (wire-protocol §3.8).

use crate::{Objects, Result};
use drp_protocol::{Action, AvailableAction, JsonMap};

/// An action that a running plugin has registered.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Name of the plugin instance.
    pub plugin: String,
    /// What it offers.
    pub action: AvailableAction,
}

impl Objects {
    /// Checks and fills an action for a plugin: steps 1 to 5 of the POST algorithm. `set` is an object prefix or
    /// `system`; `id` is ignored for `system`. Candidates are all registered actions in registration order.
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
        let _ = (set, id, command, plugin, body, candidates);
        todo!()
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
        let _ = (set, id, plugin, candidates);
        todo!()
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
        let _ = (set, id, command, plugin, candidates);
        todo!()
    }
}
