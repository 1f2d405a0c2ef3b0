//! What every request can reach.

use crate::Settings;
use crate::audit::Audit;
use crate::extensions::Extensions;
use crate::http::Failure;
use crate::life::Life;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::providers::Providers;
use crate::sums::Sums;
use crate::ws::Sockets;
use drp_host::Host;
use drp_objects::{ListQuery, Objects, Principal};
use drp_protocol::Error;
use drp_store::Store;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

/// The daemon's parts, shared by everything that serves.
pub(crate) struct App {
    pub(crate) objects: Objects,
    pub(crate) store: Arc<dyn Store>,
    /// Set before anything is served; the host needs the backend, which needs the rest of this.
    pub(crate) host: OnceLock<Arc<Host>>,
    pub(crate) providers: Providers,
    pub(crate) extensions: Extensions,
    pub(crate) logins: Logins,
    pub(crate) audit: Arc<Audit>,
    pub(crate) sockets: Sockets,
    pub(crate) sums: Sums,
    pub(crate) life: Life,
    pub(crate) metrics: Metrics,
    pub(crate) place: Place,
    /// Paths that are being written by an upload.
    pub(crate) uploading: Mutex<HashSet<PathBuf>>,
    /// What was wrong with content files at the start.
    pub(crate) content_problems: Vec<String>,
}

/// Where the daemon is and what it is called.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    /// Where the API really listens.
    pub(crate) api: SocketAddr,
    /// Where the file server really listens.
    pub(crate) files: SocketAddr,
    /// Where the HTTPS file server really listens.
    pub(crate) secure_files: SocketAddr,
    /// Id of this endpoint.
    pub(crate) id: String,
    /// The API's certificate chain as PEM.
    pub(crate) certificate: String,
    pub(crate) started: Instant,
}

impl App {
    /// The plugin host.
    pub(crate) fn host(&self) -> Result<&Arc<Host>, Failure> {
        self.host
            .get()
            .ok_or_else(|| Error::new(503, "INVOKE", "The plugin host is not up yet; try again").into())
    }

    /// Marks a path as being written, until the guard goes. `None` when somebody else writes it.
    pub(crate) fn write_alone(self: &Arc<Self>, path: PathBuf) -> Option<Writing> {
        let mut uploading = self.uploading.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        uploading.insert(path.clone()).then(|| Writing { app: Arc::clone(self), path })
    }
}

/// A path that only one upload writes.
pub(crate) struct Writing {
    app: Arc<App>,
    path: PathBuf,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut uploading = self.app.uploading.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        uploading.remove(&self.path);
    }
}

impl App {
    /// How many objects of a type there are.
    pub(crate) fn count(&self, prefix: &str) -> i64 {
        let query = ListQuery { head: true, ..ListQuery::default() };
        let listing = self.objects.list(&Principal::system(), prefix, &query);
        listing.map_or(0, |listing| i64::try_from(listing.total).unwrap_or(i64::MAX))
    }

    /// What an operator should look at.
    pub(crate) fn problems(&self) -> Vec<String> {
        let host = self.host.get().map(|host| host.problems()).unwrap_or_default();
        let host = host.into_iter().map(|problem| format!("{}: {}", problem.path.display(), problem.why));
        self.content_problems.iter().cloned().chain(host).collect()
    }
}
