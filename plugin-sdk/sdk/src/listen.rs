//! `listen`: from the two socket paths to the end of the process (wire-protocol §1.5, §1.10).

use crate::{
    Context, Definition, Plugin, SdkError, endpoint::Endpoint, host_link::HostLink, kernel, log, scope,
};
use drp_protocol::wire;
use std::{
    fs,
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::FileTypeExt},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::unix::AsyncFd,
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};

#[cfg(feature = "client")]
pub(crate) use crate::events::EventTask;

/// Answers still on their way when the plugin stops get this long.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Log lines still on their way when the plugin stops get this long.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);
/// Threads of `spawn_blocking` that still run when the plugin stops get this long.
const THREADS_LIMIT: Duration = Duration::from_millis(100);

/// Without the client there are no event streams.
#[cfg(not(feature = "client"))]
pub(crate) enum EventTask {}

#[cfg(not(feature = "client"))]
impl EventTask {
    pub(crate) async fn end(self) {
        match self {}
    }
}

pub(crate) fn listen<P: Plugin, E>(
    definition: Definition<P, E>,
    plugin: Arc<P>,
    to: &Path,
    from: &Path,
) -> Result<(), SdkError> {
    let listener = bind(to)?;
    let runtime = if definition.threads == 0 {
        crate::cli::small_runtime()?
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(definition.threads)
            .enable_all()
            .build()
            .map_err(|source| SdkError::System { what: "start the runtime", source })?
    };
    let outcome = runtime.block_on(serve(definition, plugin, listener, from));
    runtime.shutdown_timeout(THREADS_LIMIT);
    let _ = fs::remove_file(to);
    outcome
}

fn bind(to: &Path) -> Result<std::os::unix::net::UnixListener, SdkError> {
    if to.as_os_str().len() > wire::SOCKET_PATH_MAX {
        let problem = format!("the path is longer than {} bytes", wire::SOCKET_PATH_MAX);
        return Err(SdkError::io("listen on", to)(io::Error::new(io::ErrorKind::InvalidInput, problem)));
    }
    // A socket left by a killed predecessor; anything else is not ours to remove.
    if fs::symlink_metadata(to).is_ok_and(|m| m.file_type().is_socket()) {
        fs::remove_file(to).map_err(SdkError::io("replace the stale socket", to))?;
    }
    let listener = kernel::bind_private(to).map_err(SdkError::io("listen on", to))?;
    listener.set_nonblocking(true).map_err(SdkError::io("listen on", to))?;
    Ok(listener)
}

async fn serve<P: Plugin, E>(
    definition: Definition<P, E>,
    plugin: Arc<P>,
    listener: std::os::unix::net::UnixListener,
    from: &Path,
) -> Result<(), SdkError> {
    let system = |what| move |source| SdkError::System { what, source };
    let listener = UnixListener::from_std(listener).map_err(system("listen"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("watch for signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("watch for signals"))?;
    let parent = ParentWatch::new();

    let Definition { provider, hooks, level, stop_deadline, .. } = definition;
    let host = HostLink::new(from);
    let log = log::Log::to_daemon(&provider.name, level, host.clone());
    scope::install_panic_hook();
    let context = Context::new(&provider.name, Some(host));
    let endpoint = Arc::new(Endpoint::new(plugin, context, hooks, stop_deadline));

    let mut stdout = kernel::divert_stdout().map_err(system("move standard output"))?;
    writeln!(stdout, "{}", wire::READY).map_err(system("write to standard output"))?;

    let server = axum::serve(listener, endpoint.app());
    let server = server.with_graceful_shutdown(endpoint.quit.clone().cancelled_owned()).into_future();
    let mut server = tokio::spawn(server);
    tokio::select! {
        () = endpoint.quit.cancelled() => {}
        _ = terminate.recv() => endpoint.stop().await,
        _ = interrupt.recv() => endpoint.stop().await,
        () = parent.gone() => endpoint.stop().await,
        ended = &mut server => {
            if let Ok(Err(source)) = ended {
                return Err(SdkError::System { what: "serve the daemon", source });
            }
        }
    }
    endpoint.quit.cancel();
    if !server.is_finished() {
        let _ = tokio::time::timeout(DRAIN_LIMIT, &mut server).await;
    }
    tracing::info!("STOPPING");
    log.flush(FLUSH_LIMIT).await;
    // Open until here: a daemon may take the end of the stream for the end of the process.
    drop(stdout);
    Ok(())
}

/// Notices the end of the daemon, so that a killed one leaves no plugin behind.
struct ParentWatch {
    pid: u32,
    watch: Option<AsyncFd<OwnedFd>>,
}

impl ParentWatch {
    fn new() -> Self {
        let pid = std::os::unix::process::parent_id();
        Self { pid, watch: kernel::process_watch(pid).ok() }
    }

    async fn gone(self) {
        if let Some(watch) = &self.watch
            && watch.readable().await.is_ok()
        {
            return;
        }
        // A kernel or sandbox without pidfd: look every second.
        while std::os::unix::process::parent_id() == self.pid {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
