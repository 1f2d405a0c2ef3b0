//! Feeds the plugin host from the event bus (wire-protocol §1.12): plugin objects become instances, and providers
//! with `HasPublish` hear everything. Preferences change what is logged.

use crate::app::App;
use crate::logging;
use crate::ws::gap_event;
use drp_host::Host;
use drp_objects::{Delivery, Interest, ListQuery, Occurrence, Pattern, PatternSet, Principal, Subscription};
use drp_protocol::{Event, Plugin};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the controller hears: everything when a provider wants everything, else what it acts on itself.
pub(crate) fn wanted(app: &App) -> Interest {
    if app.providers.any_has_publish() {
        return Interest::Everything;
    }
    let mut patterns = PatternSet::default();
    for (kind, key) in [
        ("plugins", None),
        ("preferences", None),
        ("plugin_providers", None),
        ("contents", Some("rackn-license")),
    ] {
        patterns.watch(Pattern::of(kind, key));
    }
    patterns.into()
}

/// Follows the events until the engine is gone.
pub(crate) async fn follow(app: Arc<App>, host: Arc<Host>, mut events: Subscription) {
    while let Some(delivery) = events.next().await {
        if matches!(&delivery, Delivery::Event(event) if event.kind() == "plugin_providers") {
            events.set_interest(wanted(&app));
        }
        match delivery {
            Delivery::Event(occurrence) => heed(&app, &host, &occurrence),
            Delivery::Gap { from, to } => {
                tracing::warn!(from, to, "the plugin controller lost events and looks at all plugins again");
                events.set_interest(wanted(&app));
                host.publish(&Arc::new(gap_event(from, to)));
                load(&app, &host);
                logging::heed(&app.place.settings, &app.objects.prefs(false));
            }
        }
    }
}

fn heed(app: &App, host: &Arc<Host>, occurrence: &Occurrence) {
    match (occurrence.kind(), occurrence.action()) {
        // Of operations of clusters, `create` and `delete` are actions on a plugin, and actions have events too.
        ("plugins", _) if is_action(&occurrence.event()) => {}
        ("plugins", "create" | "update" | "save") if matters(&occurrence.event()) => {
            if let Ok(plugin) = app.objects.get("plugins", occurrence.key()).map(|p| p.model::<Plugin>())
                && let Ok(plugin) = plugin
            {
                host.upsert_plugin(plugin);
            }
        }
        ("plugins", "delete") => {
            // Told now and waited for beside: the next event may create it anew.
            tokio::spawn(host.remove_plugin(occurrence.key()));
        }
        ("preferences", _) => logging::heed(&app.place.settings, &app.objects.prefs(false)),
        // A licence may change what providers offer.
        ("contents", _) if occurrence.key() == "rackn-license" => {
            let host = Arc::clone(host);
            tokio::spawn(async move { host.redefine().await });
        }
        _ => {}
    }
    if app.providers.any_has_publish() {
        host.publish(&occurrence.event());
    }
}

/// Whether the event tells of an action on an object, not of a change of it (wire-protocol §3.8 step 6).
fn is_action(event: &Event) -> bool {
    event.object.get("CommandSet").is_some()
        && event.object.get("Command").is_some_and(|c| *c == *event.action)
}

/// Whether the event changes what runs: `Meta` and `PluginErrors` do not.
fn matters(event: &Event) -> bool {
    let (Value::Object(new), Value::Object(old)) = (&event.object, &event.original) else { return true };
    ["Description", "Provider", "Params"].iter().any(|field| new.get(*field) != old.get(*field))
}

/// Makes the instances those that the stored plugins ask for.
pub(crate) fn load(app: &App, host: &Arc<Host>) {
    let stored = app.objects.list(&Principal::system(), "plugins", &ListQuery::default());
    let plugins: Vec<Plugin> = match stored.map(|listing| serde_json::from_slice(&listing.json)) {
        Ok(Ok(plugins)) => plugins,
        Ok(Err(error)) => return tracing::error!(%error, "plugins do not decode"),
        Err(error) => return tracing::error!(%error, "plugins cannot be listed"),
    };
    let names: BTreeSet<String> = plugins.iter().map(|plugin| plugin.name.clone()).collect();
    for gone in host.status().into_iter().filter(|instance| !names.contains(&instance.name)) {
        tokio::spawn(host.remove_plugin(&gone.name));
    }
    for plugin in plugins {
        host.upsert_plugin(plugin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_action_named_delete_deletes_nothing() {
        let event = |object: Value| Event { object, action: "delete".to_owned(), ..Event::default() };
        let action =
            json!({"Command": "delete", "CommandSet": "plugins", "Model": {}, "Params": {}, "Plugin": "c"});
        assert!(is_action(&event(action)));
        assert!(!is_action(&event(json!({"Name": "c", "Provider": "c", "Params": {"Command": "delete"}}))));
        assert!(!is_action(&event(Value::Null)));
    }

    #[test]
    fn only_what_runs_matters() {
        let event = |object: Value, original: Value| Event { object, original, ..Event::default() };
        assert!(matters(&event(json!({}), Value::Null)));
        assert!(matters(&event(json!({"Params": {"a": 1}}), json!({"Params": {}}))));
        assert!(!matters(&event(
            json!({"PluginErrors": ["x"], "Params": {}}),
            json!({"PluginErrors": [], "Params": {}})
        )));
    }
}
