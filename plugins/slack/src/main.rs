//! `slack`: tells Slack channels what happens on a daemon (plugins §2.2).

mod api;
mod definition;
mod describe;
mod lane;
mod message;
mod mrkdwn;
mod plugin;
mod post;
mod problem;
mod redact;
mod rule;
mod sender;
mod settings;
mod template;
mod tls;

fn main() -> std::process::ExitCode {
    definition::definition().run(plugin::SlackPlugin::default())
}
