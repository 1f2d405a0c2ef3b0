//! The declaration of a plugin provider.

#[cfg(feature = "client")]
use crate::Selector;
use crate::{
    Action, Actor, Command, Context, Error, Event, JsonSchema, Param, Plugin, Publisher, SdkError, Value,
};
use drp_protocol::{AvailableAction, Bundle, BundleMeta, PLUGIN_VERSION, PluginProvider};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use std::{
    collections::BTreeSet, ffi::OsString, marker::PhantomData, process::ExitCode, sync::Arc, time::Duration,
};

/// The plugin takes no events.
#[derive(Debug)]
pub enum NoEvents {}
/// The plugin takes every event.
#[derive(Debug)]
pub enum AllEvents {}
/// The plugin takes the events it selects.
#[derive(Debug)]
pub enum SelectedEvents {}

pub(crate) type ActionHook<P> = fn(Arc<P>, Context, Action) -> BoxFuture<'static, Result<Value, Error>>;
pub(crate) type PublishHook<P> = fn(Arc<P>, Context, Event) -> BoxFuture<'static, Result<(), Error>>;
#[cfg(feature = "client")]
pub(crate) type SelectHook<P> =
    fn(Arc<crate::endpoint::Endpoint<P>>) -> BoxFuture<'static, Result<crate::events::EventTask, Error>>;

/// The hooks that a definition asked for. They are functions and not trait objects, so that a plugin without
/// a capability carries no code for it.
pub(crate) struct Hooks<P> {
    pub(crate) action: Option<ActionHook<P>>,
    pub(crate) publish: Option<PublishHook<P>>,
    #[cfg(feature = "client")]
    pub(crate) select: Option<SelectHook<P>>,
}

impl<P> Hooks<P> {
    /// The daemon posts events itself, since there is no stream of selected ones.
    pub(crate) fn takes_all(&self) -> bool {
        #[cfg(feature = "client")]
        let selects = self.select.is_some();
        #[cfg(not(feature = "client"))]
        let selects = false;
        self.publish.is_some() && !selects
    }
}

/// What a plugin says about itself, and how it wants to run.
pub struct Definition<P, Events = NoEvents> {
    pub(crate) provider: PluginProvider,
    meta: BundleMeta,
    declares: Vec<Param>,
    bundle: &'static str,
    pub(crate) hooks: Hooks<P>,
    pub(crate) threads: usize,
    pub(crate) stop_deadline: Duration,
    pub(crate) level: tracing::Level,
    events: PhantomData<fn() -> Events>,
}

impl<P: Plugin> Definition<P, NoEvents> {
    /// A provider of that name, which must be the file name of the executable, and version.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let provider = PluginProvider {
            name: name.into(),
            version: version.into(),
            plugin_version: PLUGIN_VERSION,
            ..PluginProvider::default()
        };
        Self {
            provider,
            meta: BundleMeta::default(),
            declares: Vec::new(),
            bundle: "",
            hooks: Hooks {
                action: None,
                publish: None,
                #[cfg(feature = "client")]
                select: None,
            },
            threads: 0,
            stop_deadline: Duration::from_secs(10),
            level: tracing::Level::DEBUG,
            events: PhantomData,
        }
    }

    /// Every event comes to [`Publisher::publish`] (`HasPublish`, wire-protocol §1.13).
    #[must_use]
    pub fn all_events(self) -> Definition<P, AllEvents>
    where
        P: Publisher,
    {
        let mut next = self.with_events();
        next.provider.has_publish = true;
        next.hooks.publish =
            Some(|plugin, ctx, event| Box::pin(async move { plugin.publish(&ctx, event).await }));
        next
    }

    /// The events of [`Selector::select_events`] come to [`Publisher::publish`].
    #[cfg(feature = "client")]
    #[must_use]
    pub fn selected_events(self) -> Definition<P, SelectedEvents>
    where
        P: Selector,
    {
        let mut next = self.with_events();
        next.hooks.publish =
            Some(|plugin, ctx, event| Box::pin(async move { plugin.publish(&ctx, event).await }));
        next.hooks.select =
            Some(|endpoint| Box::pin(async move { crate::events::select_events(&endpoint).await }));
        next
    }

    fn with_events<E>(self) -> Definition<P, E> {
        let Self { provider, meta, declares, bundle, hooks, threads, stop_deadline, level, .. } = self;
        let events = PhantomData;
        Definition { provider, meta, declares, bundle, hooks, threads, stop_deadline, level, events }
    }
}

impl<P: Plugin, E> Definition<P, E> {
    /// One line for people.
    #[must_use]
    pub fn describe(mut self, text: impl Into<String>) -> Self {
        self.meta.description = text.into();
        self
    }

    /// Longer text, Markdown.
    #[must_use]
    pub fn document(mut self, text: impl Into<String>) -> Self {
        self.provider.documentation = text.into();
        self
    }

    /// Name, icon, author and so on of the content layer. Name, version and what [`describe`](Self::describe)
    /// said are filled in; what the `content/` directory says wins.
    #[must_use]
    pub fn meta(mut self, meta: BundleMeta) -> Self {
        let description = std::mem::take(&mut self.meta.description);
        self.meta = meta;
        if self.meta.description.is_empty() {
            self.meta.description = description;
        }
        self
    }

    /// Have the daemon create a plugin of the provider's name when there is none.
    #[must_use]
    pub fn auto_start(mut self) -> Self {
        self.provider.auto_start = true;
        self
    }

    /// The bundle of the package's `content/` directory: `.content(drp_plugin_sdk::content!())`.
    #[must_use]
    pub fn content(mut self, bundle: &'static str) -> Self {
        self.bundle = bundle;
        self
    }

    /// A param that the plugin object must have, perhaps by default, to start.
    #[must_use]
    pub fn required(mut self, param: impl Into<Param>) -> Self {
        let param = param.into();
        self.provider.required_params.push(param.name().to_owned());
        self.declares.push(param);
        self
    }

    /// A param that the plugin object may have.
    #[must_use]
    pub fn optional(mut self, param: impl Into<Param>) -> Self {
        let param = param.into();
        self.provider.optional_params.push(param.name().to_owned());
        self.declares.push(param);
        self
    }

    /// The fields of a struct as params of the plugin object; see [`Command::params`]. Read them in
    /// [`Plugin::config`] with [`Params::decode`](crate::Params::decode).
    #[must_use]
    pub fn params<T: JsonSchema>(mut self) -> Self {
        for (param, required) in Param::fields_of::<T>() {
            self = if required { self.required(param) } else { self.optional(param) };
        }
        self
    }

    /// A param that content or actions use and that is declared here only.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        self.declares.push(param);
        self
    }

    /// An action that [`Actor::action`] runs.
    #[must_use]
    pub fn action(mut self, command: Command) -> Self
    where
        P: Actor,
    {
        self.hooks.action =
            Some(|plugin, ctx, action| Box::pin(async move { plugin.action(&ctx, action).await }));
        self.declares.extend(command.declares);
        self.provider.available_actions.push(command.action);
        self
    }

    /// An object type that the daemon shall store. `fields` is its field table (wire-protocol §1.11), an empty
    /// object for a free form.
    #[must_use]
    pub fn store_objects(mut self, prefix: impl Into<String>, fields: impl Serialize) -> Self {
        self.provider.store_objects.insert(prefix.into(), serde_json::to_value(fields).unwrap_or_default());
        self
    }

    /// How many threads run hooks. The default, 0, runs them all on the main thread, which needs the least
    /// memory and is right for plugins that wait for networks.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// How long [`Plugin::stop`] may take; 10 s unless said otherwise.
    #[must_use]
    pub fn stop_deadline(mut self, deadline: Duration) -> Self {
        self.stop_deadline = deadline;
        self
    }

    /// The least important log lines that are sent to the daemon; debug unless said otherwise. Libraries below
    /// the SDK are heard from `warn` on.
    #[must_use]
    pub fn log_level(mut self, level: tracing::Level) -> Self {
        self.level = level;
        self
    }

    /// The definition as `define` prints it.
    ///
    /// # Errors
    /// [`SdkError::Definition`] names the first item that cannot be.
    pub fn provider(&self) -> Result<PluginProvider, SdkError> {
        let wrong = |problem: String| SdkError::Definition { plugin: self.provider.name.clone(), problem };
        let mut provider = self.provider.clone();
        if !is_name(&provider.name, "") {
            return Err(wrong(format!(
                "`{}` is not a name: a letter, then letters, digits, `-_. `",
                provider.name
            )));
        }
        let mut seen = BTreeSet::new();
        for AvailableAction { model, command, required_params, optional_params, .. } in
            &provider.available_actions
        {
            if command.is_empty() || command.contains('/') {
                return Err(wrong(format!("`{command}` is not a command: it must be text without `/`")));
            }
            if !seen.insert((model, command)) {
                return Err(wrong(format!("action {command} on `{model}` is declared twice")));
            }
            params_are_sound(&format!("action {command}"), required_params, optional_params)
                .map_err(wrong)?;
        }
        params_are_sound("the plugin", &provider.required_params, &provider.optional_params)
            .map_err(wrong)?;
        provider.content = self.content_text().map_err(wrong)?;
        Ok(provider)
    }

    /// The content bundle as compact JSON, which is YAML too, or nothing when there is nothing in it.
    fn content_text(&self) -> Result<String, String> {
        let mut bundle: Bundle = match self.bundle {
            "" => Bundle::default(),
            text => serde_json::from_str(text).map_err(|e| format!("content(): not a bundle: {e}"))?,
        };
        let from_files: BTreeSet<String> =
            bundle.sections.get("params").into_iter().flat_map(|p| p.keys().cloned()).collect();
        let mut declared: Vec<&drp_protocol::Param> = Vec::new();
        for param in self.declares.iter().filter_map(Param::declaration) {
            match declared.iter().find(|d| d.name == param.name) {
                Some(same) if *same == param => {}
                Some(_) => return Err(format!("param {} is declared twice, with a difference", param.name)),
                None if from_files.contains(&param.name) => {}
                None => declared.push(param),
            }
        }
        for param in declared {
            if param.schema.get("default").is_some_and(Value::is_null) {
                return Err(format!("param {}: its default cannot be written as JSON", param.name));
            }
            let object = trimmed(json!({
                "Name": param.name, "Description": param.description, "Documentation": param.documentation,
                "Secure": param.secure, "Schema": param.schema,
            }));
            bundle.sections.entry("params".to_owned()).or_default().insert(param.name.clone(), object);
        }
        let mut meta = trimmed(serde_json::to_value(&self.meta).unwrap_or_default());
        // What drp-content fills in for a directory that does not say (wire-protocol §2.5) is not a statement.
        let stated = trimmed(serde_json::to_value(&bundle.meta).unwrap_or_default());
        meta.extend(stated.into_iter().filter(|(field, value)| {
            !(field == "Type" || field == "Name" || field == "Version") && value != "Unspecified"
        }));
        if meta.is_empty() && bundle.sections.is_empty() {
            return Ok(String::new());
        }
        meta.insert("Name".to_owned(), self.provider.name.clone().into());
        meta.insert("Version".to_owned(), self.provider.version.clone().into());
        Ok(json!({ "meta": meta, "sections": bundle.sections }).to_string())
    }

    /// Does what the command line says (wire-protocol §1.1). Call it from `main` and return its result.
    pub fn run(self, plugin: P) -> ExitCode {
        self.run_with(plugin, std::env::args_os().skip(1))
    }

    /// [`run`](Self::run) with a command line from elsewhere, without the program's name: for tests that are
    /// plugins themselves.
    pub fn run_with(self, plugin: P, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        crate::cli::run(self, plugin, arguments)
    }
}

/// The object without fields that say nothing.
fn trimmed(object: Value) -> drp_protocol::JsonMap {
    let says_nothing = |v: &Value| *v == Value::Null || *v == json!("") || *v == json!(false);
    match object {
        Value::Object(map) => map.into_iter().filter(|(_, v)| !says_nothing(v)).collect(),
        _ => drp_protocol::JsonMap::new(),
    }
}

fn params_are_sound(of: &str, required: &[String], optional: &[String]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in required.iter().chain(optional) {
        if !is_name(name, "/") {
            return Err(format!("{of}: `{name}` is not the name of a param"));
        }
        if !seen.insert(name) {
            return Err(format!("{of}: param {name} is named twice"));
        }
    }
    Ok(())
}

/// The name rule of wire-protocol §2.1: a letter, then at least one letter, digit or mark.
fn is_name(text: &str, more_marks: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(char::is_alphabetic);
    let mark = |c: char| "- _.".contains(c) || more_marks.contains(c);
    first && text.chars().count() > 1 && chars.all(|c| c.is_alphanumeric() || mark(c))
}

#[cfg(test)]
mod tests {
    use super::{Definition, is_name};
    use crate::{Action, Actor, Command, Context, Error, Param, Plugin, Value};
    use serde_json::json;

    struct Lamp;
    impl Plugin for Lamp {}
    impl Actor for Lamp {
        async fn action(&self, _: &Context, _: Action) -> Result<Value, Error> {
            Ok(Value::Null)
        }
    }

    fn lamp() -> Definition<Lamp> {
        Definition::new("lamp", "v1.2.0")
    }

    #[test]
    fn names_follow_the_rule() {
        assert!(is_name("packet-ipmi", "") && is_name("ab", "") && is_name("a/b", "/") && is_name("é1", ""));
        assert!(!is_name("a", "") && !is_name("", "") && !is_name("a/b", "") && !is_name("1a", ""));
    }

    #[test]
    fn declared_params_become_content_and_files_win() {
        let files = r#"{"meta":{"DisplayName":"Lamps","Name":"Unspecified"},
                        "sections":{"params":{"lamp/id":{"Name":"lamp/id","Schema":{"type":"integer"}}}}}"#;
        let provider = lamp()
            .describe("Lamps that blink")
            .content(files)
            .required(Param::of::<String>("lamp/url").default("http://localhost").describe("Where"))
            .action(Command::on("machines", "blink").required(Param::of::<String>("lamp/id")))
            .provider()
            .unwrap();
        let content: Value = serde_json::from_str(&provider.content).unwrap();
        let want = json!({
            "meta": {"Description": "Lamps that blink", "DisplayName": "Lamps", "Name": "lamp", "Version": "v1.2.0"},
            "sections": {"params": {
                "lamp/id": {"Name": "lamp/id", "Schema": {"type": "integer"}},
                "lamp/url": {"Name": "lamp/url", "Description": "Where",
                             "Schema": {"type": "string", "default": "http://localhost"}},
            }},
        });
        assert_eq!(content, want);
        assert_eq!((provider.required_params, provider.plugin_version), (vec!["lamp/url".to_owned()], 4));
    }

    #[test]
    fn contradictions_are_named() {
        let twice = lamp().action(Command::system("on")).action(Command::system("on"));
        let text = twice.provider().unwrap_err().to_string();
        assert_eq!(text, "definition of lamp: action on on `` is declared twice");
        let both = lamp().required("lamp/id").optional("lamp/id");
        assert!(both.provider().unwrap_err().to_string().contains("param lamp/id is named twice"));
        let differ = lamp().param(Param::of::<String>("lamp/id")).param(Param::of::<i64>("lamp/id"));
        assert!(differ.provider().unwrap_err().to_string().contains("param lamp/id is declared twice"));
        assert!(Definition::<Lamp>::new("x", "1").provider().is_err());
        assert_eq!(lamp().provider().unwrap().content, "", "nothing to say is no content");
    }
}
