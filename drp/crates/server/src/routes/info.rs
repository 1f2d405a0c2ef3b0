//! What the daemon says about itself (wire-protocol §3.10).

use crate::http::{Answer, Call, Reply};
use drp_protocol::{Info, Stat};
use http::Method;

/// What is implemented, in the words that clients and plugins test for. Nothing else may be claimed here.
pub(crate) const FEATURES: &[&str] = &[
    "api-v3",
    "sane-exit-codes",
    "common-blob-size",
    "job-exit-states",
    "profileless-machine",
    "threaded-log-levels",
    "plugin-v2",
    "fsm-runner",
    "plugin-v2-safe-config",
    "workflows",
    "default-workflow",
    "http-range-header",
    "roles",
    "tenants",
    "secure-params",
    "separate-meta-api",
    "slim-objects",
    "secure-param-upgrade",
    "actions-in-task-list",
    "bundle-objects",
    "secure-params-in-content-packs",
    "task-prerequisites",
    "content-prerequisite-version-checking",
    "stage-paramer",
    "selective-job-purge",
];

/// GET `/info`.
pub(super) fn route(call: &Call) -> Answer {
    match *call.method() {
        Method::GET | Method::HEAD => {
            call.claim("info", "get", "")?;
            Ok(Reply::ok(&info(call)))
        }
        _ => call.not_allowed(),
    }
}

/// The info object as this caller sees it.
pub(super) fn info(call: &Call) -> Info {
    let app = &call.app;
    let place = &app.place;
    let count = |prefix: &str| Stat { name: format!("{prefix}.count"), count: app.count(prefix) };
    let raw: Vec<String> = app
        .objects
        .prefixes()
        .into_iter()
        .filter(|p| app.objects.kind(p).is_some_and(|kind| kind.raw))
        .collect();
    let address = call.reached.or(place.settings.static_ip).map(|ip| ip.to_canonical().to_string());
    Info {
        arch: match std::env::consts::ARCH {
            "x86_64" => "amd64".to_owned(),
            "aarch64" => "arm64".to_owned(),
            other => other.to_owned(),
        },
        os: std::env::consts::OS.to_owned(),
        version: format!("v{}", env!("CARGO_PKG_VERSION")),
        id: place.id.clone(),
        local_id: place.id.clone(),
        ha_id: place.id.clone(),
        api_port: place.api.port(),
        file_port: place.files.port(),
        secure_file_port: place.secure_files.port(),
        prov_enabled: true,
        secure_prov_enabled: true,
        address: address.unwrap_or_else(|| "127.0.0.1".to_owned()),
        server_hostname: crate::hostname().unwrap_or_default(),
        stats: vec![count("machines"), count("subnets"), count("contexts")],
        features: FEATURES.iter().map(|name| (*name).to_owned()).collect(),
        scopes: drp_objects::scopes(&raw),
        errors: app.problems(),
        ha_is_active: true,
        ha_status: "Up".to_owned(),
        ha_active_id: place.id.clone(),
        ..Info::default()
    }
}
