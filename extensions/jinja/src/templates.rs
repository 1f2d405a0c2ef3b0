//! Templates and their renders.

use crate::folder::Folder;
use crate::near::near;
use crate::output::{Output, Stop};
use crate::{Place, TemplateError, filters};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;
use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a render may take. Memory between the steps of a template is not limited here: whoever renders templates of
/// strangers does it in a process that may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one template.
    pub template: u64,
    /// Bytes of the text that is made.
    pub output: usize,
    /// Steps of a render, about one for each part of an expression.
    pub steps: u64,
    /// How long a render may take. It is looked at whenever something is written; `steps` bounds what lies between.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { template: 1 << 20, output: 16 << 20, steps: 2_000_000, time: Duration::from_secs(10) }
    }
}

/// Templates within templates, and calls of macros, at most.
const DEEPEST: usize = 60;
/// Stack of a thread that renders, in bytes. It is address space, not memory, until it is used.
const STACK: usize = 64 << 20;

/// Templates that can include and extend each other.
pub struct Templates {
    environment: Environment<'static>,
    folder: Option<Arc<Folder>>,
    limits: Limits,
}

impl Templates {
    /// The templates of a folder, by their paths within it. They are read when they are needed; names that lead out
    /// of the folder are refused, also in `include`, `import` and `extends`.
    ///
    /// # Errors
    /// [`TemplateError::Unreadable`] when there is no such folder.
    pub fn of_folder(root: &Path) -> Result<Self, TemplateError> {
        Self::of_folder_within(root, Limits::default())
    }

    /// The same, with other limits.
    ///
    /// # Errors
    /// As [`Self::of_folder`].
    pub fn of_folder_within(root: &Path, limits: Limits) -> Result<Self, TemplateError> {
        let folder = Arc::new(Folder::open(root, limits.template)?);
        let mut environment = environment(limits);
        let reader = Arc::clone(&folder);
        environment.set_loader(move |name| {
            let text = reader.read(name).map_err(own)?;
            text.as_ref().map_or(Ok(()), |text| crate::shape::check(name, text)).map_err(own)?;
            Ok(text)
        });
        Ok(Self { environment, folder: Some(folder), limits })
    }

    /// One template. It can include nothing.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] when it cannot be parsed, [`TemplateError::TooLong`].
    pub fn of_text(name: &str, text: impl Into<String>) -> Result<Self, TemplateError> {
        Self::of_text_within(name, text, Limits::default())
    }

    /// The same, with other limits.
    ///
    /// # Errors
    /// As [`Self::of_text`].
    pub fn of_text_within(
        name: &str,
        text: impl Into<String>,
        limits: Limits,
    ) -> Result<Self, TemplateError> {
        let text = text.into();
        if text.len() as u64 > limits.template {
            let length = text.len() as u64;
            return Err(TemplateError::TooLong { name: name.to_owned(), length, most: limits.template });
        }
        crate::shape::check(name, &text)?;
        let mut templates = Self { environment: environment(limits), folder: None, limits };
        let added = roomy(name, || Ok(templates.environment.add_template_owned(name.to_owned(), text)))?;
        match added {
            Ok(()) => Ok(templates),
            Err(error) => Err(templates.explain(name, &error, &Json::Null, None)),
        }
    }

    /// Whether a template can be parsed; nothing is rendered.
    ///
    /// # Errors
    /// [`TemplateError`]: it cannot, or is not there.
    pub fn check(&self, name: &str) -> Result<(), TemplateError> {
        roomy(name, || match self.environment.get_template(name) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain(name, &error, &Json::Null, None)),
        })
    }

    /// Renders a template with the fields of `context`, a JSON object, as its variables.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn render(&self, name: &str, context: &Json) -> Result<String, TemplateError> {
        roomy(name, || self.render_here(name, context))
    }

    fn render_here(&self, name: &str, context: &Json) -> Result<String, TemplateError> {
        let mut output = Output::new(self.limits.output, Instant::now() + self.limits.time);
        let template =
            self.environment.get_template(name).map_err(|error| self.explain(name, &error, context, None))?;
        let rendered = template.render_captured_to(Value::from(Serde(context)), &mut output).map(|_| ());
        match rendered {
            Ok(()) => String::from_utf8(output.into_bytes()).map_err(|_| TemplateError::Unreadable {
                name: name.to_owned(),
                reason: "what it makes is not UTF-8".into(),
            }),
            Err(error) => Err(self.explain(name, &error, context, output.stopped)),
        }
    }

    /// An error of the engine in our words. The innermost one is the cause: those around it say which template
    /// included which.
    fn explain(&self, name: &str, error: &Error, context: &Json, stopped: Option<Stop>) -> TemplateError {
        let mut error = error;
        while let Some(inner) = error.source() {
            if let Some(ours) = inner.downcast_ref::<TemplateError>() {
                return ours.clone();
            }
            let Some(inner) = inner.downcast_ref::<Error>() else { break };
            error = inner;
        }
        let place = place(name, error);
        match stopped {
            Some(Stop::Full) => return TemplateError::OutputTooLong { place, most: self.limits.output },
            Some(Stop::Late) => return TemplateError::TooMuch { place, what: "too long" },
            None => {}
        }
        let detail = error.detail().unwrap_or_default();
        let named = between_ticks(detail).unwrap_or_default().to_owned();
        match error.kind() {
            ErrorKind::UndefinedError => {
                let variable = if named.is_empty() { expression(error) } else { named };
                let near = near_of(&variable, context);
                TemplateError::Undefined { place: before_filters(place, error, &variable), variable, near }
            }
            ErrorKind::OutOfFuel => TemplateError::TooMuch { place, what: "too many steps" },
            ErrorKind::SyntaxError => TemplateError::Syntax { place, message: or_kind(error) },
            ErrorKind::TemplateNotFound => {
                let wanted = quoted(detail).unwrap_or(name);
                let names = self.folder.as_ref().map(|folder| folder.names()).unwrap_or_default();
                TemplateError::NotFound {
                    name: wanted.to_owned(),
                    near: near(wanted, names.iter().map(String::as_str)),
                    wanted_by: place.line.is_some().then_some(place),
                }
            }
            ErrorKind::UnknownFilter => unknown(place, "filter", detail, FILTERS),
            ErrorKind::UnknownTest => unknown(place, "test", detail, &[]),
            ErrorKind::UnknownFunction => unknown(place, "function", detail, FUNCTIONS),
            ErrorKind::UnknownMethod => unknown(place, "method", detail, &[]),
            _ => TemplateError::Render { place, message: or_kind(error) },
        }
    }
}

/// Names that authors misspell, for hints.
const FILTERS: &[&str] = &[
    "sh",
    "quote",
    "tonu",
    "tonickel",
    "tojson",
    "toyaml",
    "default",
    "join",
    "replace",
    "lower",
    "upper",
    "trim",
    "length",
    "first",
    "last",
    "sort",
    "unique",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "indent",
    "int",
    "float",
    "string",
    "list",
    "items",
    "dictsort",
    "split",
    "lines",
    "title",
    "capitalize",
    "round",
    "sum",
];
const FUNCTIONS: &[&str] = &["range", "dict", "namespace"];

/// Parsing and templates within templates recurse on the stack, and that of the caller may be a small one.
fn roomy<T: Send>(
    name: &str,
    work: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("template".into()).stack_size(STACK);
        thread.spawn_scoped(scope, work).map(std::thread::ScopedJoinHandle::join)
    });
    let failed = |message: &str| {
        let place = Place { template: name.to_owned(), line: None, column: None };
        Err(TemplateError::Render { place, message: message.to_owned() })
    };
    match done {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => failed("the template engine gave up"),
        Err(_) => failed("no thread can be started"),
    }
}

fn environment(limits: Limits) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(limits.steps));
    environment.set_recursion_limit(DEEPEST);
    // Errors then know their place. Values are not shown by ours.
    environment.set_debug(true);
    // A file ends as its template ends.
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    // It would write all variables, secrets among them, into the text.
    environment.remove_global("debug");
    filters::add(&mut environment);
    environment
}

/// An error of ours on its way through the engine.
fn own(error: TemplateError) -> Error {
    Error::new(ErrorKind::InvalidOperation, "the template cannot be had").with_source(error)
}

fn place(name: &str, error: &Error) -> Place {
    let column = error.template_source().zip(error.range()).and_then(|(source, range)| {
        let before = source.get(..range.start)?;
        Some(before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
    });
    Place { template: error.name().unwrap_or(name).to_owned(), line: error.line(), column }
}

/// The engine blames the filter that was given something undefined; people look for the variable.
fn before_filters(mut place: Place, error: &Error, variable: &str) -> Place {
    let line =
        error.template_source().zip(place.line).and_then(|(source, line)| source.lines().nth(line - 1));
    if let Some((line, column)) = line.zip(place.column) {
        let up_to: String = line.chars().take(column - 1).collect();
        let here = line[up_to.len()..].starts_with(variable);
        if let Some(found) = up_to.rfind(variable).filter(|_| !here) {
            place.column = Some(line[..found].chars().count() + 1);
        }
    }
    place
}

/// The text of the expression that failed, up to its filters.
fn expression(error: &Error) -> String {
    let text = error.template_source().zip(error.range()).and_then(|(source, range)| source.get(range));
    let text = text.unwrap_or("it").split('|').next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

fn or_kind(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

fn unknown(place: Place, what: &'static str, detail: &str, known: &[&str]) -> TemplateError {
    // The engine says "filter x is unknown", "x is unknown", "object has no method named x".
    let named = detail.split(" is unknown").next().unwrap_or(detail);
    let name = named.split_whitespace().last().unwrap_or(detail).trim_matches(['`', '"', '\'']).to_owned();
    let near = near(&name, known.iter().copied());
    TemplateError::Unknown { place, what, name, near }
}

fn between_ticks(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('`')?;
    rest.split_once("` is undefined").map(|(name, _)| name)
}

fn quoted(text: &str) -> Option<&str> {
    let (before, rest) = text.split_once(['"', '\''])?;
    let quote = text[before.len()..].chars().next()?;
    rest.rsplit_once(quote).map(|(name, _)| name)
}

/// Names beside the one that is missing: of the record it was looked for in, when that is there.
fn near_of(variable: &str, context: &Json) -> Vec<String> {
    let parts: Vec<&str> = variable.split('.').collect();
    let mut record = context;
    for (depth, part) in parts.iter().enumerate() {
        let Some(fields) = record.as_object() else { return Vec::new() };
        match fields.get(*part) {
            Some(field) => record = field,
            None => {
                let found = near(part, fields.keys().map(String::as_str));
                let before = parts[..depth].join(".");
                let whole = |name: String| if depth == 0 { name } else { format!("{before}.{name}") };
                return found.into_iter().map(whole).collect();
            }
        }
    }
    Vec::new()
}
