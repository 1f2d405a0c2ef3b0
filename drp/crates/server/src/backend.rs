//! The daemon as the plugin host sees it.

use crate::app::App;
use crate::providers::{bundle, meta_map};
use bytes::Bytes;
use drp_host::{Backend, InstanceChange, InstanceState, Provider, ProviderChange, Removal};
use drp_objects::{LayerKind, ListQuery, Principal};
use drp_protocol::{Error, Event, JsonMap, Level, Line, Plugin, PluginProvider, Secret};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

/// The objects and events behind the host.
pub(crate) struct Wiring(pub(crate) Arc<App>);

impl Wiring {
    async fn added(&self, provider: &Provider) -> Result<(), Error> {
        let app = &self.0;
        let mut definition = provider.definition.clone();
        let refuse = |text: String| Error::new(400, "POST", text).on("plugin_providers", &definition.name);
        let bundle = bundle(&definition).map_err(refuse)?;
        definition.meta = meta_map(&bundle.meta);
        let force = app.providers.is_uploading(&definition.name);
        app.objects.put_layer(bundle, LayerKind::Plugin, force).await?;
        app.providers.put(definition.clone());
        self.announce("plugin_providers", "create", &definition.name, &definition);
        if definition.auto_start && app.objects.get("plugins", &definition.name).is_err() {
            let plugin =
                json!({"Name": definition.name, "Provider": definition.name, "Meta": definition.meta});
            // The provider is in by now: that its plugin cannot be made is no reason to refuse it.
            if let Err(error) = app.objects.create(&Principal::system(), "plugins", plugin).await {
                tracing::error!(plugin = definition.name, %error, "the plugin of an AutoStart provider cannot be made");
            }
        }
        Ok(())
    }

    async fn removed(&self, name: &str, why: &Removal) -> Result<(), Error> {
        let app = &self.0;
        let Some(gone) = app.providers.remove(name) else { return Ok(()) };
        tracing::info!(provider = name, ?why, "plugin provider is gone");
        app.objects.remove_layer(name).await?;
        self.announce("plugin_providers", "delete", name, &gone);
        Ok(())
    }

    async fn changed(&self, change: InstanceChange) {
        let app = &self.0;
        let name = change.plugin.as_str();
        let errors = change.errors.as_deref().unwrap_or_default();
        match change.state {
            InstanceState::Configured => tracing::info!("plugin {name} configured"),
            InstanceState::Failed | InstanceState::Quarantined => {
                tracing::warn!("plugin {name} {}: {}", change.state, errors.join("; "));
            }
            state => tracing::info!("plugin {name} {state}"),
        }
        if let Some(errors) = change.errors {
            let set = move |plugin: &mut JsonMap| {
                plugin.insert("PluginErrors".to_owned(), errors.into_iter().map(Value::String).collect());
            };
            // The object may just have been deleted: that is why its instance stops.
            let _ = app.objects.save(&Principal::system(), "plugins", name, set).await;
        }
        if let (true, Some(action)) = (change.announce, change.state.event_action()) {
            let object = app.objects.get("plugins", name).map(|p| Value::Object(p.map())).unwrap_or_default();
            self.announce("plugins", action, name, &object);
        }
    }

    fn announce(&self, kind: &str, action: &str, key: &str, object: &impl serde::Serialize) {
        let mut event = Event::now(kind, action, key, serde_json::to_value(object).unwrap_or_default());
        event.principal = Principal::system().name;
        self.0.objects.events().publish(event);
    }
}

impl Backend for Wiring {
    fn define_token(&self, provider: &str) -> BoxFuture<'_, Result<Secret, Error>> {
        let token = self.0.objects.define_token(provider);
        async move { Ok(token) }.boxed()
    }

    fn run_token(&self, plugin: &str) -> BoxFuture<'_, Result<Secret, Error>> {
        let token = self.0.objects.plugin_token(plugin);
        async move { Ok(token) }.boxed()
    }

    fn config_params<'a>(
        &'a self,
        plugin: &'a Plugin,
        provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<JsonMap, Vec<String>>> {
        async move {
            let mut params = self.0.objects.plugin_config(&plugin.name, provider).map_err(|e| e.messages)?;
            self.0.extensions.check_settings(&provider.name, &mut params).await?;
            Ok(params)
        }
        .boxed()
    }

    fn register_store_objects<'a>(
        &'a self,
        provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            // Objects of these types that wait in content come in with them.
            self.0.objects.register_types(&provider.store_objects).await
        }
        .boxed()
    }

    fn publish(&self, _plugin: &str, event: Event) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            self.0.objects.events().publish(event);
            Ok(())
        }
        .boxed()
    }

    fn log(&self, mut line: Line) {
        if matches!(line.level, Level::Fatal | Level::Panic) {
            line.level = Level::Error;
        }
        crate::logging::echo(&line);
        self.0.objects.logs().add(line);
    }

    fn objects(&self, prefix: &str) -> BoxFuture<'_, Result<Bytes, Error>> {
        let listed = self.0.objects.list(&Principal::system(), prefix, &ListQuery::default());
        async move { listed.map(|listing| Bytes::from(listing.json)) }.boxed()
    }

    fn certificate(&self) -> Option<String> {
        Some(self.0.place.certificate.clone())
    }

    fn provider_changed(&self, change: ProviderChange) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            match change {
                ProviderChange::Added(provider) | ProviderChange::Changed(provider) => {
                    self.added(&provider).await
                }
                ProviderChange::Removed { name, why } => self.removed(&name, &why).await,
            }
        }
        .boxed()
    }

    fn instance_changed(&self, change: InstanceChange) -> BoxFuture<'_, ()> {
        self.changed(change).boxed()
    }
}
