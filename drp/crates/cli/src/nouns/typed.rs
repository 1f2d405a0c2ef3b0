//! What `drp server`, `drp taskserv` and `drp cluster` share: they call the operations of registered extensions, which
//! are actions on the plugin `<name>-<type>` (extensions §2).

use super::events;
use crate::commands::{Context, actions};
use crate::{Exit, Failure, connect, hints, input};
use clap::Args;
use drp_client::{ClientError, Query};
use drp_extensions::same_name;
use drp_protocol::extension_operations::operations;
use drp_protocol::{Event, ExtensionType, JsonMap, extension_plugin};
use serde_json::{Value, json};

/// How long an operation may take that waits until its work is done, in seconds.
const WAIT: u64 = 3600;
/// Plugins of one type that are looked at, at most.
const PLUGINS: u64 = 1000;

/// What every verb that changes something takes.
#[derive(Debug, Clone, Args)]
pub(super) struct CheckArg {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) check: bool,
}

/// What verbs take whose work goes on after they are accepted.
#[derive(Debug, Clone, Args)]
pub(super) struct WaitArg {
    /// Wait until it is done
    #[arg(long)]
    pub(super) wait: bool,
}

/// Which of several plugins of an extension.
#[derive(Debug, Clone, Args)]
pub(super) struct PluginArg {
    /// Another plugin object of the extension, for instance one with a second account [default: NAME-TYPE]
    #[arg(long, value_name = "NAME")]
    pub(super) plugin: Option<String>,
}

/// Configuration from a file.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArg {
    /// File with the configuration, as TOML, YAML or JSON; - for standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) config: Option<String>,
}

impl ConfigArg {
    /// The record, when there is one.
    pub(super) fn read(&self) -> Result<Option<JsonMap>, Failure> {
        self.config.as_deref().map(input::config).transpose()
    }
}

/// One operation to call.
pub(super) struct Call<'a> {
    pub(super) kind: ExtensionType,
    /// The plugin object.
    pub(super) plugin: &'a str,
    pub(super) operation: &'static str,
    pub(super) params: JsonMap,
    pub(super) check: bool,
    pub(super) wait: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(kind: ExtensionType, plugin: &'a str, operation: &'static str) -> Self {
        Self { kind, plugin, operation, params: JsonMap::new(), check: false, wait: false }
    }

    /// With an input.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// With an input, when it is given.
    pub(super) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn check(self, arg: &CheckArg) -> Self {
        Self { check: arg.check, ..self }
    }

    pub(super) fn wait(self, arg: &WaitArg) -> Self {
        Self { wait: arg.wait, ..self }
    }

    /// Whether the operation itself can say what it would do.
    fn checks_itself(&self) -> bool {
        operations(self.kind).iter().any(|operation| operation.name == self.operation && operation.check)
    }

    /// Calls it. `None`: nothing was to be done but to say what would be, and that is said.
    pub(super) async fn run(mut self, cx: &Context<'_>) -> Result<Option<Value>, Failure> {
        if self.check && !self.checks_itself() {
            return self.plan(cx).await.map(|()| None);
        }
        for (name, given) in [("check", self.check), ("wait", self.wait)] {
            if given {
                self.params.insert(name.to_owned(), true.into());
            }
        }
        let path = format!("plugins/{}/actions/{}", self.plugin, self.operation);
        if cx.dry("POST", &path, &Value::Object(self.params.clone()))? {
            return Ok(None);
        }
        match self.answer(cx).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => Err(actions::explain(cx, "plugins", self.plugin, self.operation, error).await),
        }
    }

    /// Calls it and shows on a terminal what it tells meanwhile.
    async fn answer(&self, cx: &Context<'_>) -> Result<Value, ClientError> {
        let patient = patient(cx, self.wait);
        let client = patient.as_ref().unwrap_or(&cx.client);
        let call = client.run_action("plugins", self.plugin, self.operation, None, &self.params);
        if !cx.printer.remarks() {
            return call.await;
        }
        let pattern = format!("extensions.progress.{}", self.plugin);
        // Without the stream the work goes on all the same.
        let Ok(mut stream) = events::open(cx, &[&pattern]).await else { return call.await };
        tokio::pin!(call);
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                event = events::next(cx, &mut stream) => match event {
                    Ok(Some(event)) => {
                        if let Some(text) = progress(&event, self.operation) {
                            cx.printer.remark(&text);
                        }
                    }
                    _ => return call.await,
                },
            }
        }
    }

    /// What would be called, without calling it.
    async fn plan(&self, cx: &Context<'_>) -> Result<(), Failure> {
        let found = cx.client.action("plugins", self.plugin, self.operation, None).await;
        match found {
            Err(error) if !actions::provided(&error, &self.params) => {
                return Err(actions::explain(cx, "plugins", self.plugin, self.operation, error).await);
            }
            _ => {}
        }
        cx.printer.value(&json!({
            "action": self.operation, "plugin": self.plugin, "check_mode": true, "params": self.params,
            "message": format!("{} cannot be tried: this is what it would be called with", self.operation),
        }))
    }
}

/// A client that waits longer than others, unless the caller said how long.
fn patient(cx: &Context<'_>, wait: bool) -> Option<drp_client::Client> {
    let standard_input =
        |file: &Option<std::path::PathBuf>| file.as_ref().is_some_and(|f| f.as_os_str() == "-");
    let globals = cx.globals;
    // What came from standard input has been read.
    let read = standard_input(&globals.password_file) || standard_input(&globals.token_file);
    if !wait || globals.timeout.is_some() || read {
        return None;
    }
    connect::client(&crate::grammar::Globals { timeout: Some(WAIT), ..globals.clone() }).ok()
}

/// A line for people, from an event of progress.
fn progress(event: &Event, operation: &str) -> Option<String> {
    let text = |name: &str| event.object.get(name).and_then(Value::as_str).unwrap_or_default();
    if !matches!(text("command"), "") && text("command") != operation {
        return None;
    }
    let said: String = text("text").chars().filter(|c| !c.is_control()).take(200).collect();
    match event.object.get("percent").and_then(Value::as_f64) {
        Some(percent) => Some(format!("{:>4.0} %  {said}", percent.clamp(0.0, 100.0))),
        None if said.is_empty() => None,
        None => Some(format!("        {said}")),
    }
}

/// A plugin of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosted {
    /// The extension's name.
    pub(super) name: String,
    /// The plugin object.
    pub(super) plugin: String,
}

/// The plugins of all extensions of a type, by name.
pub(super) async fn hosted(cx: &Context<'_>, kind: ExtensionType) -> Result<Vec<Hosted>, Failure> {
    let query = Query::new().slim("Meta,Params").limit(PLUGINS);
    let plugins = cx.client.list::<Value>("plugins", &query).await?.items;
    let suffix = format!("-{kind}");
    let mut found: Vec<Hosted> = plugins
        .iter()
        .filter_map(|plugin| {
            let name = plugin["Provider"].as_str()?.strip_suffix(&suffix)?;
            Some(Hosted { name: name.to_owned(), plugin: plugin["Name"].as_str()?.to_owned() })
        })
        .collect();
    found.sort_by(|a, b| a.plugin.cmp(&b.plugin));
    Ok(found)
}

/// The plugin object that is meant: the one that is named, that of the extension, or the only one there is.
pub(super) async fn plugin(
    cx: &Context<'_>,
    kind: ExtensionType,
    name: Option<&str>,
    other: &PluginArg,
) -> Result<String, Failure> {
    let found = hosted(cx, kind).await?;
    choose(&found, kind, name, other.plugin.as_deref())
}

fn choose(
    found: &[Hosted],
    kind: ExtensionType,
    name: Option<&str>,
    plugin: Option<&str>,
) -> Result<String, Failure> {
    let of_name = |one: &&Hosted| name.is_none_or(|name| same_name(&one.name, name) || one.plugin == name);
    if let Some(plugin) = plugin {
        return match found.iter().find(|one| one.plugin == plugin) {
            Some(one) if of_name(&one) => Ok(one.plugin.clone()),
            Some(one) => Err(Failure::usage(format!("{plugin} is a plugin of the {kind} {}", one.name))),
            None => Err(absent(kind, plugin, "plugin of a", found.iter().map(|one| one.plugin.as_str()))),
        };
    }
    let fitting: Vec<&Hosted> = found.iter().filter(of_name).collect();
    let own = fitting.iter().find(|one| one.plugin == extension_plugin(kind, &one.name));
    match (name, &fitting[..]) {
        (_, [one]) => Ok(one.plugin.clone()),
        (Some(name), []) => Err(absent(kind, name, "", found.iter().map(|one| one.name.as_str()))),
        (Some(_), _) if own.is_some() => Ok(own.map(|one| one.plugin.clone()).unwrap_or_default()),
        (None, []) => Err(Failure::new(Exit::NotFound, format!("no {kind} is registered"))
            .hint("`drp ext register DIR` registers one")),
        (name, several) => {
            let plugins: Vec<&str> = several.iter().map(|one| one.plugin.as_str()).collect();
            let flag = if name.is_none() && several.iter().any(|one| one.name != several[0].name) {
                format!("--{kind}")
            } else {
                "--plugin".to_owned()
            };
            Err(Failure::usage(format!("there are several: {}", plugins.join(", ")))
                .hint(format!("name one with {flag} NAME")))
        }
    }
}

fn absent<'a>(kind: ExtensionType, name: &str, what: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    let text = format!("there is no {} {name}", format!("{what} {kind}").trim());
    let failure = Failure::new(Exit::NotFound, text);
    match hints::did_you_mean(name, known.iter().copied()) {
        Some(hint) => failure.hint(hint),
        None if known.is_empty() => failure.hint("`drp ext register DIR` registers one"),
        None => failure.hint(format!("there are {}", known.join(", "))),
    }
}

/// Calls an operation and prints what it answers: the record as it is, for people a table.
pub(super) async fn show(cx: &Context<'_>, call: Call<'_>, columns: &[(&str, &str)]) -> Result<(), Failure> {
    let (operation, plugin) = (call.operation, call.plugin.to_owned());
    let Some(answer) = call.run(cx).await? else { return Ok(()) };
    match &answer {
        Value::Null if cx.printer.for_eyes() => {
            cx.printer.remark(&format!("{operation} on {plugin} is done"))
        }
        Value::Array(items) if !columns.is_empty() && items.iter().all(Value::is_object) => {
            cx.printer.list(items, columns)?;
        }
        answer => cx.printer.value(answer)?,
    }
    // A record that says so is a failure, whatever else it says.
    match answer.get("success") {
        Some(Value::Bool(false)) => {
            let said = ["message", "error"].iter().find_map(|name| answer[*name].as_str());
            Err(Failure::new(Exit::General, said.unwrap_or("it did not succeed").to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Hosted> {
        [("local", "local-provider"), ("up-cloud", "second"), ("up-cloud", "up-cloud-provider")]
            .map(|(name, plugin)| Hosted { name: name.into(), plugin: plugin.into() })
            .to_vec()
    }

    fn chosen(found: &[Hosted], name: Option<&str>, plugin: Option<&str>) -> Result<String, (Exit, String)> {
        choose(found, ExtensionType::Provider, name, plugin)
            .map_err(|failure| (failure.exit, format!("{failure}; {}", failure.hints.join("; "))))
    }

    #[test]
    fn the_plugin_that_is_meant() {
        let all = all();
        for (name, plugin, expected) in [
            (Some("local"), None, "local-provider"),
            (Some("up_cloud"), None, "up-cloud-provider"),
            (Some("up-cloud-provider"), None, "up-cloud-provider"),
            (None, Some("second"), "second"),
            (Some("up-cloud"), Some("second"), "second"),
        ] {
            assert_eq!(chosen(&all, name, plugin).unwrap(), expected, "{name:?} {plugin:?}");
        }
        assert_eq!(chosen(&all[..1], None, None).unwrap(), "local-provider");
        assert_eq!(chosen(&all[1..2], Some("up-cloud"), None).unwrap(), "second");
    }

    #[test]
    fn what_is_not_clear_is_asked_about() {
        let all = all();
        let several = chosen(&all, None, None).unwrap_err();
        assert_eq!(several.0, Exit::Usage);
        assert!(several.1.contains("local-provider, second, up-cloud-provider; name one with --provider"));
        assert!(chosen(&all[1..], None, None).unwrap_err().1.contains("--plugin"));
        let absent = chosen(&all, Some("locl"), None).unwrap_err();
        assert_eq!(absent, (Exit::NotFound, "there is no provider locl; did you mean `local`?".into()));
        assert!(chosen(&[], None, None).unwrap_err().1.contains("no provider is registered"));
        assert_eq!(chosen(&all, Some("local"), Some("second")).unwrap_err().0, Exit::Usage);
        assert_eq!(chosen(&all, None, Some("third")).unwrap_err().0, Exit::NotFound);
    }

    #[test]
    fn progress_is_one_line() {
        let event = |object: Value| Event { object, ..Event::default() };
        let text = |object: Value| progress(&event(object), "create-server");
        assert_eq!(
            text(json!({"command": "create-server", "percent": 40, "text": "a\u{1b}[2J\nb"})).unwrap(),
            "  40 %  a[2Jb"
        );
        assert_eq!(text(json!({"percent": 1e9, "text": ""})).unwrap(), " 100 %  ");
        assert_eq!(text(json!({"text": "x"})).unwrap(), "        x");
        assert_eq!(text(json!({"command": "delete-server", "text": "x"})), None);
        assert_eq!(text(json!("odd")), None);
    }
}
