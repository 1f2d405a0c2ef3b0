//! What a stress plugin object can be told.

use drp_plugin_sdk::{JsonSchema, schemars};
use serde::Deserialize;

/// How a hook behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mood {
    #[default]
    Well,
    Slow,
    Hang,
    Error,
    CodeZero,
    Leave,
    Panic,
    Crash,
    Exit,
}

/// Params of the plugin object.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct Settings {
    /// How config behaves
    #[serde(rename = "stress/config", default)]
    pub(crate) config: Mood,
    /// How the stop hook behaves; exit loses the stop reply
    #[serde(rename = "stress/stop", default)]
    pub(crate) stop: Mood,
    /// How publish behaves
    #[serde(rename = "stress/publish", default)]
    pub(crate) publish: Mood,
    /// Ignore SIGTERM
    #[serde(rename = "stress/ignore-term", default)]
    pub(crate) ignore_term: bool,
}
