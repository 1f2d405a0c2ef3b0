//! What the loss of a plugin's event stream asks for (wire-protocol §1.13).

use super::Ended;
use crate::app::App;
use crate::life::Phase;
use drp_host::InstanceState;
use drp_objects::Principal;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A plugin that ends, or builds its stream anew, loses the old one a moment before it can be seen.
const SETTLE: Duration = Duration::from_secs(1);

/// The number of the newest stream of each plugin.
#[derive(Default)]
pub(super) struct Streams(Mutex<(u64, HashMap<String, u64>)>);

impl Streams {
    fn open(&self, plugin: &str) -> u64 {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.0 += 1;
        let number = streams.0;
        streams.1.insert(plugin.to_owned(), number);
        number
    }

    fn is_newest(&self, plugin: &str, number: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.get(plugin) == Some(&number)
    }
}

/// An event stream of a plugin.
pub(super) struct Stream {
    plugin: String,
    number: u64,
    /// The process that opened it.
    pid: Option<u32>,
}

impl Stream {
    /// Notes the stream; `None` when it is not a plugin's.
    pub(super) fn open(app: &App, who: &Principal) -> Option<Self> {
        let plugin = who.name.starts_with("plugin:").then(|| who.subject.clone())?;
        let number = app.sockets.streams.open(&plugin);
        let pid = app.host.get().and_then(|host| host.plugin_status(&plugin)).and_then(|status| status.pid);
        Some(Self { plugin, number, pid })
    }

    /// Configures the plugin again when it is deaf now: it never opens its stream again by itself. One that closed
    /// its stream, has a newer one, stops or has ended is left alone.
    pub(super) async fn ended(self, app: &App, ended: Ended) {
        match ended {
            // A token that does not hold any more is changed by starting the plugin anew, not by configuring it.
            Ended::ByClient | Ended::ByServer | Ended::Unwelcome => return,
            Ended::TooSlow => {}
            Ended::Lost => tokio::time::sleep(SETTLE).await,
        }
        let plugin = self.plugin.as_str();
        let Some(host) = app.host.get() else { return };
        let running = host.plugin_status(plugin).is_some_and(|status| {
            status.state == InstanceState::Configured && (self.pid.is_none() || status.pid == self.pid)
        });
        if app.life.phase() == Phase::Stopping
            || !running
            || !app.sockets.streams.is_newest(plugin, self.number)
        {
            return;
        }
        tracing::warn!(plugin, why = ?ended, "its event stream was lost; it is configured again");
        if let Err(error) = host.reconfigure(plugin) {
            tracing::warn!(plugin, %error, "cannot configure it again");
        }
    }
}
