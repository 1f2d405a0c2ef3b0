//! The daemon's end, scripted.

use crate::{FakeApi, RunningPlugin, TestkitError, api::TOKEN, recorder::Recorder};
use drp_protocol::{Error, Event, Line, wire};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::net::UnixListener;

/// A daemon that does what the test says and records what the plugin says. Dropping it removes its directory.
pub struct FakeDaemon {
    // Dropped last: sockets and scratch files live in it.
    dir: tempfile::TempDir,
    recorder: Arc<Recorder>,
    api: FakeApi,
    next: AtomicU32,
}

impl FakeDaemon {
    /// A daemon with an HTTPS API and a certificate that plugins can pin.
    ///
    /// # Errors
    /// [`TestkitError`] when no port or directory can be had.
    pub async fn start() -> Result<Self, TestkitError> {
        // Short, since a socket path holds 107 bytes.
        let dir = tempfile::Builder::new()
            .prefix("drp")
            .tempdir_in("/tmp")
            .map_err(TestkitError::io("make", "/tmp"))?;
        let recorder = Recorder::new();
        let api = FakeApi::start().await?;
        api.certificate().clone_into(&mut recorder.seen().certificate);
        Ok(Self { dir, recorder, api, next: AtomicU32::new(1) })
    }

    /// The API that plugins are told of.
    #[must_use]
    pub fn api(&self) -> &FakeApi {
        &self.api
    }

    /// The scratch directory that plugins run in.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// Do not name the API's certificate, as other daemons do not.
    pub fn hide_certificate(&self) {
        self.recorder.seen().certificate.clear();
    }

    /// Answer `/log` with this status from now on.
    pub fn answer_logs_with(&self, status: u16) {
        self.recorder.seen().log_status = Some(status);
    }

    /// Answer `/publish` with this error from now on.
    pub fn refuse_events(&self, error: Error) {
        self.recorder.seen().publish_error = Some(error);
    }

    /// What `/objects/<prefix>` lists.
    pub fn set_objects(&self, prefix: &str, objects: Vec<Value>) {
        self.recorder.seen().objects.insert(prefix.to_owned(), objects);
    }

    /// The environment that plugins get (wire-protocol §1.2).
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let scratch = self.scratch().display().to_string();
        [
            (wire::ENV_ENDPOINT, self.api.endpoint()),
            (wire::ENV_TOKEN, TOKEN),
            (wire::ENV_FILESERVER, "http://127.0.0.1:8091"),
            (wire::ENV_WEBROOT, &scratch),
            ("PATH", "/usr/bin:/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Serves a from-plugin socket, starts `binary listen` and waits for `READY!`. Config is not sent.
    ///
    /// # Errors
    /// [`TestkitError::NotReady`] with the plugin's output.
    pub async fn launch(&self, binary: impl AsRef<Path>, name: &str) -> Result<RunningPlugin, TestkitError> {
        self.launch_with(binary, name, &[]).await
    }

    /// [`launch`](Self::launch) with more environment.
    ///
    /// # Errors
    /// As [`launch`](Self::launch).
    pub async fn launch_with(
        &self,
        binary: impl AsRef<Path>,
        name: &str,
        more: &[(&str, &str)],
    ) -> Result<RunningPlugin, TestkitError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = |end: &str| self.dir.path().join(format!("{name}.{end}.{number}"));
        let (to, from) = (path("to"), path("from"));
        let listener = UnixListener::bind(&from).map_err(TestkitError::io("listen on", &from))?;
        let server = tokio::spawn(axum::serve(listener, self.recorder.service()).into_future());
        let mut environment = self.environment();
        environment.extend(more.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        RunningPlugin::launch(binary.as_ref(), name, to, from, environment, self.scratch(), server).await
    }

    /// A path for a socket or file in the scratch directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Log lines so far.
    #[must_use]
    pub fn logs(&self) -> Vec<Line> {
        self.recorder.seen().lines.clone()
    }

    /// Events that plugins published so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.recorder.seen().events.clone()
    }

    /// Errors that plugins left with so far.
    #[must_use]
    pub fn left(&self) -> Vec<Error> {
        self.recorder.seen().leaving.clone()
    }

    /// Waits for a log line.
    ///
    /// # Errors
    /// [`TestkitError::Late`].
    pub async fn log_line(&self, what: &str, wanted: impl Fn(&Line) -> bool) -> Result<Line, TestkitError> {
        self.wait(what, || self.recorder.seen().lines.iter().find(|l| wanted(l)).cloned()).await
    }

    /// Waits for an event that a plugin publishes.
    ///
    /// # Errors
    /// [`TestkitError::Late`].
    pub async fn event(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Result<Event, TestkitError> {
        self.wait(what, || self.recorder.seen().events.iter().find(|e| wanted(e)).cloned()).await
    }

    async fn wait<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> Result<T, TestkitError> {
        let limit = Duration::from_secs(20);
        let mut changes = self.recorder.changes();
        let found = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                // The sender lives in the recorder, so this never fails.
                let _ = changes.changed().await;
            }
        };
        tokio::time::timeout(limit, found)
            .await
            .map_err(|_| TestkitError::Late { what: what.to_owned(), limit })
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        self.api.shut_down();
    }
}
