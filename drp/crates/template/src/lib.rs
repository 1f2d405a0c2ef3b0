//! Templates of drp: Go `text/template` as Digital Rebar content writes it (wire-protocol §2.4), with bounds and without
//! I/O.
//!
//! The engine ([`gtmpl_ng`]) knows no method calls with arguments, and its functions are bare pointers. So calls such as
//! `.Param "x"` or `.Machine.MacAddr "eth0"` are rewritten into functions of ours ([`parse`]), and those ask the render's
//! [`Source`], which stands in the thread while it renders.
//!
//! ```
//! use drp_template::{Source, check, render};
//! use serde_json::{Value, json};
//! use std::sync::Arc;
//!
//! struct Lamp;
//! impl Source for Lamp {
//!     fn data(&self) -> Value {
//!         json!({"Machine": {"Name": "hall"}})
//!     }
//!     fn call(&self, method: &str, args: &[Value]) -> Result<Value, String> {
//!         match (method, args) {
//!             ("Param", [Value::String(name)]) if name == "lamp/id" => Ok(json!(4)),
//!             _ => Err(format!("{method} knows nothing of that")),
//!         }
//!     }
//! }
//! let text = "lamp {{ .Param \"lamp/id\" }} in the {{ .Machine.Name | upper }}";
//! assert_eq!(render("blink.sh", text, Arc::new(Lamp)).unwrap(), "lamp 4 in the HALL");
//! assert_eq!(
//!     check("blink.sh", "a\n{{ if }}").unwrap_err().to_string(),
//!     "template blink.sh: line 2: missing value for if"
//! );
//! ```

mod calls;
mod error;
mod functions;
mod rewrite;
mod value;

pub use error::TemplateError;

use gtmpl_ng::{Context, Limits, Template};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// Bytes of a template at most.
const MAX_TEXT: usize = 1 << 20;
/// Bytes of a rendered template at most.
const MAX_OUTPUT: usize = 16 << 20;
/// Templates within templates.
const MAX_DEPTH: usize = 32;
/// Parentheses within parentheses, and branches after branches.
const MAX_NESTED: usize = 300;
/// Stack of a thread that renders, in bytes. It is address space, not memory, until it is used.
const STACK: usize = 128 << 20;
/// How long one render may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a template can ask about the machine it is rendered for. The answers are JSON.
pub trait Source: Send + Sync {
    /// The fields of the dot: `{{ .Machine.Name }}` looks here.
    fn data(&self) -> Value;

    /// A method with its arguments: `Param`, `ParamExists`, `ComposeParam`, `ParamExpand`, `Machine.MacAddr`, …; those
    /// without a dot before them in templates are not asked here.
    ///
    /// # Errors
    /// What the author of the template should read.
    fn call(&self, method: &str, args: &[Value]) -> Result<Value, String>;

    /// The text of another template, for `{{ template "id" . }}` and `{{ .CallTemplate "id" . }}`.
    fn template(&self, id: &str) -> Option<String> {
        let _ = id;
        None
    }
}

/// A template that parses.
fn parse(name: &str, text: &str) -> Result<Template, TemplateError> {
    if text.len() > MAX_TEXT {
        return Err(TemplateError::TooLong { name: name.to_owned(), length: text.len(), most: MAX_TEXT });
    }
    if rewrite::depth(text) > MAX_NESTED {
        return Err(TemplateError::Parse {
            name: name.to_owned(),
            line: 0,
            text: format!("parentheses and branches nest more than {MAX_NESTED} deep"),
        });
    }
    let mut template =
        Template::with_limits(Limits::default().with_output_bytes(MAX_OUTPUT).with_deadline(DEADLINE));
    template.name = name.to_owned();
    template.add_funcs(functions::ALL);
    template.add_funcs(calls::ALL);
    let text = rewrite::rewrite(text);
    template.parse(text).map_err(|error| TemplateError::parse(name, &error))?;
    Ok(template)
}

/// Checks that a text is a template. Templates it calls need not exist.
///
/// # Errors
/// [`TemplateError`] with the name and the line.
pub fn check(name: &str, text: &str) -> Result<(), TemplateError> {
    apart(name, || parse(name, text).map(drop))
}

/// Renders a template.
///
/// # Errors
/// [`TemplateError`] with the name and the line: the template does not parse, a function refused, or a bound was met.
pub fn render(name: &str, text: &str, source: Arc<dyn Source>) -> Result<String, TemplateError> {
    apart(name, || {
        let dot = value::of(&source.data());
        calls::within(Arc::clone(&source), || render_here(name, text, dot, &*source))
    })
}

/// Runs something on a thread of its own: templates that call each other need more stack than a caller may have.
fn apart<T: Send>(
    name: &str,
    run: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("template".to_owned()).stack_size(STACK);
        let failed = |text: String| TemplateError::other(name, &text);
        let thread = thread.spawn_scoped(scope, run).map_err(|error| failed(error.to_string()))?;
        thread.join().map_err(|_| failed("the template engine made a mistake".to_owned()))?
    })
}

/// Renders within the thread's source.
fn render_here(
    name: &str,
    text: &str,
    dot: gtmpl_ng::Value,
    source: &dyn Source,
) -> Result<String, TemplateError> {
    let mut template = parse(name, text)?;
    let mut known = vec![name.to_owned()];
    let mut wanted = rewrite::called(text);
    while let Some(id) = wanted.pop() {
        if known.contains(&id) {
            continue;
        }
        // What the text defines itself is not a template of the source.
        if let Some(text) = source.template(&id) {
            if known.len() >= 1000 {
                return Err(TemplateError::TooMany { name: name.to_owned(), most: 1000 });
            }
            wanted.extend(rewrite::called(&text));
            parse(&id, &text)?;
            let added = template.add_template(id.as_str(), rewrite::rewrite(&text));
            added.map_err(|error| TemplateError::other(&id, &error.to_string()))?;
        }
        known.push(id);
    }
    template.render(&Context::from(dot)).map_err(|error| TemplateError::render(name, &error))
}

#[cfg(test)]
mod tests;
