//! Start and stop, in the order that plugins need: everything is bound before anything is served, the API answers
//! before plugins are looked at, and plugins stop before the API does.

use crate::admin::{admin, endpoint_id};
use crate::app::{App, Place};
use crate::audit::Audit;
use crate::backend::Wiring;
use crate::content_files::ContentFiles;
use crate::extensions::Extensions;
use crate::job_logs::JobLogs;
use crate::life::{Life, Phase};
use crate::listen::{BaseRoot, LocalSocket, WithLocalAddr, bind, bind_local, certificate, private_dir};
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::providers::Providers;
use crate::ws::Sockets;
use crate::{Backend, ServeError, Settings, controller, logging, static_files};
use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use drp_host::{Host, HostConfig};
use drp_objects::{Objects, Options};
use drp_store::Store;
use hyper_util::rt::TokioTimer;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a client may take to send the head of a request, and may keep a connection without one.
const HEAD: Duration = Duration::from_secs(120);
/// How long plugins may take to stop, all together; the host bounds each one more tightly.
const PLUGINS: Duration = Duration::from_secs(45);
/// How long requests under way may take once plugins have stopped.
const REQUESTS: Duration = Duration::from_secs(3);

/// Everything that is bound before anything is served.
struct Bound {
    api: TcpListener,
    files: TcpListener,
    secure_files: TcpListener,
    local: LocalSocket,
    metrics: Option<TcpListener>,
}

/// Runs until told to stop.
pub(crate) async fn run(settings: Settings) -> Result<(), ServeError> {
    let started = Instant::now();
    let mut signals = Signals::new()?;
    let files_of_content = ContentFiles::read(&settings)?;
    let base = BaseRoot::open(&settings.base_root)?;
    private_dir("plugin directory", &settings.plugin_root, 0o755)?;
    private_dir("file directory", &settings.file_root.join("files"), 0o755)?;
    private_dir("image directory", &settings.file_root.join("isos"), 0o755)?;
    let certificate = certificate(&settings)?;
    certificate.warnings.iter().for_each(|text| tracing::warn!("{text}"));
    let bound = Bound {
        api: bind("the API", "api-port", settings.bind, settings.api_port)?,
        files: bind("the file server", "static-port", settings.bind, settings.static_port)?,
        secure_files: bind(
            "the HTTPS file server",
            "secure-static-port",
            settings.bind,
            settings.secure_static_port,
        )?,
        local: bind_local(&settings.socket)?,
        metrics: match settings.metrics {
            Some(at) => Some(bind("the metrics", "metrics", at.ip(), at.port())?),
            None => None,
        },
    };
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| ServeError::System { what: "address of a listener", error })
    };
    let (api, files) = (address(&bound.api)?, address(&bound.files)?);
    let secure_files = address(&bound.secure_files)?;

    let store = open_store(&settings).await?;
    let admin = admin(&settings, store.revision() == 0)?;
    let first = admin.user.clone();
    let options = Options {
        first_user: first.clone(),
        event_capacity: settings.event_queue,
        features: crate::routes::FEATURES.iter().map(|name| (*name).to_owned()).collect(),
        event_history: settings.event_history,
        ..Options::default()
    };
    let objects =
        Objects::open(Arc::clone(&store), options).await.map_err(|e| ServeError::Objects(e.to_string()))?;
    after_a_crash(&settings, &objects).await?;
    logging::keep_in(&objects);
    let content_problems = files_of_content.place(&objects).await;
    logging::heed(&settings, &objects.prefs(false));
    if let (Some(path), Some(user)) = (&admin.made, &first) {
        let (name, password) = (&user.name, user.password.expose());
        say(&format!("drp first start: user {name} has password {password} (kept in {})", path.display()));
    }
    let id = endpoint_id(&settings)?;
    let audit = Audit::open(base.path(), settings.audit_size)
        .map_err(|error| ServeError::System { what: "audit log", error })?;
    audit.keep_synced();
    let logins = Logins::new(settings.login_limits)
        .map_err(|e| ServeError::Objects(format!("no random numbers: {e}")))?;
    let app = Arc::new(App {
        objects,
        store: Arc::clone(&store),
        host: OnceLock::new(),
        providers: Providers::default(),
        extensions: Extensions::open(&settings)?,
        logins,
        audit,
        sockets: Sockets::default(),
        sums: crate::sums::Sums::default(),
        life: Life::default(),
        metrics: Metrics::default(),
        place: Place { settings, api, files, secure_files, id, certificate: certificate.pem, started },
        uploading: std::sync::Mutex::default(),
        content_problems,
    });
    let host = Host::start(host_config(&app.place), Arc::new(Wiring(Arc::clone(&app))))
        .await
        .map_err(|e| ServeError::Host(e.to_string()))?;
    let _ = app.host.set(Arc::clone(&host));
    let follower = tokio::spawn(controller::follow(
        Arc::clone(&app),
        Arc::clone(&host),
        app.objects.events().subscribe_to(controller::wanted(&app)),
    ));

    let servers = Servers::start(&app, bound, certificate.config)?;
    let stop = tokio::select! {
        () = bring_up(&app, &host) => signals.next(&app).await,
        stop = signals.next(&app) => stop,
    };
    tracing::info!(why = stop, "stopping");
    app.life.enter(Phase::Stopping);
    let orderly = async {
        if tokio::time::timeout(PLUGINS, host.shutdown()).await.is_err() {
            tracing::error!(after = ?PLUGINS, "plugins did not stop in time; the rest are killed with the daemon");
        }
        app.sockets.close_all();
        servers.stop().await;
    };
    tokio::select! {
        () = orderly => {}
        again = signals.signal() => tracing::warn!(signal = again, "told again to stop: stopping at once"),
    }
    follower.abort();
    app.audit.sync();
    let closing = Arc::clone(&store);
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    tracing::info!(base = %base.path().display(), "stopped");
    Ok(())
}

/// Ends what was under way when the daemon died: actions of task lists, whose outcome nobody knows, and logs of jobs that
/// were deleted.
async fn after_a_crash(settings: &Settings, objects: &Objects) -> Result<(), ServeError> {
    let logs = JobLogs::under(&settings.base_root);
    for job in objects.fail_orphans().await.map_err(|e| ServeError::Objects(e.to_string()))? {
        tracing::warn!(job, "an action of a task list was under way when the daemon ended");
        let text = "The daemon ended while this action ran: whether it took effect is not known.\n";
        if let Err(error) = logs.append(&job, text.into()).await {
            tracing::warn!(job, %error, "its log cannot be written");
        }
    }
    logs.prune(|job| objects.resolve("jobs", job).is_some());
    Ok(())
}

/// Providers, then instances; then the daemon is ready.
async fn bring_up(app: &Arc<App>, host: &Arc<Host>) {
    app.extensions.place_launchers();
    host.scan().await;
    app.extensions.finish(app).await;
    controller::load(app, host);
    host.watch();
    app.life.enter(Phase::Ready);
    // References into content that went, or came, while the daemon was down.
    let objects = app.objects.clone();
    tokio::spawn(async move {
        if let Err(error) = objects.rejudge().await {
            tracing::error!(%error, "references could not all be looked at");
        }
    });
    let place = &app.place;
    let ip = |address: SocketAddr| if address.ip().is_unspecified() { loopback(address) } else { address };
    tracing::info!(api = %place.api, files = %place.files, secure_files = %place.secure_files, took = ?place.started.elapsed(), "ready");
    say(&format!(
        "drp ready api https://{} files http://{} socket {}",
        ip(place.api),
        ip(place.files),
        place.settings.socket.display()
    ));
}

/// A line for whoever started the daemon. A closed pipe is their choice.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn loopback(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port())
}

async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, ServeError> {
    let location = match &settings.backend {
        Backend::Memory => "memory:///".to_owned(),
        Backend::File(path) => path.display().to_string(),
    };
    let backend = location.clone();
    let refuse = |error: String| ServeError::Store { backend, error };
    let opened =
        tokio::task::spawn_blocking(move || drp_store::open(&location, drp_store::Options::default())).await;
    match opened {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(error)) => Err(refuse(error.to_string())),
        Err(error) => Err(refuse(error.to_string())),
    }
}

fn host_config(place: &Place) -> HostConfig {
    let settings = &place.settings;
    // Plugins run here: without an address to tell them, the loopback one reaches the API whatever it is bound to.
    let ip = settings.static_ip.unwrap_or(match settings.bind {
        ip if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        ip => ip,
    });
    HostConfig {
        plugin_dir: settings.plugin_root.clone(),
        comm_root: settings.plugin_comm_root.clone(),
        unpack_root: settings.file_root.join("files/plugin_providers"),
        cache_dir: settings.base_root.join("cache"),
        scratch_dir: settings.base_root.join("plugin-tmp"),
        endpoint: format!("https://{}", SocketAddr::new(ip, place.api.port())),
        fileserver: format!("http://{}", SocketAddr::new(ip, place.files.port())),
        webroot: settings.file_root.clone(),
        ..HostConfig::under(&settings.base_root)
    }
}

/// SIGTERM and SIGINT, and the wish of `drp stop`.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> Result<Self, ServeError> {
        let listen =
            |kind| signal(kind).map_err(|error| ServeError::System { what: "signal handler", error });
        Ok(Self { term: listen(SignalKind::terminate())?, int: listen(SignalKind::interrupt())? })
    }

    async fn signal(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }

    async fn next(&mut self, app: &App) -> &'static str {
        tokio::select! {
            signal = self.signal() => signal,
            () = app.life.asked_to_stop() => "asked over the local socket",
        }
    }
}

/// The listeners at work.
struct Servers {
    tcp: [Handle<SocketAddr>; 3],
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Servers {
    fn start(app: &Arc<App>, bound: Bound, tls: Arc<rustls::ServerConfig>) -> Result<Self, ServeError> {
        let system = |error| ServeError::System { what: "server", error };
        let tcp = [Handle::new(), Handle::new(), Handle::new()];
        let stop = watch::Sender::new(false);
        let service = crate::http::api(Arc::clone(app)).into_make_service_with_connect_info::<SocketAddr>();
        let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls)).acceptor(NoDelayAcceptor::new());
        let mut api = axum_server::from_tcp(bound.api)
            .map_err(system)?
            .acceptor(WithLocalAddr::new(acceptor.clone()))
            .handle(tcp[0].clone());
        bounded(api.http_builder());
        let router = static_files::router(Arc::clone(app)).into_make_service();
        let mut files = axum_server::from_tcp(bound.files)
            .map_err(system)?
            .acceptor(WithLocalAddr::new(NoDelayAcceptor::new()))
            .handle(tcp[1].clone());
        bounded(files.http_builder());
        let secure_router = static_files::router(Arc::clone(app)).into_make_service();
        let mut secure_files = axum_server::from_tcp(bound.secure_files)
            .map_err(system)?
            .acceptor(WithLocalAddr::new(acceptor))
            .handle(tcp[2].clone());
        bounded(secure_files.http_builder());
        let local = local(crate::http::local_api(Arc::clone(app)), bound.local, stop.subscribe());
        let ended = |what: &'static str, result: io::Result<()>| {
            if let Err(error) = result {
                tracing::error!(%error, "{what} ended");
            }
        };
        let mut tasks = vec![
            tokio::spawn(async move { ended("the API", api.serve(service).await) }),
            tokio::spawn(async move { ended("the file server", files.serve(router).await) }),
            tokio::spawn(async move {
                ended("the HTTPS file server", secure_files.serve(secure_router).await);
            }),
            tokio::spawn(async move { ended("the local socket", local.await) }),
        ];
        if let Some(listener) = bound.metrics {
            let router = crate::http::metrics_alone(Arc::clone(app)).into_make_service();
            let mut server = axum_server::from_tcp(listener).map_err(system)?.handle(tcp[2].clone());
            bounded(server.http_builder());
            tasks.push(tokio::spawn(async move { ended("the metrics", server.serve(router).await) }));
        }
        Ok(Self { tcp, stop, tasks })
    }

    /// Takes no new connections, lets requests under way finish, then closes.
    async fn stop(self) {
        self.tcp.iter().for_each(|handle| handle.graceful_shutdown(Some(REQUESTS)));
        self.stop.send_replace(true);
        for mut task in self.tasks {
            if tokio::time::timeout(REQUESTS + Duration::from_secs(1), &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// HTTP/1.1 with a deadline for heads: an idle or slow client holds nothing for ever.
fn bounded(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(true);
    *builder = builder.clone().http1_only();
}

async fn local(router: Router, socket: LocalSocket, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<crate::listen::Peer>();
    let stopping = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(socket, service).with_graceful_shutdown(stopping).await
}
