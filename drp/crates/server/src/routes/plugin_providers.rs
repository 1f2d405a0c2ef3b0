//! Plugin providers: list, show, upload, delete, download (wire-protocol §1.11, §3.9).

use super::files::sum;
use crate::app::App;
use crate::http::{Answer, Call, Failure, Reply, conflict, drain, file_answer};
use drp_host::HostError;
use drp_protocol::{Error, PluginProviderUploadInfo};
use http::{Method, StatusCode};
use std::sync::Arc;

const MODEL: &str = "plugin_providers";

/// `/plugin_providers[/<name>[/binary]]`.
pub(super) async fn route(call: Call, path: &[&str]) -> Answer {
    match (path, call.method()) {
        ([], &Method::GET | &Method::HEAD) => {
            let mut all = call.app.providers.all();
            all.retain(|provider| call.sees(MODEL, &provider.name));
            let count = all.len().to_string();
            let names = ["x-drp-list-total-count", "x-drp-list-filter-count", "x-drp-list-count"];
            Ok(names.into_iter().fold(Reply::ok(&all), |reply, name| reply.with(name, &count)))
        }
        ([name], &Method::GET | &Method::HEAD) => {
            call.claim(MODEL, "get", name)?;
            match call.app.providers.get(name) {
                Some(provider) => Ok(Reply::ok(&provider)),
                None => Err(Error::new(404, "GET", "Not Found").on(MODEL, *name).into()),
            }
        }
        ([name], &Method::POST) => {
            call.claim(MODEL, "create", name)?;
            no_extension(&call, name)?;
            upload(call, name).await
        }
        ([name], &Method::DELETE) => {
            call.claim(MODEL, "delete", name)?;
            no_extension(&call, name)?;
            // Also a file that does not define itself: a refused upload stays until somebody removes it.
            match call.app.host()?.clone().delete_provider(name).await {
                Ok(()) => Ok(Reply::none()),
                Err(HostError::NoSuchProvider { .. } | HostError::BadName { .. }) => {
                    Err(Error::new(404, "DELETE", "Not Found").on(MODEL, *name).into())
                }
                Err(other) => Err(Error::from(other).into()),
            }
        }
        ([name, "binary"], &Method::GET | &Method::HEAD) => {
            call.claim(MODEL, "get", name)?;
            let Ok(path) = call.app.host()?.binary_path(name) else {
                return Err(Error::new(404, "GET", "Not Found").on(MODEL, *name).into());
            };
            let sum = sum(&call.app, call.method(), call.headers(), &path).await;
            file_answer(call.method(), call.headers(), &path, sum.as_deref()).await
        }
        ([_] | [_, "binary"] | [], _) => call.not_allowed(),
        _ => call.no_route(),
    }
}

/// The file of a registered extension is a launcher, which belongs to its record.
fn no_extension(call: &Call, name: &str) -> Result<(), Failure> {
    let Some(record) = call.app.extensions.registry.of_plugin(name) else { return Ok(()) };
    let (kind, own) = (record.extension.r#type, &record.extension.name);
    let text = format!("{name} is the registered {kind} {own}: `drp ext unregister {kind} {own}` removes it");
    Err(conflict(call.method().as_str(), MODEL, name, text))
}

async fn upload(mut call: Call, name: &str) -> Answer {
    let mut data = call.upload(MODEL, name)?;
    if call.header("content-length") == "0" {
        let text = format!("upload: Failed to upload {name}: the body is empty");
        return Err(Error::new(400, "POST", text).on(MODEL, name).into());
    }
    let app = Arc::clone(&call.app);
    let Some(_alone) = Uploading::begin(&app, name) else {
        drain(data).await;
        return Err(conflict(
            "POST",
            MODEL,
            name,
            format!("upload: plugin_provider {name} already uploading"),
        ));
    };
    let host = Arc::clone(call.app.host()?);
    let (provider, size) = match host.upload(name, &mut data).await {
        Ok(done) => done,
        Err(error) => {
            drain(data).await;
            return Err(Error::from(error).into());
        }
    };
    tracing::info!(by = call.who.name, provider = provider.definition.name, size, "plugin provider uploaded");
    let info =
        PluginProviderUploadInfo { path: name.to_owned(), size: i64::try_from(size).unwrap_or(i64::MAX) };
    Ok(Reply::json(StatusCode::CREATED, &info))
}

/// One upload a name at a time.
struct Uploading<'a> {
    app: &'a App,
    name: &'a str,
}

impl<'a> Uploading<'a> {
    fn begin(app: &'a App, name: &'a str) -> Option<Self> {
        app.providers.begin_upload(name).then_some(Self { app, name })
    }
}

impl Drop for Uploading<'_> {
    fn drop(&mut self) {
        self.app.providers.end_upload(self.name);
    }
}
