//! What is known about the request that the current task serves.

use drp_protocol::Level;
use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    panic::AssertUnwindSafe,
    sync::Arc,
    sync::atomic::{AtomicI64, Ordering},
};

/// The request that log lines belong to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Id of the request: the group of its log lines.
    pub(crate) id: i64,
    /// `X-Log-Request`: log from here on, for this request.
    pub(crate) level: Option<Level>,
    /// `X-Request-Id`: names the API request behind this one, in log lines too.
    pub(crate) request: Option<Arc<str>>,
    /// Lines must not become events.
    pub(crate) ignore_publish: bool,
}

tokio::task_local! {
    static SCOPE: Scope;
}

thread_local! {
    /// Text and place of the latest panic on this thread.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

impl Scope {
    /// A scope with a fresh id.
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicI64 = AtomicI64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), ..Self::default() }
    }

    /// The scope of the current task, or an empty one.
    pub(crate) fn current() -> Self {
        SCOPE.try_with(Self::clone).unwrap_or_default()
    }

    /// Whether the request asked for lines of that level.
    pub(crate) fn asked_for(level: Level) -> bool {
        SCOPE.try_with(|scope| scope.level.is_some_and(|asked| level >= asked)).unwrap_or_default()
    }

    /// Runs a hook to its end in a task of its own, so that neither a caller that hangs up nor a panic stops
    /// anything else.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        hook: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Panicked> {
        let guarded = async move {
            futures_util::FutureExt::catch_unwind(AssertUnwindSafe(hook)).await.map_err(caught)
        };
        let id = self.id;
        match tokio::spawn(SCOPE.scope(self, guarded)).await {
            Ok(outcome) => outcome.map_err(|what| Panicked { what, id }),
            Err(_) => Err(Panicked { what: "the runtime is shutting down".to_owned(), id }),
        }
    }

    /// Runs something in this scope without a task of its own.
    pub(crate) async fn within<T>(self, work: impl Future<Output = T>) -> T {
        SCOPE.scope(self, work).await
    }
}

/// A hook panicked.
#[derive(Debug)]
pub(crate) struct Panicked {
    /// The text and the place in the source.
    pub(crate) what: String,
    /// Id of the request.
    pub(crate) id: i64,
}

impl Panicked {
    /// The error that is answered (wire-protocol §1.6).
    pub(crate) fn error(&self, method: &str, path: &str) -> drp_protocol::Error {
        drp_protocol::Error::new(500, method, format!("Panic recovered: {}", self.what))
            .and(format!("Request: {}", self.id))
            .and("Stack trace: in the log of the plugin")
            .on("", path)
    }
}

/// Keeps the text and place of panics for the answer, and logs them with a backtrace.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let text = payload_text(info.payload());
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PANIC.with(|p| *p.borrow_mut() = Some(format!("{text} at {place}")));
        let backtrace = std::backtrace::Backtrace::force_capture().to_string();
        tracing::error!(place, backtrace, "panic: {text}");
    }));
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

// The unwind was caught by the poll that panicked, so the hook's note is on this thread.
fn caught(payload: Box<dyn Any + Send>) -> String {
    PANIC.with(|p| p.borrow_mut().take()).unwrap_or_else(|| payload_text(payload.as_ref()).to_owned())
}
