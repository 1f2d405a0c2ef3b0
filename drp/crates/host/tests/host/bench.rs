//! A host with a recording backend and a directory of fake plugins.

use bytes::Bytes;
use drp_host::{
    Backend, Host, HostConfig, InstanceChange, InstanceState, InstanceStatus, Limits, ProviderChange,
};
use drp_protocol::{Action, Error, Event, JsonMap, Line, Plugin, PluginProvider, Secret};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const TOKEN: &str = "canary-token-0123456789";
pub const LONG: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct Recorder {
    pub lines: Mutex<Vec<Line>>,
    pub events: Mutex<Vec<(String, Event)>>,
    pub changes: Mutex<Vec<InstanceChange>>,
    pub providers: Mutex<Vec<String>>,
    pub params: Mutex<JsonMap>,
    /// What `config_params` complains about.
    pub missing: Mutex<Vec<String>>,
    pub stored: Mutex<Vec<String>>,
    pub refuse: Mutex<bool>,
}

impl Recorder {
    /// No two instances have the same, of whatever host.
    pub fn token(&self, plugin: &str) -> String {
        format!("{TOKEN}-{plugin}-{:p}", self)
    }
}

fn at_once<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Backend for Recorder {
    fn define_token(&self, _provider: &str) -> BoxFuture<'_, Result<Secret, Error>> {
        at_once(Ok(Secret::new("define-token".to_owned())))
    }

    fn run_token(&self, plugin: &str) -> BoxFuture<'_, Result<Secret, Error>> {
        at_once(Ok(Secret::new(self.token(plugin))))
    }

    fn config_params<'a>(
        &'a self,
        plugin: &'a Plugin,
        _provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<JsonMap, Vec<String>>> {
        let missing = self.missing.lock().unwrap().clone();
        let mut params = self.params.lock().unwrap().clone();
        params.extend(plugin.params.clone());
        at_once(if missing.is_empty() { Ok(params) } else { Err(missing) })
    }

    fn register_store_objects<'a>(
        &'a self,
        provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.stored.lock().unwrap().extend(provider.store_objects.keys().cloned());
        at_once(Ok(()))
    }

    fn publish(&self, plugin: &str, event: Event) -> BoxFuture<'_, Result<(), Error>> {
        if event.action == "refused" {
            return at_once(Err(Error::new(409, "POST", "nobody listens")));
        }
        self.events.lock().unwrap().push((plugin.to_owned(), event));
        at_once(Ok(()))
    }

    fn log(&self, line: Line) {
        self.lines.lock().unwrap().push(line);
    }

    fn objects(&self, prefix: &str) -> BoxFuture<'_, Result<Bytes, Error>> {
        at_once(match prefix {
            "machines" => Ok(Bytes::from_static(br#"[{"Name":"m1"}]"#)),
            other => Err(Error::new(404, "GET", format!("no such prefix {other}"))),
        })
    }

    fn certificate(&self) -> Option<String> {
        Some("-----BEGIN CERTIFICATE-----\n".to_owned())
    }

    fn provider_changed(&self, change: ProviderChange) -> BoxFuture<'_, Result<(), Error>> {
        if *self.refuse.lock().unwrap() && !matches!(change, ProviderChange::Removed { .. }) {
            return at_once(Err(Error::new(422, "ValidationError", "bad content")));
        }
        self.providers.lock().unwrap().push(match change {
            ProviderChange::Added(p) => format!("added {}", p.definition.name),
            ProviderChange::Changed(p) => format!("changed {}", p.definition.name),
            ProviderChange::Removed { name, why } => format!("removed {name} {why:?}"),
        });
        at_once(Ok(()))
    }

    fn instance_changed(&self, change: InstanceChange) -> BoxFuture<'_, ()> {
        self.changes.lock().unwrap().push(change);
        at_once(())
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub backend: Arc<Recorder>,
    pub host: Arc<Host>,
}

pub fn limits() -> Limits {
    Limits {
        ready: LONG,
        config: LONG,
        drain: Duration::from_secs(2),
        stop: Duration::from_secs(5),
        exit: Duration::from_secs(5),
        term: Duration::from_millis(500),
        backoff_first: Duration::from_millis(20),
        crash_budget: 3,
        watch: Duration::from_millis(30),
        ..Limits::default()
    }
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(limits()).await
    }

    pub async fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let backend = Arc::new(Recorder::default());
        let host = Self::open(dir.path(), limits, &backend).await;
        Self { dir, backend, host }
    }

    pub async fn open(dir: &Path, limits: Limits, backend: &Arc<Recorder>) -> Arc<Host> {
        let config = HostConfig { limits, ..HostConfig::under(dir) };
        let backend: Arc<dyn Backend> = Arc::<Recorder>::clone(backend);
        Host::start(config, backend).await.unwrap()
    }

    pub fn plugins(&self) -> PathBuf {
        self.dir.path().join("plugins")
    }

    /// Puts a fake plugin into the plugin directory.
    pub fn install(&self, name: &str, behaviour: &str) {
        self.install_as(name, behaviour, json!({}));
    }

    pub fn install_as(&self, name: &str, behaviour: &str, definition: Value) {
        write_plugin(self.dir.path(), name, behaviour, definition);
    }

    /// Installs a plugin, scans, starts an instance of the same name and waits until it is configured.
    pub async fn run(&self, name: &str, behaviour: &str) {
        self.install(name, behaviour);
        self.host.scan().await;
        self.upsert(name, name);
        self.reaches(name, InstanceState::Configured).await;
    }

    pub fn upsert(&self, name: &str, provider: &str) {
        self.host.upsert_plugin(Plugin {
            name: name.to_owned(),
            provider: provider.to_owned(),
            ..Plugin::default()
        });
    }

    pub async fn reaches(&self, name: &str, state: InstanceState) -> InstanceStatus {
        let found = until(|| self.host.plugin_status(name).filter(|s| s.state == state)).await;
        found.unwrap_or_else(|| {
            panic!("{name} is not {state}: {:#?}\n{:#?}", self.host.plugin_status(name), self.texts())
        })
    }

    pub fn status(&self, name: &str) -> InstanceStatus {
        self.host.plugin_status(name).unwrap()
    }

    pub async fn act(
        &self,
        plugin: &str,
        command: &str,
        params: Value,
    ) -> Result<Value, drp_host::HostError> {
        let params = params.as_object().cloned().unwrap_or_default();
        let action =
            Action { command: command.to_owned(), plugin: plugin.to_owned(), params, ..Action::default() };
        let answer = self.host.invoke(plugin, &action, LONG).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    /// What the fake plugin received, one line for each request.
    pub fn calls(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join(format!("{name}.calls"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Messages of all log lines.
    pub fn texts(&self) -> Vec<String> {
        self.backend.lines.lock().unwrap().iter().map(|l| l.message.clone()).collect()
    }

    pub fn states(&self, name: &str) -> Vec<InstanceState> {
        self.backend.changes.lock().unwrap().iter().filter(|c| c.plugin == name).map(|c| c.state).collect()
    }

    /// Ends the host and shows that nothing is left.
    pub async fn close(self) {
        self.host.shutdown().await;
        let left: Vec<_> = std::fs::read_dir(self.dir.path().join("run")).unwrap().flatten().collect();
        let left: Vec<_> =
            left.iter().filter(|e| e.file_name().to_string_lossy().contains("Plugin")).collect();
        assert!(left.is_empty(), "sockets left: {left:?}");
        let records = std::fs::read_dir(self.dir.path().join("run/children")).unwrap().count();
        assert_eq!(records, 0);
    }
}

pub fn write_plugin(dir: &Path, name: &str, behaviour: &str, definition: Value) {
    let mut full = json!({
        "Meta": null, "Name": name, "Version": "v1", "PluginVersion": 4, "AutoStart": false, "HasPublish": false,
        "AvailableActions": [{"Provider": "", "Model": "machines", "Command": "echo", "RequiredParams": null,
                              "OptionalParams": null}],
        "RequiredParams": null, "OptionalParams": null, "StoreObjects": null, "Documentation": "", "Content": "",
    });
    full.as_object_mut().unwrap().extend(definition.as_object().unwrap().clone());
    let trap = if behaviour.contains("deaf") { "trap '' TERM" } else { "" };
    let (dir_text, this) = (dir.display(), std::env::current_exe().unwrap());
    let script = format!(
        "#!/bin/sh\n\
         case $1 in\n\
         define) echo \"$RS_TOKEN\" >> '{dir_text}/{name}.defined'; echo 'local log: chatter' >&2\n\
         cat <<'END'\n{full:#}\nEND\n\
         exit 0;;\n\
         unpack) echo \"$2\" >> '{dir_text}/{name}.unpacked'\n\
         case '{behaviour}' in *files*) mkdir -p \"$2\"; printf ImaFile > \"$2/testFile\";; esac\n\
         exit 0;;\n\
         esac\n\
         {trap}\n\
         exec 3>&1 1>/dev/null\n\
         export FAKE='{behaviour}' FAKE_NAME='{name}' FAKE_DIR='{dir_text}'\n\
         exec '{}' --exact {} --nocapture --test-threads=1 \"$@\"\n",
        this.display(),
        crate::fake::TEST
    );
    write_executable(&dir.join("plugins").join(name), script.as_bytes());
}

pub fn write_executable(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let part = path.with_file_name(format!(".{}.test", path.file_name().unwrap().to_string_lossy()));
    std::fs::write(&part, bytes).unwrap();
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(part, path).unwrap();
}

/// Asks again and again until there is an answer, for 30 s at most.
pub async fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn holds(what: &str, mut ask: impl FnMut() -> bool) {
    assert!(until(|| ask().then_some(())).await.is_some(), "never: {what}");
}

/// Whether a process is there and not a zombie.
pub fn alive(pid: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit_once(')').unwrap().1.trim_start().starts_with(['Z', 'X'])
}
