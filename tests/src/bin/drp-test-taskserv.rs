//! A task service for tests: `drp-test-taskserv --name NAME --dir DIR define|unpack|listen …` is the plugin
//! `NAME-taskserv`. What it installed is the file `DIR/NAME.json`. It does as the interface of extensions §2 says, and
//! fails where a file says so:
//!
//! * `DIR/NAME.fault`: one `operation=fault` a line. Faults: `fail` (nothing is done), `fail-once`, `half` (it is done, and then
//!   failed), `hang`, `die` (the process ends before anything is done), `die-after`, `slow` (takes 0.3 s); `health=bad`.
//! * `DIR/NAME.OPERATION.before` and `.after`: as long as the file is there, the operation waits before or after what it
//!   does; `DIR/NAME.OPERATION.before.here` says that it does.
//!
//! `DIR/log` gets a line when an operation begins, takes effect and ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Param, Params, Plugin, Value, json,
};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

struct Taskserv {
    name: String,
    dir: PathBuf,
}

impl Plugin for Taskserv {
    async fn config(&self, _: &Context, _: Params) -> Result<(), Error> {
        Ok(())
    }
}

impl Taskserv {
    fn file(&self, end: &str) -> PathBuf {
        self.dir.join(format!("{}.{end}", self.name))
    }

    fn log(&self, operation: &str, what: &str) {
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log")).unwrap();
        file.write_all(format!("{operation} {} {what}\n", self.name).as_bytes()).unwrap();
    }

    fn fault(&self, operation: &str) -> String {
        let faults = std::fs::read_to_string(self.file("fault")).unwrap_or_default();
        let mut faults = faults.lines().filter_map(|line| line.split_once('='));
        faults.find(|(of, _)| *of == operation).map(|(_, fault)| fault.to_owned()).unwrap_or_default()
    }

    fn installed(&self) -> Option<Value> {
        serde_json::from_str(&std::fs::read_to_string(self.file("json")).ok()?).ok()
    }

    fn keep(&self, state: &Value) {
        let new = self.file("new");
        std::fs::write(&new, state.to_string()).unwrap();
        std::fs::rename(new, self.file("json")).unwrap();
    }

    async fn held(&self, operation: &str, place: &str) {
        let hold = self.file(&format!("{operation}.{place}"));
        if hold.exists() {
            std::fs::write(self.file(&format!("{operation}.{place}.here")), "").unwrap();
        }
        while hold.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Does something, with the faults that are switched on.
    async fn act(
        &self,
        ctx: &Context,
        operation: &str,
        effect: impl FnOnce() -> Result<Value, String>,
    ) -> Result<Value, Error> {
        self.log(operation, "begin");
        self.held(operation, "before").await;
        let fault = self.fault(operation);
        let failed = |text: &str| ctx.error(500, format!("{operation} of {} {text}", self.name));
        match fault.as_str() {
            "fail" => return Err(failed("failed as told")),
            "fail-once" => {
                std::fs::remove_file(self.file("fault")).unwrap();
                return Err(failed("failed as told"));
            }
            "hang" => std::future::pending::<()>().await,
            "die" => std::process::abort(),
            "slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            _ => {}
        }
        let outcome = effect().map_err(|text| failed(&text))?;
        self.log(operation, "effect");
        self.held(operation, "after").await;
        match fault.as_str() {
            "half" => return Err(failed("failed half-way as told")),
            "die-after" => std::process::abort(),
            _ => {}
        }
        self.log(operation, "end");
        Ok(outcome)
    }

    fn status(&self) -> Value {
        let Some(state) = self.installed() else {
            return json!({"service": self.name, "status": "not installed", "health": {"healthy": false}});
        };
        let healthy = self.fault("health") != "bad";
        json!({
            "service": self.name, "version": state["version"], "systemd_status": "active",
            "health": {"healthy": healthy, "error": if healthy { Value::Null } else { json!("told to be unwell") }},
        })
    }
}

impl Actor for Taskserv {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let params = &action.params;
        let config = params.get::<Value>("config")?.unwrap_or(json!({}));
        match action.command.as_str() {
            "taskserv-info" => Ok(json!({"name": self.name, "type": "taskserv"})),
            "install" => {
                let version = params.get::<String>("version")?.unwrap_or_else(|| "9.9.9".to_owned());
                if params.get::<bool>("check")?.unwrap_or_default() {
                    return Ok(json!({"action": "install", "check_mode": true, "would_install": true}));
                }
                self.act(ctx, "install", || {
                    self.keep(&json!({"version": version, "config": config}));
                    Ok(json!({"success": true, "service": self.name, "version": version, "status": "running"}))
                })
                .await
            }
            "uninstall" => {
                self.act(ctx, "uninstall", || {
                    let _ = std::fs::remove_file(self.file("json"));
                    Ok(Value::Null)
                })
                .await
            }
            "upgrade" | "configure" => {
                let version = params.get::<String>("version")?;
                self.act(ctx, &action.command, || {
                    let mut state = self.installed().ok_or("finds nothing installed")?;
                    match version {
                        Some(version) => state["version"] = json!(version),
                        None => state["config"] = config,
                    }
                    self.keep(&state);
                    Ok(json!({"success": true}))
                })
                .await
            }
            "restart" => self.act(ctx, "restart", || Ok(Value::Null)).await,
            "status" => Ok(self.status()),
            "get-current-version" => {
                Ok(self.installed().map_or(Value::Null, |state| state["version"].clone()))
            }
            _ => Err(action.unknown()),
        }
    }
}

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let rest = arguments.split_off(4);
    let word = |at: usize| arguments[at].to_str().expect("text").to_owned();
    assert_eq!((word(0), word(2)), ("--name".to_owned(), "--dir".to_owned()));
    let taskserv = Taskserv { name: word(1), dir: PathBuf::from(&arguments[3]) };
    let on = |command: &str, params: &[&str]| {
        params
            .iter()
            .fold(Command::on("plugins", command), |command, name| command.optional(Param::named(*name)))
    };
    Definition::new(format!("{}-taskserv", taskserv.name), "1.0.0")
        .auto_start()
        .action(on("taskserv-info", &[]))
        .action(on("install", &["config", "version", "check", "wait"]))
        .action(on("uninstall", &["config", "force", "keep-data"]))
        .action(on("configure", &["config"]))
        .action(on("status", &["config"]))
        .action(on("restart", &["config"]))
        .action(on("upgrade", &["version"]))
        .action(on("get-current-version", &[]))
        .run_with(taskserv, rest)
}
