//! A stand-in for the REST interface of an IBM HMC, over TLS, with a few logical partitions.
//!
//! There is no HMC that could be had. Paths, methods, media types, job parameters and the shapes of the XML are those of
//! IBM's published "HMC REST APIs" (Logon and Logoff, LogicalPartition, ManagementConsole, PowerOn_LogicalPartition,
//! PowerOff_LogicalPartition, Jobs), and of published answers of real HMCs; refusals are `HttpErrorResponse` entries with
//! the statuses named there. It insists on both the `X-API-Session` header and the session's cookie.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// UUIDs of its partitions.
pub const PARTITIONS: [&str; 2] =
    ["48EB2A9F-6028-41C6-8D2F-6A539361BB29", "1B2C3D4E-6028-41C6-8D2F-6A539361BB30"];
const NAMESPACE: &str = "http://www.ibm.com/xmlns/systems/power/firmware/web/mc/2012_10/";

/// What goes wrong with requests.
#[derive(Debug, Clone)]
pub enum HmcFault {
    /// Answered with this status and message; nothing is done.
    Refuse(u16, &'static str),
    /// Answered with this text and 200; nothing is done.
    Garbage(&'static str),
    /// Done, and not answered.
    Lost,
    /// Answered after this time.
    Slow(Duration),
    /// The job ends so, and nothing is done.
    JobEnds(&'static str, &'static str),
    /// The job ends well, and nothing is done.
    Ignore,
}

/// What it is and has seen.
#[derive(Debug, Default)]
pub struct HmcWorld {
    /// `PartitionState` by UUID.
    pub states: BTreeMap<String, String>,
    /// Its operating systems heed a shutdown.
    pub heeds: bool,
    /// So often a job says that it runs before it ends.
    pub polls: u32,
    /// Most sessions at the same time.
    pub most: usize,
    /// Open sessions.
    pub sessions: BTreeSet<String>,
    /// The largest number of them so far.
    pub peak: usize,
    /// Good logons.
    pub logons: u32,
    /// Refused logons.
    pub refused: u32,
    /// Logoffs.
    pub logoffs: u32,
    /// Jobs that were started and not removed: operation and parameters, polls left, how it ends, its message.
    jobs: BTreeMap<u64, JobRecord>,
    /// Jobs that were started, as `operation partition name=value…`.
    pub started: Vec<String>,
    /// Method and path of every request.
    pub requests: Vec<String>,
    faults: Vec<(String, HmcFault, u32)>,
    next: u64,
}

#[derive(Debug, Clone)]
struct JobRecord {
    partition: String,
    becomes: Option<&'static str>,
    left: u32,
    status: String,
    message: String,
}

/// A running stand-in.
pub struct Hmc {
    address: SocketAddr,
    certificate: String,
    world: Arc<Mutex<HmcWorld>>,
    handle: Handle<SocketAddr>,
}

impl Drop for Hmc {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Hmc {
    /// Two partitions that are not activated, and jobs that run for two polls.
    pub async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])
            .expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = RustlsConfig::from_pem(certificate.clone().into(), key.into()).await.expect("TLS");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let states = PARTITIONS.map(|id| (id.to_owned(), "not activated".to_owned())).into();
        let world = HmcWorld {
            states,
            heeds: true,
            polls: 2,
            most: 16,
            next: 1_622_235_308_406,
            ..HmcWorld::default()
        };
        let world = Arc::new(Mutex::new(world));
        let handle = Handle::new();
        let service = axum::Router::new().fallback(answer).with_state(Arc::clone(&world));
        let server = axum_server::from_tcp_rustls(listener, tls).expect("a server").handle(handle.clone());
        tokio::spawn(server.serve(service.into_make_service()));
        Self { address, certificate, world, handle }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its own certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What it is and has seen.
    pub fn world(&self) -> MutexGuard<'_, HmcWorld> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with so many of the next requests whose method and path hold `on`.
    pub fn fault(&self, on: &str, fault: HmcFault, times: u32) {
        self.world().faults.push((on.to_owned(), fault, times));
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// Jobs that were started and never removed.
    pub fn jobs_left(&self) -> usize {
        self.world().jobs.len()
    }
}

type Shared = Arc<Mutex<HmcWorld>>;

async fn answer(
    State(world): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = format!("{method} {}", uri.path());
    let (fault, reply) = {
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        world.requests.push(asked.clone());
        let fault = world.fault(&asked);
        let reply = match &fault {
            Some(HmcFault::Refuse(status, message)) => refusal(*status, uri.path(), message),
            Some(HmcFault::Garbage(text)) => (StatusCode::OK, (*text).to_owned()).into_response(),
            _ => world.reply(&method, uri.path(), &headers, &String::from_utf8_lossy(&body), fault.as_ref()),
        };
        (fault, reply)
    };
    match fault {
        Some(HmcFault::Lost) => tokio::time::sleep(Duration::from_secs(60)).await,
        Some(HmcFault::Slow(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    reply
}

fn refusal(status: u16, path: &str, message: &str) -> Response {
    let body = format!(
        "<entry xmlns=\"http://www.w3.org/2005/Atom\"><id>b8c4e4f2</id><title>HttpErrorResponse</title>\
         <content type=\"application/vnd.ibm.powervm.web+xml; type=HttpErrorResponse\">\
         <HttpErrorResponse:HttpErrorResponse xmlns:HttpErrorResponse=\"{NAMESPACE}\" xmlns=\"{NAMESPACE}\" schemaVersion=\"V1_0\">\
         <Metadata><Atom/></Metadata><HTTPStatus>{status}</HTTPStatus><RequestURI>{path}</RequestURI>\
         <ReasonCode>Unknown internal error.</ReasonCode><Message>{message}</Message>\
         </HttpErrorResponse:HttpErrorResponse></content></entry>"
    );
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/atom+xml")], body).into_response()
}

fn entry(kind: &str, inner: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<entry xmlns=\"http://www.w3.org/2005/Atom\">\
         <id>b8c4e4f2-7203-4ecf-a6bb-2ade833bf0d2</id><title>{kind}</title>\
         <author><name>IBM Power Systems Management Console</name></author>\
         <content type=\"application/vnd.ibm.powervm.uom+xml; type={kind}\">\
         <{kind}:{kind} xmlns:{kind}=\"{NAMESPACE}\" xmlns=\"{NAMESPACE}\" schemaVersion=\"V1_0\">\
         <Metadata><Atom/></Metadata>{inner}</{kind}:{kind}></content></entry>"
    );
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/atom+xml; charset=UTF-8")], body).into_response()
}

/// The text of an element, without its entities.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name} "))?;
    let (_, rest) = rest.split_once('>')?;
    let (text, _) = rest.split_once("</")?;
    Some(
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&"),
    )
}

fn parameters(body: &str) -> Vec<(String, String)> {
    let parts = body.split("<JobParameter ").skip(1);
    parts
        .filter_map(|part| Some((element(part, "ParameterName")?, element(part, "ParameterValue")?)))
        .collect()
}

impl HmcWorld {
    fn fault(&mut self, asked: &str) -> Option<HmcFault> {
        let at = self.faults.iter().position(|(on, _, _)| asked.contains(on.as_str()))?;
        let (_, fault, times) = &mut self.faults[at];
        *times -= 1;
        let (fault, over) = (fault.clone(), *times == 0);
        if over {
            self.faults.remove(at);
        }
        Some(fault)
    }

    fn reply(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &str,
        fault: Option<&HmcFault>,
    ) -> Response {
        if path == "/" {
            return (StatusCode::FOUND, [(header::LOCATION, "/dashboard/")], "").into_response();
        }
        if (method, path) == (&Method::PUT, "/rest/api/web/Logon") {
            return self.logon(headers, body);
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let session = text("x-api-session").to_owned();
        let cookie = text("cookie").split(';').any(|pair| pair.trim() == format!("JSESSIONID=c{session}"));
        if !self.sessions.contains(&session) || !cookie {
            return refusal(401, path, "The X-API-Session is not valid or has expired.");
        }
        let parts: Vec<&str> = path.trim_start_matches("/rest/api/").split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("DELETE", ["web", "Logon"]) => {
                self.sessions.remove(&session);
                self.logoffs += 1;
                StatusCode::NO_CONTENT.into_response()
            }
            ("GET", ["uom", "LogicalPartition", id]) => match self.states.get(*id) {
                Some(state) => entry(
                    "LogicalPartition",
                    &format!(
                        "<AllowPerformanceDataCollection kb=\"CUD\">false</AllowPerformanceDataCollection>\
                         <AssociatedPartitionProfile href=\"x\" rel=\"related\"/><OperatingSystemVersion kb=\"ROR\">Linux/\
                         Debian</OperatingSystemVersion><PartitionID kb=\"COR\">7</PartitionID><PartitionName kb=\"CUR\">\
                         lpar-7</PartitionName><PartitionMemoryConfiguration schemaVersion=\"V1_0\"><DesiredMemory>8192\
                         </DesiredMemory></PartitionMemoryConfiguration><PartitionState kb=\"ROO\" kxe=\"false\">{state}\
                         </PartitionState><PartitionUUID kb=\"ROO\">{id}</PartitionUUID>"
                    ),
                ),
                None => refusal(404, path, &format!("The LogicalPartition {id} was not found.")),
            },
            ("GET", ["uom", "ManagementConsole"]) => entry(
                "ManagementConsole",
                "<ManagementConsoleName kb=\"CUR\">hmc1</ManagementConsoleName><BaseVersion kb=\"ROR\">V10R2M1040</BaseVersion>",
            ),
            ("PUT", ["uom", "LogicalPartition", id, "do", operation]) => {
                self.start(id, operation, path, body, fault)
            }
            ("GET", ["uom", "jobs", id]) => match id.parse().ok().and_then(|id: u64| self.poll(id)) {
                Some((id, status, message)) => job(id, &status, &message),
                None => refusal(404, path, "The job was not found."),
            },
            ("DELETE", ["uom", "jobs", id]) => {
                let known = id.parse().ok().and_then(|id: u64| self.jobs.remove(&id)).is_some();
                if known {
                    StatusCode::NO_CONTENT.into_response()
                } else {
                    refusal(404, path, "The job was not found.")
                }
            }
            _ => refusal(400, path, "Unrecognized root REST type."),
        }
    }

    fn logon(&mut self, headers: &HeaderMap, body: &str) -> Response {
        let path = "/rest/api/web/Logon";
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/vnd.ibm.powervm.web+xml") || !body.contains(NAMESPACE) {
            return refusal(415, path, "Unsupported media type.");
        }
        let (user, password) = (element(body, "UserID"), element(body, "Password"));
        if (user.as_deref(), password.as_deref()) != (Some(super::USER), Some(super::PASSWORD)) {
            self.refused += 1;
            return refusal(401, path, "HMC login failed: the user name or the password is not valid.");
        }
        if self.sessions.len() >= self.most {
            return refusal(400, path, "The maximum number of web sessions has been reached.");
        }
        self.next += 1;
        self.logons += 1;
        let session = format!("gDHtF9lOmKjiHPkdaR0Bv4Ep{}==", self.next);
        self.sessions.insert(session.clone());
        self.peak = self.peak.max(self.sessions.len());
        // As real ones do, the session is broken into lines.
        let (a, b) = session.split_at(12);
        let body = format!(
            "<LogonResponse xmlns=\"{NAMESPACE}\" schemaVersion=\"V1_0\"><Metadata><Atom/></Metadata>\
             <X-API-Session kxe=\"false\" kb=\"ROR\">\n    {a}\n    {b}\n    </X-API-Session></LogonResponse>"
        );
        let cookie = format!("JSESSIONID=c{session}; Path=/rest; Secure; HttpOnly");
        (StatusCode::OK, [(header::SET_COOKIE, cookie)], body).into_response()
    }

    fn start(
        &mut self,
        id: &str,
        operation: &str,
        path: &str,
        body: &str,
        fault: Option<&HmcFault>,
    ) -> Response {
        let Some(state) = self.states.get(id).cloned() else {
            return refusal(404, path, &format!("The LogicalPartition {id} was not found."));
        };
        let parameters = parameters(body);
        let words: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.started.push(format!("{operation} {id} {}", words.join(" ")));
        let is = |name: &str, value: &str| parameters.iter().any(|(n, v)| n == name && v == value);
        let off = state == "not activated";
        let (becomes, mut status, mut message) = match operation {
            "PowerOn" if off && is("bootmode", "norm") => (Some("running"), "COMPLETED_OK", ""),
            "PowerOff" if off => {
                (None, "COMPLETED_WITH_ERROR", "HSCL1558 The partition is not in a valid state.")
            }
            "PowerOff" if is("operation", "osshutdown") && !self.heeds => (None, "COMPLETED_OK", ""),
            "PowerOff" if is("restart", "true") => (Some("running"), "COMPLETED_OK", ""),
            "PowerOff" => (Some("not activated"), "COMPLETED_OK", ""),
            _ => (None, "COMPLETED_WITH_ERROR", "HSCL3681 The partition is in use."),
        };
        let mut becomes = becomes;
        match fault {
            Some(HmcFault::JobEnds(ends, why)) => (becomes, status, message) = (None, ends, why),
            Some(HmcFault::Ignore) => becomes = None,
            _ => {}
        }
        self.next += 1;
        let record = JobRecord {
            partition: id.to_owned(),
            becomes,
            left: self.polls,
            status: status.to_owned(),
            message: message.to_owned(),
        };
        self.jobs.insert(self.next, record);
        if matches!(fault, Some(HmcFault::Lost)) {
            // Nobody will ask for it, and it runs all the same.
            self.states.insert(id.to_owned(), becomes.unwrap_or(&state).to_owned());
        }
        job(self.next, "NOT_STARTED", "")
    }

    fn poll(&mut self, id: u64) -> Option<(u64, String, String)> {
        let job = self.jobs.get_mut(&id)?;
        if job.left > 0 {
            job.left -= 1;
            return Some((id, "RUNNING".to_owned(), String::new()));
        }
        let job = job.clone();
        if let Some(state) = job.becomes {
            self.states.insert(job.partition, state.to_owned());
        }
        Some((id, job.status, job.message))
    }
}

fn job(id: u64, status: &str, message: &str) -> Response {
    let results = if message.is_empty() {
        String::new()
    } else {
        format!(
            "<Results schemaVersion=\"V1_0\"><JobParameter schemaVersion=\"V1_0\"><ParameterName kb=\"ROR\">returnCode\
             </ParameterName><ParameterValue kb=\"CUR\">1</ParameterValue></JobParameter><JobParameter><ParameterName>result\
             </ParameterName><ParameterValue>{message}</ParameterValue></JobParameter></Results>"
        )
    };
    entry(
        "JobResponse",
        &format!(
            "<RequestURL kb=\"ROR\" href=\"LogicalPartition/x/do/y\" rel=\"via\"/><JobID kb=\"ROR\" kxe=\"false\">{id}</JobID>\
             <TimeStarted kb=\"ROR\">0</TimeStarted><Status kxe=\"false\" kb=\"ROR\">{status}</Status>{results}"
        ),
    )
}
