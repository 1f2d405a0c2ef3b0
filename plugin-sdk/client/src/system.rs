//! The daemon itself: info, logs, events, preferences (wire-protocol §3.9, §3.10).

use crate::ClientError;
use crate::transport::{API, Client, encode};
use drp_protocol::{Event, Info, Line};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;

impl Client {
    /// What the daemon says about itself.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn info(&self) -> Result<Info, ClientError> {
        self.get_json(&format!("{API}/info")).await
    }

    /// The prefixes of all object types.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn prefixes(&self) -> Result<Vec<String>, ClientError> {
        self.get_json(&format!("{API}/objects")).await
    }

    /// The daemon's last log lines, oldest first.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn logs(&self) -> Result<Vec<Line>, ClientError> {
        Ok(self.get_json::<Option<_>>(&format!("{API}/logs")).await?.unwrap_or_default())
    }

    /// Publishes an event.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn post_event(&self, event: &Event) -> Result<(), ClientError> {
        self.exchange(Method::POST, &format!("{API}/events"), Some(encode(event)?)).await.map(drop)
    }

    /// All preferences.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn prefs(&self) -> Result<BTreeMap<String, String>, ClientError> {
        self.get_json(&format!("{API}/prefs")).await
    }

    /// Sets preferences and gives all of them.
    ///
    /// # Errors
    /// 400 when one is unknown or has a wrong value.
    pub async fn set_prefs(
        &self,
        prefs: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        self.send_json(Method::POST, &format!("{API}/prefs"), prefs).await
    }

    /// The daemon as a process: `State` (`starting`, `ready`, `stopping`), `Pid`, `Uptime`, providers, plugins and
    /// problems. Only this product's daemon knows it; others answer 404.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn status(&self) -> Result<Value, ClientError> {
        self.get_json(&format!("{API}/system/status")).await
    }
}
