//! Rendering a text that a caller sends (extensions §3): Nickel and Jinja2, each in a process that may be ended.

use super::{nickel, template};
use drp_schemas::{Diagnostic, Document, Evaluator, Format, Place, SchemaError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::Semaphore;

/// What errors call the text when its sender has no name for it.
const NAME: &str = "content";
/// Templates rendered at once.
const AT_ONCE: usize = 2;
/// Templates that may wait for that.
const MOST_WAITING: usize = 64;

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// Rendered as JSON.
    Nickel,
    /// A template.
    Jinja2,
}

/// A text to render.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Render {
    /// What it is written in.
    language: Language,
    /// The text.
    content: String,
    /// An object. Nickel sees it as `context`, Jinja2 sees its fields.
    #[serde(default)]
    context: serde_json::Map<String, Value>,
    /// What errors call the text.
    #[serde(default)]
    name: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rendered {
    /// The text that was made: of Nickel the value as JSON. Null when there is an error.
    rendered: Option<String>,
    /// What is wrong with the text: its place, and what to do.
    error: Option<String>,
    language: Language,
    /// How long it took, in milliseconds.
    execution_time_ms: u64,
}

/// A render that did not come to a result, and not because of its text.
pub(crate) enum Failed {
    /// Try again later.
    Busy(String),
    /// The text is longer than is taken.
    TooLarge(String),
    /// Something of this installation is not as it should be.
    Installation(String),
}

/// How many renders there were since the daemon started.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct RenderCounts {
    /// Texts in Nickel.
    pub(crate) nickel: u64,
    /// Templates.
    pub(crate) jinja2: u64,
    /// Of both, those with an error.
    pub(crate) failed: u64,
}

/// Renders texts and counts them.
pub(crate) struct Renders {
    evaluator: Result<Evaluator, String>,
    nickel: AtomicU64,
    jinja2: AtomicU64,
    failed: AtomicU64,
    templates: Semaphore,
    waiting: AtomicUsize,
}

impl Renders {
    pub(super) fn new(evaluator: Result<Evaluator, String>) -> Self {
        let (nickel, jinja2, failed, waiting) = Default::default();
        Self { evaluator, nickel, jinja2, failed, templates: Semaphore::new(AT_ONCE), waiting }
    }

    pub(super) fn evaluator(&self) -> &Result<Evaluator, String> {
        &self.evaluator
    }

    pub(crate) fn counts(&self) -> RenderCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RenderCounts { nickel: of(&self.nickel), jinja2: of(&self.jinja2), failed: of(&self.failed) }
    }

    /// Renders a text. What is wrong with the text itself is in the answer.
    pub(crate) async fn render(&self, text: Render) -> Result<Rendered, Failed> {
        let began = Instant::now();
        let language = text.language;
        let made = match language {
            Language::Nickel => self.nickel(text).await?,
            Language::Jinja2 => self.jinja2(text).await?,
        };
        let count = if language == Language::Nickel { &self.nickel } else { &self.jinja2 };
        count.fetch_add(1, Ordering::Relaxed);
        if made.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        let (rendered, error) = match made {
            Ok(text) => (Some(text), None),
            Err(why) => (None, Some(why)),
        };
        let execution_time_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Rendered { rendered, error, language, execution_time_ms })
    }

    async fn jinja2(&self, text: Render) -> Result<Result<String, String>, Failed> {
        let waiting = Waiting::begin(&self.waiting);
        if waiting.others >= MOST_WAITING {
            return Err(Failed::Busy(format!("{} templates already wait; try again later", waiting.others)));
        }
        // The semaphore is never closed.
        let _permit = self.templates.acquire().await.ok();
        let name = text.name.unwrap_or_else(|| NAME.to_owned());
        let task = template::Task { name, content: text.content, context: Value::Object(text.context) };
        template::render(&task).await.map_err(|why| Failed::Installation(format!("cannot render: {why}")))
    }

    /// The context is bound on a line of its own before the text, which places are corrected by.
    async fn nickel(&self, text: Render) -> Result<Result<String, String>, Failed> {
        let evaluator = self.evaluator.as_ref().map_err(|why| Failed::Installation(why.clone()))?;
        let name = text.name.unwrap_or_else(|| NAME.to_owned());
        let context = nickel::literal(&Value::Object(text.context));
        let whole = format!("let context = {context} in\n{}", text.content);
        let document = Document::text(name.clone(), Format::Nickel, whole);
        match evaluator.evaluate(&document).await {
            Ok(checked) => Ok(serde_json::to_string_pretty(&checked.value).map_err(|e| e.to_string())),
            Err(SchemaError::Wrong { diagnostics, .. }) => {
                let lines = diagnostics.into_iter().map(|wrong| corrected(wrong, &name).to_string());
                Ok(Err(lines.collect::<Vec<_>>().join("\n")))
            }
            Err(error @ (SchemaError::Deadline { .. } | SchemaError::Exploded { .. })) => {
                Ok(Err(error.to_string()))
            }
            Err(error @ SchemaError::Busy { .. }) => Err(Failed::Busy(error.to_string())),
            Err(error @ SchemaError::TooLarge { .. }) => Err(Failed::TooLarge(error.to_string())),
            Err(error) => Err(Failed::Installation(error.to_string())),
        }
    }
}

/// Places in the text as its sender counts lines.
fn corrected(mut wrong: Diagnostic, name: &str) -> Diagnostic {
    let correct = |place: &mut Option<Place>| {
        if let Some(place) = place.as_mut().filter(|place| place.file == name) {
            place.line = place.line.saturating_sub(1).max(1);
        }
    };
    correct(&mut wrong.place);
    correct(&mut wrong.contract);
    wrong
}

/// One that waits or runs, also when its caller goes away.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    others: usize,
}

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        Self { count, others: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
