//! Extensions on the plugin host without registering them: what validation and local commands need.

use drp_extensions::launcher::{HostedBy, Programs, hosted_by, text};
use drp_extensions::{Hosting, HostingError, TestOutcome};
use drp_host::{HostConfig, HostError, NoDaemon, PluginRun, define};
use drp_protocol::{Action, HostedExtension, JsonMap, Line, PluginProvider};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// How long one operation may take when nothing else is said: creating a server takes minutes.
const OPERATION: Duration = Duration::from_secs(900);

/// How long `nu --version` may take.
const NUSHELL: Duration = Duration::from_secs(10);

/// Runs extensions as the plugins that they become, each in a folder of its own that goes when it is done.
pub struct ExtensionHost {
    programs: Programs,
    /// Where those folders are made.
    room: PathBuf,
    deadline: Duration,
    nu: Option<PathBuf>,
    log: Arc<dyn Fn(Line) + Send + Sync>,
}

impl ExtensionHost {
    /// With these programs. Folders are made below `room`, from which programs must be allowed to run.
    #[must_use]
    pub fn new(programs: Programs, room: PathBuf) -> Self {
        Self { programs, room, deadline: OPERATION, nu: None, log: Arc::new(|_| {}) }
    }

    /// With the programs beside the running one (or a folder above, where Cargo puts tests, or on `PATH`), and the
    /// system's folder for temporary files.
    #[must_use]
    pub fn beside_this_program() -> Self {
        Self::new(Programs::in_folders(&program_folders(&[])), std::env::temp_dir())
    }

    /// Longest time for one operation.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The `nu` program for extensions whose record names none; else it is looked for on `PATH`.
    #[must_use]
    pub fn nu(mut self, nu: Option<PathBuf>) -> Self {
        self.nu = nu;
        self
    }

    /// Takes the log lines of the extensions. It must not block.
    #[must_use]
    pub fn log(mut self, log: impl Fn(Line) + Send + Sync + 'static) -> Self {
        self.log = Arc::new(log);
        self
    }

    fn prepare(&self, extension: &HostedExtension) -> Result<Ready, HostingError> {
        let Some(host) = hosted_by(extension.r#type, &extension.root) else {
            let text = format!(
                "nothing can run {}: it has neither a program in plugin/ nor nulib/mod.nu, nor is it a cluster or a taskserv of data only",
                extension.root.display()
            );
            return Err(HostingError::Start(text));
        };
        self.programs.has(&host)?;
        let mut record = extension.clone();
        record.nu = record.nu.or_else(|| self.nu.clone());
        Ready::make(&self.room, &record, &host, &self.programs)
            .map_err(|error| HostingError::Start(format!("cannot prepare {}: {error}", extension.plugin())))
    }

    async fn define(&self, extension: &HostedExtension) -> Result<PluginProvider, HostingError> {
        let ready = self.prepare(extension)?;
        let provider = define(&ready.launcher, &ready.config()).await.map_err(start)?;
        let name = extension.plugin();
        if provider.name == name {
            return Ok(provider);
        }
        let other = provider.name;
        Err(HostingError::Start(format!(
            "it defines the plugin provider {other:?}, and that of the {} {} must be called {name:?}",
            extension.r#type, extension.name
        )))
    }

    async fn run(
        &self,
        extension: &HostedExtension,
        settings: JsonMap,
        operation: &str,
        params: JsonMap,
    ) -> Result<Value, HostingError> {
        let ready = self.prepare(extension)?;
        let name = extension.plugin();
        let settings: JsonMap =
            settings.into_iter().map(|(field, value)| (extension.param(&field), value)).collect();
        let model = json!({"Name": name, "Provider": name, "Params": settings});
        let log = Arc::clone(&self.log);
        let backend = Arc::new(NoDaemon::new(move |line| log(line), |_event| {}));
        let run = PluginRun::start(&ready.launcher, &name, settings, ready.config(), backend)
            .await
            .map_err(start)?;
        let action = Action {
            model,
            plugin: name,
            command: operation.to_owned(),
            command_set: "plugins".to_owned(),
            params,
        };
        let answer = run.invoke(&action, self.deadline).await;
        run.stop().await;
        let answer = answer.map_err(|error| match error {
            HostError::Plugin { error, .. } => HostingError::Operation(error),
            other => HostingError::Operation(Box::new(other.into())),
        })?;
        serde_json::from_slice(&answer)
            .map_err(|error| HostingError::Start(format!("the answer of {operation} is not JSON: {error}")))
    }
}

impl ExtensionHost {
    /// The tests of an extension, by the Nushell plugin.
    async fn test(&self, extension: &HostedExtension, only: &str) -> Result<Vec<TestOutcome>, HostingError> {
        self.programs.has(&HostedBy::Nushell)?;
        let failed = |what: &str, error: io::Error| HostingError::Start(format!("cannot {what}: {error}"));
        let folder = tempfile::Builder::new().prefix("drp-ext").tempdir_in(&self.room);
        let folder = folder.map_err(|error| failed("make a folder", error))?;
        let record = folder.path().join("extension.json");
        let mut extension = extension.clone();
        extension.nu = extension.nu.or_else(|| self.nu.clone());
        let text =
            serde_json::to_vec(&extension).map_err(|error| failed("write the record", error.into()))?;
        std::fs::write(&record, text).map_err(|error| failed("write the record", error))?;
        let mut command = tokio::process::Command::new(&self.programs.nushell);
        command.arg("--extension").arg(&record).args(["test", "--json"]);
        if !only.is_empty() {
            command.arg("--only").arg(only);
        }
        // It ends its own children when it is told to; killed, it could not.
        let child = command.stdin(std::process::Stdio::null()).kill_on_drop(true).output();
        let output = match tokio::time::timeout(self.deadline, child).await {
            Ok(output) => output.map_err(|error| failed("run the tests", error))?,
            Err(_) => {
                let text = format!("its tests did not end within {} s", self.deadline.as_secs());
                return Err(HostingError::Start(text));
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let outcomes = said.lines().map(serde_json::from_str).collect::<Result<Vec<TestOutcome>, _>>();
        let outcomes = outcomes
            .map_err(|error| HostingError::Start(format!("the tests' answer cannot be read: {error}")))?;
        // Failed tests are told one by one; an error without any is of the run as a whole.
        if !output.status.success() && outcomes.iter().all(|outcome| outcome.ok) {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(HostingError::Start(format!("its tests could not be run: {why}")));
        }
        Ok(outcomes)
    }
}

impl Hosting for ExtensionHost {
    fn test<'a>(
        &'a self,
        extension: &'a HostedExtension,
        only: &'a str,
    ) -> BoxFuture<'a, Result<Vec<TestOutcome>, HostingError>> {
        self.test(extension, only).boxed()
    }

    fn define<'a>(
        &'a self,
        extension: &'a HostedExtension,
    ) -> BoxFuture<'a, Result<PluginProvider, HostingError>> {
        self.define(extension).boxed()
    }

    fn nushell(&self) -> BoxFuture<'_, Option<String>> {
        nushell(self.nu.clone()).boxed()
    }

    fn run<'a>(
        &'a self,
        extension: &'a HostedExtension,
        settings: JsonMap,
        operation: &'a str,
        params: JsonMap,
    ) -> BoxFuture<'a, Result<Value, HostingError>> {
        self.run(extension, settings, operation, params).boxed()
    }
}

/// What the named `nu`, or the one on `PATH`, says of its version. It gets no environment but what it needs to start.
async fn nushell(named: Option<PathBuf>) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("nu"))
        .find(|file| file.is_file());
    let asked = Command::new(named.or(found)?)
        .arg("--version")
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let said = tokio::time::timeout(NUSHELL, asked).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

fn start(error: HostError) -> HostingError {
    HostingError::Start(match error {
        // The path of the launcher says nothing to anybody.
        HostError::Define { why, .. } => format!("it does not define itself: {why}"),
        other => other.to_string(),
    })
}

/// Where programs that belong to this one are looked for: in these folders, beside it, one folder above, on `PATH`.
pub(crate) fn program_folders(first: &[PathBuf]) -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let above = beside.as_ref().and_then(|folder| folder.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let mut all: Vec<PathBuf> = beside.into_iter().chain(first.iter().cloned()).collect();
    all.extend(above.into_iter().chain(elsewhere));
    all
}

/// A launcher with its record, in a folder that goes with it.
struct Ready {
    folder: tempfile::TempDir,
    launcher: PathBuf,
}

impl Ready {
    fn make(
        room: &Path,
        extension: &HostedExtension,
        host: &HostedBy,
        programs: &Programs,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("drp-ext").tempdir_in(room)?;
        let record = folder.path().join("extension.json");
        std::fs::write(&record, serde_json::to_vec_pretty(extension)?)?;
        let launcher = folder.path().join(extension.plugin());
        write_program(&launcher, &text(extension, host, programs, &record))?;
        Ok(Self { folder, launcher })
    }

    fn config(&self) -> HostConfig {
        HostConfig::under(self.folder.path())
    }
}

/// Writes a script that can be run.
pub(crate) fn write_program(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
