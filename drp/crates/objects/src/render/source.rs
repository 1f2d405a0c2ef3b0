//! What templates can ask about a machine.

use super::RenderPlace;
use crate::{
    Objects,
    lifecycle::{text, texts},
    lookup::{How, Lookup},
    memory::Row,
};
use drp_protocol::JsonMap;
use drp_template::Source;
use serde_json::{Value, json};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// Life of the token that `.GenerateInfiniteToken` gives: as long as a machine's secret stays.
const FOR_EVER: Duration = Duration::MAX;

/// A machine on which a task runs.
pub(super) struct Machine {
    objects: Objects,
    row: Arc<Row>,
    machine: JsonMap,
    env: JsonMap,
    data: Value,
    place: RenderPlace,
}

impl Machine {
    pub(super) fn new(objects: Objects, row: Arc<Row>, task: &Row, place: RenderPlace) -> Self {
        let machine = row.map();
        let named = |prefix: &str, field: &str| {
            let row = objects.inner.state.row(prefix, text(&machine, field));
            row.map(|row| row.map()).unwrap_or_default()
        };
        let (stage, workflow) = (named("stages", "Stage"), named("workflows", "Workflow"));
        let mut env = named("bootenvs", "BootEnv");
        let os = env.get("OS").and_then(|os| os.get("Name")).and_then(Value::as_str).unwrap_or_default();
        env.insert("InstallUrl".to_owned(), format!("{}/{os}/install", place.files_url).into());
        let mut shown = machine.clone();
        let path = format!("machines/{}", row.key);
        let name = text(&machine, "Name");
        shown.insert("Url".to_owned(), format!("{}/{path}", place.files_url).into());
        shown.insert("Path".to_owned(), path.into());
        shown.insert("ShortName".to_owned(), name.split('.').next().unwrap_or_default().into());
        shown.insert("HexAddress".to_owned(), hex_address(text(&machine, "Address")).into());
        let data = json!({
            "Machine": shown, "Env": env, "Task": task.map(), "Stage": stage, "Workflow": workflow,
            "ApiURL": place.api_url, "ProvisionerURL": place.files_url, "ProvisionerAddress": place.address,
            "Info": place.info,
        });
        Self { objects, row, machine, env, data, place }
    }

    fn param(&self, name: &str, compose: bool) -> Result<Option<Value>, String> {
        let how = How { aggregate: true, decode: true, compose };
        Lookup::new(&self.objects.inner.state)
            .get("machines", &self.row, name, how)
            .map_err(|fault| fault.to_string())
    }

    fn token(&self, ttl: Option<Duration>) -> Result<Value, String> {
        if !self.place.tokens {
            return Err(format!("a token of the machine needs the claim machines token {}", self.row.key));
        }
        let token = self.objects.machine_token(&self.row.key, ttl).map_err(|error| error.to_string())?;
        Ok(token.expose().as_str().into())
    }

    fn path_for(&self, protocol: &str, file: &str) -> Value {
        let os = self.env.get("OS").and_then(|os| os.get("Name")).and_then(Value::as_str).unwrap_or_default();
        let path = format!("{os}/install/{}", file.trim_start_matches('/'));
        match protocol {
            "tftp" => path.into(),
            _ => format!("{}/{path}", self.place.files_url).into(),
        }
    }
}

impl Source for Machine {
    fn data(&self) -> Value {
        self.data.clone()
    }

    fn call(&self, method: &str, args: &[Value]) -> Result<Value, String> {
        let arg = |at: usize| args.get(at).and_then(Value::as_str);
        let name = || arg(0).ok_or_else(|| format!(".{method} needs a name"));
        Ok(match method {
            "Param" => self.param(name()?, false)?.ok_or_else(|| no_param(&name()))?,
            "ComposeParam" => self.param(name()?, true)?.ok_or_else(|| no_param(&name()))?,
            "ParamExists" => self.param(name()?, false)?.is_some().into(),
            "GenerateToken" => self.token(None)?,
            "GenerateInfiniteToken" => self.token(Some(FOR_EVER))?,
            "BootParams" => text(&self.env, "BootParams").into(),
            "ParseUrl" => part_of_url(name()?, arg(1).unwrap_or_default())?.into(),
            "Machine.MacAddr" => {
                let mac = texts(&self.machine, "HardwareAddrs").into_iter().next().unwrap_or_default();
                match arg(0) {
                    Some("pxe") => format!("01-{}", mac.replace(':', "-")).into(),
                    Some("rpi") => mac.replace(':', "-").into(),
                    _ => mac.into(),
                }
            }
            "Machine.HasProfile" => {
                texts(&self.machine, "Profiles").iter().any(|p| Some(p.as_str()) == arg(0)).into()
            }
            "Machine.HasTask" => {
                texts(&self.machine, "Tasks").iter().any(|t| Some(t.as_str()) == arg(0)).into()
            }
            "Stage.HasTask" => {
                let stage = self.data.get("Stage").and_then(Value::as_object).cloned().unwrap_or_default();
                texts(&stage, "Tasks").iter().any(|t| Some(t.as_str()) == arg(0)).into()
            }
            "Task.HasFeature" => {
                let flags =
                    self.data.pointer("/Task/Meta/feature-flags").and_then(Value::as_str).unwrap_or_default();
                flags.split(',').any(|flag| Some(flag.trim()) == arg(0)).into()
            }
            "Env.PathFor" => self.path_for(name()?, arg(1).unwrap_or_default()),
            "Env.JoinInitrds" => {
                let all = texts(&self.env, "Initrds");
                let all = all.iter().map(|file| self.path_for(arg(0).unwrap_or_default(), file));
                all.filter_map(|path| path.as_str().map(str::to_owned)).collect::<Vec<_>>().join(" ").into()
            }
            other => return Err(format!(".{other} is not offered by this daemon")),
        })
    }

    fn template(&self, id: &str) -> Option<String> {
        let row = self.objects.inner.state.row("templates", id)?;
        Some(text(&row.map(), "Contents").to_owned())
    }
}

fn no_param(name: &Result<&str, String>) -> String {
    format!("No such machine parameter {}", name.as_deref().unwrap_or_default())
}

fn hex_address(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(ip)) => format!("{:08X}", u32::from(ip)),
        _ => String::new(),
    }
}

/// A part of a URL: `scheme`, `host` (with the port), `hostname`, `port`, `path`, `query`.
fn part_of_url(part: &str, url: &str) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (hostname, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    };
    Ok(match part {
        "scheme" => scheme,
        "host" => host,
        "hostname" => hostname.trim_matches(['[', ']']),
        "port" => port,
        "path" => path,
        "query" => query,
        other => {
            return Err(format!(".ParseUrl knows scheme, host, hostname, port, path and query, not {other}"));
        }
    }
    .to_owned())
}
