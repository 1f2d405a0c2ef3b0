//! A plugin for the tests of typed commands: what it is called decides what it is. `NAME-provider`, `NAME-taskserv` and
//! `NAME-cluster` offer the operations of their type (extensions §2), in memory; a name that begins with `dead` fails, one
//! that begins with `slow` takes its time. Records have what was received beside what is asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use drp_plugin_sdk::protocol::ExtensionType;
use drp_plugin_sdk::protocol::extension_operations::operations;
use drp_plugin_sdk::{Action, Actor, Command, Context, Definition, Error, Param, Plugin, Value, json};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

struct Extension {
    name: String,
    kind: ExtensionType,
    servers: Mutex<Vec<Value>>,
    installed: Mutex<Option<String>>,
}

impl Plugin for Extension {}

impl Actor for Extension {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        if self.name.starts_with("dead") {
            return Err(ctx.error(503, "the cloud is out of order"));
        }
        if self.name.starts_with("slow") {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let text = |name: &str| action.params.get::<String>(name).map(Option::unwrap_or_default);
        let yes = |name: &str| action.params.get::<bool>(name).map(Option::unwrap_or_default);
        let received = json!(action.params.as_map());
        let done = json!({"success": true, "received": received});
        match (self.kind, action.command.as_str()) {
            (ExtensionType::Provider, "create-server") => self.create(ctx, &action, received).await,
            (ExtensionType::Provider, "list-servers") => Ok(json!(*self.servers.lock().unwrap())),
            (ExtensionType::Provider, "get-plans") => {
                Ok(json!([{"name": "1xCPU-1GB", "cpus": 1, "memory": 1024, "storage": 25}]))
            }
            (ExtensionType::Provider, "get-zones") => Ok(json!([{"name": "z1"}])),
            (ExtensionType::Provider, "get-pricing") => {
                Ok(json!([{"plan": "1xCPU-1GB", "currency": "EUR", "hourly": 0.004, "monthly": 3}]))
            }
            (ExtensionType::Provider, command) => self.change(ctx, command, &text("server_id")?),
            (ExtensionType::Taskserv, "install") if yes("check")? => Ok(json!({
                "action": "install", "service": self.name, "version": "1.1.0", "check_mode": true,
                "would_install": true, "received": received,
            })),
            (ExtensionType::Taskserv, "install" | "upgrade") => {
                let version = Some(text("version")?).filter(|v| !v.is_empty()).unwrap_or("1.1.0".into());
                *self.installed.lock().unwrap() = Some(version.clone());
                Ok(json!({
                    "success": true, "service": self.name, "version": version, "status": "running",
                    "received": received,
                }))
            }
            (ExtensionType::Taskserv, "uninstall") => {
                *self.installed.lock().unwrap() = None;
                Ok(json!({"received": received}))
            }
            (ExtensionType::Taskserv, "restart") => Ok(Value::Null),
            (ExtensionType::Taskserv, "configure") => Ok(done),
            (ExtensionType::Taskserv, "status") => {
                Ok(json!({"service": self.name, "version": *self.installed.lock().unwrap()}))
            }
            (ExtensionType::Taskserv, "get-available-versions") => Ok(json!(["1.1.0", "1.0.0"])),
            (ExtensionType::Taskserv, "check-updates") => {
                let now = self.installed.lock().unwrap().clone();
                let newer = now.as_deref() != Some("1.1.0");
                Ok(json!({"current_version": now, "latest_version": "1.1.0", "update_available": newer}))
            }
            (ExtensionType::Cluster, "create") if yes("check")? => Ok(json!({
                "action": "create-cluster", "cluster": self.name, "check_mode": true, "would_create": true,
                "components": ["containerd"], "received": received,
            })),
            (ExtensionType::Cluster, "list-components") => Ok(
                json!([{"name": "containerd", "type": "taskserv", "version": "1.7.0", "dependencies": []}]),
            ),
            (ExtensionType::Cluster, "status") => Ok(json!({"cluster": self.name, "status": "running"})),
            (ExtensionType::Cluster, "component-status") => {
                Ok(json!({"name": text("name")?, "status": "running"}))
            }
            (ExtensionType::Cluster, "upgrade") if text("version")? == "9.9.9" => {
                Ok(json!({"success": false, "cluster": self.name, "message": "there is no 9.9.9"}))
            }
            (ExtensionType::Cluster, "create" | "scale" | "upgrade") => Ok(json!({
                "success": true, "cluster": self.name, "status": "running", "components": [], "received": received,
            })),
            (ExtensionType::Cluster, "delete" | "restart-component") => Ok(json!({"received": received})),
            _ => Err(action.unknown()),
        }
    }
}

impl Extension {
    async fn create(&self, ctx: &Context, action: &Action, received: Value) -> Result<Value, Error> {
        let config: Value = action.params.require("config")?;
        let Some(hostname) = config["hostname"].as_str() else {
            return Err(ctx.error(400, "Invalid server configuration: Hostname is required"));
        };
        if action.params.get::<bool>("check")? == Some(true) {
            return Ok(json!({
                "action": "create-server", "hostname": hostname, "check_mode": true, "would_create": true,
                "estimated_time": "2-5 minutes", "received": received,
            }));
        }
        let progress =
            json!({"command": "create-server", "percent": 50, "text": format!("{hostname} boots")});
        ctx.publish("extensions", "progress", ctx.name(), progress).await?;
        let id = format!("srv-{}", self.servers.lock().unwrap().len() + 1);
        let waited = action.params.get::<bool>("wait")? == Some(true);
        let status = if waited { "running" } else { "creating" };
        if waited {
            // Long enough for what was published to be shown.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let server = json!({
            "server_id": id, "hostname": hostname, "status": status, "plan": config["plan"],
            "zone": config["zone"], "ip_addresses": ["127.0.0.1"],
        });
        self.servers.lock().unwrap().push(server);
        Ok(json!({
            "success": true, "server_id": id, "hostname": hostname, "status": status, "received": received,
        }))
    }

    fn change(&self, ctx: &Context, command: &str, id: &str) -> Result<Value, Error> {
        let mut servers = self.servers.lock().unwrap();
        let Some(at) = servers.iter().position(|server| server["server_id"] == id) else {
            return Err(ctx.error(404, format!("there is no server {id:?}")));
        };
        match command {
            "get-server-info" => Ok(servers[at].clone()),
            "get-ssh-access" => {
                let port: u16 =
                    std::env::var("DRP_TEST_SSH_PORT").ok().and_then(|p| p.parse().ok()).unwrap_or(22);
                let user =
                    if servers[at]["hostname"] == "evil" { "-oProxyCommand=touch evil" } else { "nobody" };
                Ok(json!({"host": "127.0.0.1", "port": port, "user": user}))
            }
            "delete-server" => {
                servers.remove(at);
                Ok(Value::Null)
            }
            "start-server" | "reboot-server" => {
                servers[at]["status"] = json!("running");
                Ok(Value::Null)
            }
            "stop-server" => {
                servers[at]["status"] = json!("stopped");
                Ok(Value::Null)
            }
            other => Err(ctx.error(404, format!("there is no operation {other}"))),
        }
    }
}

fn main() -> ExitCode {
    let file = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (name, kind) = file.rsplit_once('-').unwrap_or(("test", "provider"));
    let kind: ExtensionType = kind.parse().expect("a name ends in -provider, -taskserv or -cluster");
    let extension =
        Extension { name: name.to_owned(), kind, servers: Mutex::default(), installed: Mutex::default() };
    let mut definition = Definition::new(&file, env!("CARGO_PKG_VERSION")).auto_start();
    for operation in operations(kind) {
        let mut command = Command::on("plugins", operation.name);
        for input in operation.inputs {
            let param = Param::named(input.name);
            command = if input.required { command.required(param) } else { command.optional(param) };
        }
        for (takes, name) in [(operation.check, "check"), (operation.wait, "wait")] {
            if takes {
                command = command.optional(Param::named(name));
            }
        }
        definition = definition.action(command);
    }
    definition.run(extension)
}
