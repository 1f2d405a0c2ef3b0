//! What `define` prints.

use crate::plugin::SlackPlugin;
use crate::settings::name;
use drp_plugin_sdk::{Command, Definition, SelectedEvents};
use std::time::Duration;

/// Posts a message.
pub(crate) const SLACKPOST: &str = "slackpost";
/// Shows how the channels do.
pub(crate) const SLACKSTATUS: &str = "slackstatus";

pub(crate) fn definition() -> Definition<SlackPlugin, SelectedEvents> {
    let mut definition = Definition::new("slack", concat!("v", env!("CARGO_PKG_VERSION")))
        .content(drp_plugin_sdk::content!())
        .stop_deadline(Duration::from_secs(8))
        .selected_events();
    for param in [
        name::BOT_KEY,
        name::WEBHOOK,
        name::API_URL,
        name::CHANNELS,
        name::EVENTS,
        name::TEMPLATE,
        name::DIGEST_AFTER,
        name::PACE,
        name::TIMEOUT,
        name::TLS_CA,
    ] {
        definition = definition.optional(param);
    }
    let post = |command: Command| command.optional(name::MESSAGE).optional(name::CHANNEL);
    definition
        .action(post(Command::on("machines", SLACKPOST)))
        .action(post(Command::system(SLACKPOST)))
        .action(Command::system(SLACKSTATUS))
}
