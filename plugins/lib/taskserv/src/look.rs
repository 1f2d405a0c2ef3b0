//! How a task service is, and which versions of it there are.

use crate::TaskservError;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::record::{Record, SourceType, version};
use crate::settings::Sources;
use crate::state::{Phase, State};
use crate::{health, scripts};
use serde_json::{Value, json};

/// Most versions that are told.
const VERSIONS: usize = 500;

/// The record of `status`.
pub(crate) async fn status(machine: &Machine, plan: &Plan) -> Result<Value, TaskservError> {
    let name = &plan.record.name;
    let Some(state) = State::read(machine, &plan.here).await? else {
        return Ok(json!({"service": name, "version": null, "status": "absent", "systemd_status": "unknown",
            "health": {"healthy": false, "error": "it is not installed"}}));
    };
    let mut answer = json!({"service": name, "version": state.version});
    if state.phase == Phase::Changing {
        answer["changing_to"] = json!(state.wanted);
    }
    let Some(unit) = &state.unit else {
        let health = health::look(machine, plan).await?;
        answer["status"] = json!("installed");
        answer["health"] = health::told(&health);
        return Ok(answer);
    };
    let systemd = health::active(machine, unit).await?;
    answer["status"] = json!(match (state.phase, systemd.as_str()) {
        (Phase::Changing, _) => "changing",
        (_, "active") => "running",
        (_, "failed") => "failed",
        _ => "stopped",
    });
    answer["systemd_status"] = json!(systemd);
    answer["health"] = health::told(&health::look(machine, plan).await?);
    let shown = machine
        .run(&["systemctl", "show", "--property=MainPID", "--value", unit], "systemctl show")
        .await
        .unwrap_or_default();
    if let Ok(pid @ 1..) = shown.trim().parse::<u32>() {
        let told = machine.tell(scripts::PROCESS, &[&pid.to_string()], "ps").await.unwrap_or_default();
        let fields: Vec<&str> = told.split_whitespace().collect();
        if let [uptime, memory, cpu] = fields.as_slice() {
            answer["pid"] = json!(pid);
            answer["uptime"] = json!(uptime.parse::<u64>().ok());
            answer["memory_usage"] = json!(memory.parse::<u64>().ok().map(|kb| kb * 1024));
            answer["cpu_usage"] = json!(cpu.parse::<f64>().ok());
        }
    }
    Ok(answer)
}

/// The version that is there; empty when none is.
pub(crate) async fn current(machine: &Machine, plan: &Plan) -> Result<String, TaskservError> {
    Ok(State::read(machine, &plan.here).await?.map(|state| state.version).unwrap_or_default())
}

/// Versions, the newest first, that nobody needs to be asked for.
pub(crate) fn known(record: &Record, sources: &Sources) -> Option<Vec<String>> {
    if sources.releases.is_some() || record.source.releases.is_some() {
        return None;
    }
    let source = &record.source;
    let asks = source.versions.is_empty() && source.r#type == SourceType::Github && sources.mirror.is_none();
    (!asks).then(|| sorted(source.versions.iter().chain([&record.version]).map(String::as_str)))
}

/// Versions, the newest first. The machine asks the source.
pub(crate) async fn available(
    machine: &Machine,
    record: &Record,
    sources: &Sources,
) -> Result<Vec<String>, TaskservError> {
    let own = || format!("https://api.github.com/repos/{}/releases?per_page=100", record.source.repository);
    let url = sources.releases.clone().or_else(|| record.source.releases.clone()).unwrap_or_else(own);
    let seconds = machine.timeout.as_secs().max(1).to_string();
    let text = machine.tell(scripts::GET, &[&url, &seconds], &format!("fetching {url}")).await?;
    let wrong = || TaskservError::machine(format!("{url} is no list of releases"), "see what is there");
    let list: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
    let list = list.as_array().ok_or_else(wrong)?;
    let (before, after) = record.source.release_pattern.split_once("{version}").unwrap_or(("", ""));
    let names = list.iter().filter_map(|release| match release {
        Value::String(name) => Some(name.as_str()),
        Value::Object(_) if release["draft"] == true || release["prerelease"] == true => None,
        _ => release["tag_name"].as_str(),
    });
    Ok(sorted(
        names.map(|name| name.strip_prefix(before).and_then(|name| name.strip_suffix(after)).unwrap_or(name)),
    ))
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut versions: Vec<_> = names.filter_map(version).collect();
    versions.sort();
    versions.dedup();
    versions.iter().rev().take(VERSIONS).map(ToString::to_string).collect()
}

/// The record of `check-updates`.
pub(crate) fn updates(record: &Record, current: &str, versions: &[String]) -> Value {
    // Pre-releases are for those who ask for them.
    let release = versions.iter().find(|name| version(name).is_some_and(|version| version.pre.is_empty()));
    let latest = release.or(versions.first()).cloned().unwrap_or_else(|| record.version.clone());
    let newer = version(current).zip(version(&latest)).is_some_and(|(current, latest)| latest > current);
    let current = if current.is_empty() { Value::Null } else { json!(current) };
    json!({"service": record.name, "current_version": current, "latest_version": latest, "update_available": newer})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_sorted_as_versions() {
        assert_eq!(sorted(["1.9.0", "v1.10.0", "nightly", "1.9.0"].into_iter()), ["1.10.0", "1.9.0"]);
    }
}
