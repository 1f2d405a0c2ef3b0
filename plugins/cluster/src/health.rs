//! What a component's `status` says.

use drp_plugin_sdk::{Error, Value};

/// How a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// There and well, with its version when it tells one.
    Well(Option<String>),
    /// There, or perhaps there, and not well; in its own words.
    Unwell(String),
    /// Not there.
    Absent,
    /// It could not be asked.
    Unknown(String),
}

/// Words of a component that works; one without a unit is only `installed`.
const GOOD: [&str; 9] =
    ["running", "active", "healthy", "ready", "up", "ok", "started", "online", "installed"];
/// Words of a component that is not there.
const GONE: [&str; 7] =
    ["absent", "not-installed", "uninstalled", "removed", "missing", "not-found", "not-deployed"];

impl Health {
    /// Reads the record of `status`: `health.healthy` (or `healthy`), and the words in `status`, `state` and
    /// `systemd_status`. It is well when something says so and nothing says otherwise.
    pub(crate) fn of(record: &Value) -> Self {
        let word = |field: &str| record.get(field).and_then(Value::as_str).map(normal);
        // `unknown` says nothing: a component need not be a unit of systemd.
        let words: Vec<String> = ["status", "state", "systemd_status"]
            .into_iter()
            .filter_map(word)
            .filter(|word| !word.is_empty() && word != "unknown")
            .collect();
        if record.get("installed") == Some(&Value::Bool(false))
            || words.first().is_some_and(|word| GONE.contains(&word.as_str()))
        {
            return Self::Absent;
        }
        let said =
            record.pointer("/health/healthy").or_else(|| record.get("healthy")).and_then(Value::as_bool);
        let good = words.iter().all(|word| GOOD.contains(&word.as_str()));
        if good && (said == Some(true) || (said.is_none() && !words.is_empty())) {
            let version = record.get("version").and_then(Value::as_str).filter(|version| !version.is_empty());
            return Self::Well(version.map(str::to_owned));
        }
        let why = ["/health/error", "/health/status", "/error", "/message"]
            .into_iter()
            .find_map(|at| record.pointer(at).and_then(Value::as_str));
        let mut text = words.join(", ");
        if said == Some(false) {
            text = [text.as_str(), "not healthy"]
                .into_iter()
                .filter(|t| !t.is_empty())
                .collect::<Vec<_>>()
                .join(", ");
        }
        if text.is_empty() {
            "its status says neither `status` nor `health.healthy`".clone_into(&mut text);
        }
        Self::Unwell(crate::state::cut(&why.map_or(text.clone(), |why| format!("{text}: {why}"))))
    }

    /// A `status` that failed. An extension may well fail to look at what is not there, so only 404 says that it is not.
    pub(crate) fn failed(error: &Error) -> Self {
        match error.code {
            404 => Self::Absent,
            _ => Self::Unknown(error.messages.join("; ")),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Well(_) => "healthy".to_owned(),
            Self::Unwell(why) => why.clone(),
            Self::Absent => "not installed".to_owned(),
            Self::Unknown(why) => format!("its status cannot be read: {why}"),
        }
    }

    /// The word of the API.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Well(_) => "healthy",
            Self::Unwell(_) => "unhealthy",
            Self::Absent => "absent",
            Self::Unknown(_) => "unknown",
        }
    }
}

fn normal(word: &str) -> String {
    word.trim().to_lowercase().replace([' ', '_'], "-")
}

#[cfg(test)]
mod tests {
    use super::Health;
    use drp_plugin_sdk::{Error, json};

    #[test]
    fn what_status_says() {
        let well = |version: &str| Health::Well(Some(version.to_owned()));
        let unwell = |text: &str| Health::Unwell(text.to_owned());
        for (record, wanted) in [
            (
                json!({"systemd_status": "active", "version": "1.7.0", "health": {"healthy": true}}),
                well("1.7.0"),
            ),
            (json!({"status": "Running"}), Health::Well(None)),
            (
                json!({"status": "installed", "systemd_status": "unknown", "health": {"healthy": true}}),
                Health::Well(None),
            ),
            (json!({"status": "installed", "health": {"healthy": false}}), unwell("installed, not healthy")),
            (json!({"status": "changing", "health": {"healthy": true}}), unwell("changing")),
            (json!({"healthy": true, "version": ""}), Health::Well(None)),
            (
                json!({"systemd_status": "active", "health": {"healthy": false, "error": "port closed"}}),
                unwell("active, not healthy: port closed"),
            ),
            (json!({"systemd_status": "inactive", "health": {"healthy": true}}), unwell("inactive")),
            (json!({"status": "starting", "message": "soon"}), unwell("starting: soon")),
            (json!({"status": "Not installed"}), Health::Absent),
            (json!({"status": "absent", "version": null, "systemd_status": "unknown"}), Health::Absent),
            (json!({"installed": false, "status": "running"}), Health::Absent),
            (json!({}), unwell("its status says neither `status` nor `health.healthy`")),
            (json!(null), unwell("its status says neither `status` nor `health.healthy`")),
            (json!("running"), unwell("its status says neither `status` nor `health.healthy`")),
            (
                json!({"status": ["running"], "health": "fine"}),
                unwell("its status says neither `status` nor `health.healthy`"),
            ),
        ] {
            assert_eq!(Health::of(&record), wanted, "{record}");
        }
        assert_eq!(Health::failed(&Error::new(404, "x", "gone")), Health::Absent);
        assert_eq!(Health::failed(&Error::new(500, "x", "no")), Health::Unknown("no".to_owned()));
    }
}
