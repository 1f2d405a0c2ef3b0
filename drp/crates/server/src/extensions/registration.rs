//! Registering and unregistering (extensions §2): an extension becomes a plugin provider by a record, its files and a
//! launcher, in that order, and ceases to be one in the other order. Whatever is broken off, the next start finishes:
//! a record makes its launcher, and a record that is leaving goes.

use super::fetch::{Fetched, Source};
use super::{Extensions, Info};
use crate::app::App;
use bytes::Bytes;
use drp_extensions::launcher::{HostedBy, hosted_by, text};
use drp_extensions::{Extension, ExtensionError, Registered, RegistryError, Validation, validate};
use drp_host::{Host, InstanceState};
use drp_objects::Principal;
use drp_protocol::{Error, Event, ExtensionType, HostedExtension, Time};
use drp_schemas::Evaluator;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long the plugin of a new extension is waited for, so that the answer says how it is.
const SETTLE: Duration = Duration::from_secs(10);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long the plugin of an extension that goes may take to stop before its files are removed.
const STOP: Duration = Duration::from_secs(45);
const MODEL: &str = "extensions";

/// What to register.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) source: Source,
    /// It must be of this type.
    pub(crate) kind: Option<ExtensionType>,
    /// Who wants it.
    pub(crate) by: String,
}

/// Why not.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The extension is wrong.
    Invalid(Box<Validation>),
    /// Anything else.
    Error(Box<Error>),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

impl From<RegistryError> for Refused {
    fn from(error: RegistryError) -> Self {
        Error::new(500, "REGISTER", error.to_string()).into()
    }
}

impl From<ExtensionError> for Refused {
    fn from(error: ExtensionError) -> Self {
        if !error.problems().is_empty() {
            return Self::Invalid(Box::new(Validation::new(error.problems().to_vec(), Vec::new())));
        }
        use drp_schemas::SchemaError::{Busy, Deadline, Exploded, TooLarge, Wrong};
        let code = match &error {
            ExtensionError::Schema(Busy { .. }) => 503,
            ExtensionError::Schema(Deadline { .. } | Exploded { .. } | TooLarge { .. } | Wrong { .. }) => 422,
            ExtensionError::Archive(_) => 400,
            _ => 500,
        };
        Error::new(code, "REGISTER", error.to_string()).into()
    }
}

fn conflict(key: &str, text: String) -> Refused {
    Error::new(409, "REGISTER", text).on(MODEL, key).into()
}

impl Extensions {
    pub(super) fn evaluator(&self) -> Result<&Evaluator, Error> {
        self.evaluator.as_ref().map_err(|why| Error::new(500, "REGISTER", why.clone()))
    }

    /// Validates what somebody names or sends (extensions §10).
    pub(crate) async fn validate(&self, order: Order) -> Result<Validation, Refused> {
        let fetched = self.fetch(order.source).await?;
        self.look_at(&fetched, order.kind).await
    }

    async fn look_at(&self, fetched: &Fetched, kind: Option<ExtensionType>) -> Result<Validation, Refused> {
        let surroundings = self.surroundings(kind);
        Ok(validate(&fetched.folder, &surroundings, self.evaluator()?, &self.hosting).await?)
    }

    /// Registers an extension, or another version of one in its place.
    pub(crate) async fn register(&self, app: &Arc<App>, order: Order) -> Result<Info, Refused> {
        let host = app.host().map_err(|failure| failure.error().clone())?;
        let mut fetched = self.fetch(order.source).await?;
        let validation = self.look_at(&fetched, order.kind).await?;
        if !validation.valid {
            return Err(Refused::Invalid(Box::new(validation)));
        }
        let evaluator = self.evaluator()?;
        let extension = Extension::open(&fetched.folder, evaluator).await?;
        let mut record = extension.hosted(evaluator).await?;
        record.nu.clone_from(&self.nu);
        record.nickel = Some(evaluator.settings().worker.clone());
        let plugin = record.plugin();
        let alone = self.changing.lock().await;
        let before = self.collide(app, host, &extension, &plugin)?;
        let by = hosted_by(record.r#type, &fetched.folder)
            .ok_or_else(|| Error::new(422, "REGISTER", "nothing can run it"))?;
        self.programs.has(&by).map_err(|error| Error::new(422, "REGISTER", error.to_string()))?;
        let Some(uploading) = Uploading::begin(app, &plugin) else {
            return Err(conflict(&plugin, format!("plugin provider {plugin} is just being uploaded")));
        };
        if fetched.link {
            record.root.clone_from(&fetched.folder);
        } else {
            record.root = self.registry.place(&fetched.folder, &record)?;
            fetched.moved();
        }
        let absent = app.objects.get("plugins", &plugin).is_err();
        let registered = Registered {
            extension: record,
            manifest: extension.manifest,
            link: fetched.link,
            registered_at: Time::now().to_string(),
            made_plugin: before.as_ref().map_or(absent, |before| before.made_plugin || absent),
            leaving: false,
        };
        let registered = self.commit(app, host, registered, before.as_deref()).await?;
        drop(uploading);
        drop(alone);
        let old = host.plugin_status(&plugin).and_then(|status| status.pid).filter(|_| before.is_some());
        settle(host, &plugin, old).await;
        let info = self.info(app, &registered, true);
        publish(app, "register", &registered, &order.by);
        Ok(info)
    }

    /// Record, launcher, plugin object; all or nothing.
    async fn commit(
        &self,
        app: &Arc<App>,
        host: &Arc<Host>,
        registered: Registered,
        before: Option<&Registered>,
    ) -> Result<Arc<Registered>, Refused> {
        let plugin = registered.plugin();
        let launcher = match self.launcher(&registered.extension) {
            Some(launcher) => launcher,
            None => return Err(Error::new(422, "REGISTER", "nothing can run it").into()),
        };
        let registered = match self.registry.keep(registered) {
            Ok(registered) => registered,
            Err(error) => {
                self.registry.sweep();
                return Err(error.into());
            }
        };
        let stream = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from(launcher))]);
        if let Err(error) = host.upload(&plugin, stream).await {
            let text = format!("it does not become a plugin: {error}");
            match before {
                Some(before) => drop(self.registry.keep(before.clone())?),
                None => {
                    // A file that does not define itself would stay otherwise.
                    let _ = host.delete_provider(&plugin).await;
                    self.registry.forget(&plugin)?;
                }
            }
            self.registry.sweep();
            let code = if error.code() >= 500 { error.code() } else { 422 };
            return Err(Error::new(code, "REGISTER", text).on(MODEL, registered.key()).into());
        }
        self.registry.sweep();
        if registered.made_plugin {
            make_plugin(app, &plugin).await;
        }
        Ok(registered)
    }

    /// The launcher of a record; `None` when nothing can run it.
    pub(super) fn launcher(&self, extension: &HostedExtension) -> Option<String> {
        let host: HostedBy = hosted_by(extension.r#type, &extension.root)?;
        let record = self.registry.record_file(&extension.plugin());
        Some(text(extension, &host, &self.programs, &record))
    }

    /// What is in the way; the version before, when there is one.
    fn collide(
        &self,
        app: &App,
        host: &Host,
        extension: &Extension,
        plugin: &str,
    ) -> Result<Option<Arc<Registered>>, Refused> {
        let name = extension.manifest.extension.name.as_str();
        let known = self.registry.find(extension.r#type(), name);
        if let Some(known) = known {
            if known.extension.name == name {
                return Ok(Some(known));
            }
            let other = &known.extension.name;
            let text = format!(
                "{} {other} is registered, and {name} is the same name: unregister it first",
                extension.r#type()
            );
            return Err(conflict(&known.key(), text));
        }
        if host.provider(plugin).is_some() || self.plugin_root.join(plugin).symlink_metadata().is_ok() {
            let text = format!(
                "there is a plugin provider {plugin} that is no extension: remove it, or give the extension another name"
            );
            return Err(conflict(plugin, text));
        }
        let object = app.objects.get("plugins", plugin).map(|found| found.map()).unwrap_or_default();
        match object.get("Provider").and_then(Value::as_str) {
            Some(provider) if provider != plugin => {
                let text = format!(
                    "there is a plugin {plugin} of the provider {provider}: delete it, or give the extension another name"
                );
                Err(conflict(plugin, text))
            }
            _ => Ok(None),
        }
    }

    /// Takes an extension out: its plugin stops, and its files go.
    pub(crate) async fn unregister(
        &self,
        app: &Arc<App>,
        kind: ExtensionType,
        name: &str,
        force: bool,
        by: &str,
    ) -> Result<(), Refused> {
        let host = app.host().map_err(|failure| failure.error().clone())?;
        let _alone = self.changing.lock().await;
        let known = self.registry.find(kind, name);
        let Some(known) = known else {
            return Err(Error::new(404, "DELETE", "Not Found").on(MODEL, format!("{kind}/{name}")).into());
        };
        let needed = self.needed_by(&known);
        if !force && !needed.is_empty() {
            let text = format!("{} needs it; unregister that first, or use force", needed.join(", "));
            return Err(Error::new(409, "DELETE", text).on(MODEL, known.key()).into());
        }
        self.registry.keep(Registered { leaving: true, ..(*known).clone() })?;
        let plugin = known.plugin();
        if let Err(error) = host.delete_provider(&plugin).await
            && !matches!(error, drp_host::HostError::NoSuchProvider { .. })
        {
            self.registry.keep((*known).clone())?;
            return Err(Error::from(error).into());
        }
        self.leave(app, Some(host), &known).await?;
        publish(app, "unregister", &known, by);
        Ok(())
    }

    /// The rest of unregistering, when the launcher is gone: plugin object, record, files.
    pub(super) async fn leave(
        &self,
        app: &App,
        host: Option<&Arc<Host>>,
        known: &Registered,
    ) -> Result<(), RegistryError> {
        let plugin = known.plugin();
        let object = app.objects.get("plugins", &plugin).map(|found| found.map()).unwrap_or_default();
        if known.made_plugin && object.get("Provider").and_then(Value::as_str) == Some(plugin.as_str()) {
            if let Err(error) = app.objects.delete(&Principal::system(), "plugins", &plugin).await {
                tracing::warn!(plugin, %error, "the plugin of an extension that is gone cannot be deleted");
            } else if let Some(host) = host
                && timeout(STOP, host.remove_plugin(&plugin)).await.is_err()
            {
                tracing::warn!(plugin, after = ?STOP, "it did not stop before the files of its extension went");
            }
        }
        self.registry.forget(&plugin)
    }

    /// Registered extensions that nothing else of its name would serve.
    fn needed_by(&self, known: &Registered) -> Vec<String> {
        let name = &known.manifest.extension.name;
        let all = self.registry.all();
        let others: Vec<_> =
            all.iter().filter(|other| !other.leaving && other.plugin() != known.plugin()).collect();
        if others.iter().any(|other| other.manifest.extension.name == *name) {
            return Vec::new();
        }
        let needs =
            |other: &&&Arc<Registered>| other.manifest.dependencies.requires.iter().any(|(n, _)| n == name);
        others.iter().filter(needs).map(|other| other.key()).collect()
    }
}

/// Makes the plugin object of an extension, when its provider did not.
pub(super) async fn make_plugin(app: &App, plugin: &str) {
    if app.objects.get("plugins", plugin).is_ok() {
        return;
    }
    let object = json!({"Name": plugin, "Provider": plugin});
    if let Err(error) = app.objects.create(&Principal::system(), "plugins", object).await
        && error.code != 409
    {
        tracing::error!(plugin, %error, "the plugin of an extension cannot be made");
    }
}

/// Waits until the plugin runs, or will not. `old`: the process of the version before.
async fn settle(host: &Host, plugin: &str, old: Option<u32>) {
    use InstanceState::{Configured, Failed, Quarantined, Stopped};
    let end = Instant::now() + SETTLE;
    while Instant::now() < end {
        if let Some(status) = host.plugin_status(plugin) {
            let done = match status.state {
                Configured => status.pid != old,
                Failed | Quarantined => true,
                Stopped => !status.errors.is_empty(),
                _ => false,
            };
            if done {
                return;
            }
        }
        sleep(LOOK).await;
    }
}

fn publish(app: &App, what: &str, record: &Registered, by: &str) {
    let extension = &record.extension;
    let object = json!({
        "type": extension.r#type,
        "name": extension.name,
        "version": extension.version,
        "digest": extension.digest,
        "plugin": record.plugin(),
    });
    let mut event = Event::now(MODEL, what, record.key(), object);
    by.clone_into(&mut event.principal);
    app.objects.events().publish(event);
}

/// One upload of a provider's name at a time.
struct Uploading<'a> {
    app: &'a App,
    plugin: &'a str,
}

impl<'a> Uploading<'a> {
    fn begin(app: &'a App, plugin: &'a str) -> Option<Self> {
        app.providers.begin_upload(plugin).then_some(Self { app, plugin })
    }
}

impl Drop for Uploading<'_> {
    fn drop(&mut self) {
        self.app.providers.end_upload(self.plugin);
    }
}
