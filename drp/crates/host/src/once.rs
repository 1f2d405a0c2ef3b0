//! Running an executable to its end: `define` and `unpack` (wire-protocol §1.3, §1.4).

use crate::environment::Environment;
use crate::lines::{self, Kept};
use crate::spawner::{self, Children};
use crate::{HostError, Limits, diagnose, kernel, proc};
use drp_protocol::{PLUGIN_VERSION, PluginProvider, Secret};
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Runs providers to completion.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    pub(crate) environment: Environment,
    pub(crate) scratch: PathBuf,
    pub(crate) limits: Arc<Limits>,
}

impl Once {
    /// Asks an executable for its definition. Only standard output is read for it; standard error serves
    /// the diagnosis.
    ///
    /// `name` is the file name that the executable has or will have; it must be the provider's.
    pub(crate) async fn define(
        &self,
        path: &Path,
        name: &str,
        token: &Secret,
    ) -> Result<PluginProvider, HostError> {
        let failed = |why| HostError::Define { path: path.to_owned(), why };
        let output = self.run(path, &["define".as_ref()], token, self.limits.define).await.map_err(failed)?;
        parse(&output, name).map_err(failed)
    }

    /// Asks an executable for its definition, whatever its file is called.
    pub(crate) async fn define_any(&self, path: &Path, token: &Secret) -> Result<PluginProvider, HostError> {
        let failed = |why| HostError::Define { path: path.to_owned(), why };
        let output = self.run(path, &["define".as_ref()], token, self.limits.define).await.map_err(failed)?;
        parse(&output, "").map_err(failed)
    }

    /// Lets an executable unpack its files into a directory.
    pub(crate) async fn unpack(&self, path: &Path, dir: &Path, token: &Secret) -> Result<(), HostError> {
        let args = ["unpack".as_ref(), dir.as_os_str()];
        match self.run(path, &args, token, self.limits.unpack).await {
            Ok(_) => Ok(()),
            Err(why) => Err(HostError::Unpack { path: path.to_owned(), why }),
        }
    }

    async fn run(
        &self,
        path: &Path,
        args: &[&OsStr],
        token: &Secret,
        deadline: Duration,
    ) -> Result<Vec<u8>, String> {
        let mut command = Command::new(path);
        command.args(args).current_dir(&self.scratch);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        self.environment.apply(&mut command, token);
        kernel::confine(&mut command, self.limits.open_files);
        if let Some(why) = diagnose::file(path) {
            return Err(why);
        }
        let mut child = spawner::spawn(command).await.map_err(|e| diagnose::spawn_error(path, &e))?;
        let pid = child.id().unwrap_or_default();
        let mut guard = Guard(Some(pid));
        let stderr = Arc::new(Kept::default());
        let errors = child.stderr.take().map(|stream| {
            let (kept, token, limits) = (Arc::clone(&stderr), token.clone(), Arc::clone(&self.limits));
            tokio::spawn(async move {
                let keep = |line| kept.push(lines::scrub(line, &token), limits.kept_lines);
                lines::read_lines(stream, limits.line, keep).await;
            })
        });
        let stdout = child.stdout.take();
        let work = async {
            let read = async {
                match stdout {
                    Some(stdout) => read_bounded(stdout, self.limits.definition).await,
                    None => Ok(Vec::new()),
                }
            };
            let wait = async {
                let status = child.wait().await.map_err(|e| e.to_string());
                // What it started and left must not keep its output open.
                kernel::signal_group(pid, Signal::SIGKILL);
                status
            };
            tokio::try_join!(read, wait)
        };
        let status = tokio::time::timeout(deadline, work).await;
        if !matches!(status, Ok(Ok(_))) {
            kernel::signal_group(pid, Signal::SIGKILL);
            let _ = child.wait().await;
        }
        guard.0 = None;
        Children::forget(pid);
        proc::end_leftovers(pid, &proc::hash(&[])).await;
        if let Some(errors) = errors {
            let abort = errors.abort_handle();
            if tokio::time::timeout(Duration::from_secs(1), errors).await.is_err() {
                abort.abort();
            }
        }
        let word = args[0].to_string_lossy();
        match status {
            Err(_) => Err(format!("{word} did not end within {deadline:?}")),
            Ok(Err(why)) => Err(why),
            Ok(Ok((output, status))) if status.success() => Ok(output),
            Ok(Ok((_, status))) => {
                Err(format!("{word} {}", diagnose::with_hint(diagnose::how_it_ended(status), &stderr.all())))
            }
        }
    }
}

/// Reads the output of `define`. The provider must be called like its file, unless `file` is empty.
fn parse(output: &[u8], file: &str) -> Result<PluginProvider, String> {
    let mut definition: PluginProvider = serde_json::from_slice(output).map_err(|e| {
        let start = String::from_utf8_lossy(&output[..output.len().min(80)]).into_owned();
        format!("what define prints is not a definition in JSON: {e}; it starts with {start:?}")
    })?;
    if definition.plugin_version != PLUGIN_VERSION {
        let version = definition.plugin_version;
        return Err(format!("it speaks plugin protocol {version}, and only {PLUGIN_VERSION} is spoken here"));
    }
    if definition.name.is_empty() {
        return Err("its definition has no Name".to_owned());
    }
    if !file.is_empty() && definition.name != file {
        return Err(format!("it defines the provider {0}: the file must be named {0} too", definition.name));
    }
    for action in &mut definition.available_actions {
        action.provider.clone_from(&definition.name);
    }
    Ok(definition)
}

/// Ends the process group when the caller stops waiting.
struct Guard(Option<u32>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            kernel::signal_group(pid, Signal::SIGKILL);
            Children::forget(pid);
        }
    }
}

async fn read_bounded(stream: impl AsyncRead + Unpin, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    stream.take(most as u64 + 1).read_to_end(&mut bytes).await.map_err(|e| e.to_string())?;
    if bytes.len() > most { Err(format!("it prints more than {most} bytes")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_definition_is_checked_and_filled() {
        let lamp =
            br#"{"Meta":null,"name":"lamp","PluginVersion":4,"AvailableActions":[{"Command":"blink"}]}"#;
        let lamp = parse(lamp, "lamp").unwrap();
        assert_eq!(lamp.available_actions[0].provider, "lamp");
        for (text, says) in [
            ("local log: x\n{}", "not a definition in JSON"),
            ("null", "protocol 0"),
            (r#"{"Name":"lamp","PluginVersion":2}"#, "protocol 2"),
            (r#"{"Name":"lantern","PluginVersion":4}"#, "named lantern"),
            (r#"{"PluginVersion":4}"#, "no Name"),
        ] {
            assert!(parse(text.as_bytes(), "lamp").unwrap_err().contains(says), "{text}");
        }
    }
}
