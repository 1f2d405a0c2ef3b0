//! The evaluator: workers, deadlines and the cache of results.

use crate::cache::Cache;
use crate::worker::{Lost, Worker};
use crate::{
    Answer, Ask, CacheStatistics, Checked, Document, Field, Outcome, Request, SchemaError, Settings,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Evaluates and checks documents. Clones share workers and cache.
#[derive(Clone)]
pub struct Evaluator {
    inner: Arc<Inner>,
    /// Instead of those of the settings.
    roots: Option<Vec<PathBuf>>,
}

struct Inner {
    settings: Settings,
    idle: Mutex<Vec<Worker>>,
    permits: Semaphore,
    waiting: AtomicUsize,
    cache: Cache,
}

impl Evaluator {
    /// No worker is started before there is something to do.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let inner = Inner {
            idle: Mutex::default(),
            permits: Semaphore::new(settings.workers.max(1)),
            waiting: AtomicUsize::new(0),
            cache: Cache::new(settings.cached_results),
            settings,
        };
        Self { inner: Arc::new(inner), roots: None }
    }

    /// The same evaluator for documents that may import files of these folders only (beside those of the import path).
    #[must_use]
    pub fn within(&self, roots: Vec<PathBuf>) -> Self {
        Self { inner: Arc::clone(&self.inner), roots: Some(roots) }
    }

    /// How it evaluates.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Evaluates a document whole.
    ///
    /// # Errors
    /// [`SchemaError`]: the document is wrong, takes too long or too much, or no worker can be had.
    pub async fn evaluate(&self, document: &Document) -> Result<Checked, SchemaError> {
        self.value(document, None, None).await
    }

    /// Evaluates one field of a document, `a.b.c`.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub async fn evaluate_field(&self, document: &Document, field: &str) -> Result<Checked, SchemaError> {
        self.value(document, None, Some(field)).await
    }

    /// Checks a document against a contract, which is a Nickel expression such as
    /// `(import "drp/server.ncl").ServerConfig`. The value has the contract's defaults filled in.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub async fn check(&self, document: &Document, contract: &str) -> Result<Checked, SchemaError> {
        self.value(document, Some(contract), None).await
    }

    /// Parses a document and checks its types.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub async fn typecheck(&self, document: &Document) -> Result<(), SchemaError> {
        self.answer(Ask::Typecheck, document).await.map(|_| ())
    }

    /// The fields of the contracts (or the record) that a document evaluates to.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub async fn describe(&self, document: &Document) -> Result<Vec<Field>, SchemaError> {
        match self.answer(Ask::Describe, document).await?.0.outcome {
            Outcome::Fields(fields) => Ok(fields),
            _ => Ok(Vec::new()),
        }
    }

    /// How well the cache of results does.
    #[must_use]
    pub fn cache_statistics(&self) -> CacheStatistics {
        self.inner.cache.statistics()
    }

    async fn value(
        &self,
        document: &Document,
        contract: Option<&str>,
        field: Option<&str>,
    ) -> Result<Checked, SchemaError> {
        let ask = Ask::Evaluate { contract: contract.map(Into::into), field: field.map(Into::into) };
        let (answer, cached) = self.answer(ask, document).await?;
        let value = match answer.outcome {
            Outcome::Value(value) => value,
            _ => serde_json::Value::Null,
        };
        Ok(Checked { value, files: answer.files, cached })
    }

    async fn answer(&self, ask: Ask, document: &Document) -> Result<(Answer, bool), SchemaError> {
        let inner = &*self.inner;
        inner.fits(document)?;
        let request = Request {
            ask,
            document: document.clone(),
            import_paths: inner.settings.import_paths.clone(),
            roots: self.roots.clone().or_else(|| inner.settings.roots.clone()),
        };
        let (answer, cached) = match inner.cache.get(&request) {
            Some(answer) => (answer, true),
            None => (inner.ask(&request).await?, false),
        };
        match answer.outcome {
            Outcome::Wrong(diagnostics) => {
                Err(SchemaError::Wrong { document: document.to_string(), diagnostics })
            }
            _ => Ok((answer, cached)),
        }
    }
}

impl Inner {
    fn fits(&self, document: &Document) -> Result<(), SchemaError> {
        let size = match document {
            Document::Text { text, .. } => text.len(),
            Document::File { path, .. } => {
                path.metadata().map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(usize::MAX))
            }
        };
        let limit = self.settings.document_bytes;
        if size > limit {
            return Err(SchemaError::TooLarge { document: document.to_string(), size, limit });
        }
        Ok(())
    }

    async fn ask(&self, request: &Request) -> Result<Answer, SchemaError> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let here = Here(&self.waiting);
        if waiting >= self.settings.waiting + self.settings.workers {
            return Err(SchemaError::Busy { waiting });
        }
        // The semaphore is never closed; were it, the work would still be bounded by who waits.
        let _permit = self.permits.acquire().await.ok();
        let idle = self.idle().pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::start(&self.settings)?,
        };
        let before = SystemTime::now();
        let document = request.document.to_string();
        let answer = match timeout(self.settings.deadline, worker.ask(request)).await {
            Ok(Ok(answer)) => answer,
            // Dropping the worker kills it.
            Err(_) => return Err(SchemaError::Deadline { document, limit: self.settings.deadline }),
            Ok(Err(Lost::Ended(status))) => {
                return Err(SchemaError::Exploded { document, status, memory: self.settings.memory });
            }
            Ok(Err(Lost::Garbled(source))) => {
                let path = self.settings.worker.clone();
                return Err(SchemaError::Worker { what: "understand", path, source });
            }
        };
        if worker.documents() < self.settings.documents_per_worker {
            self.idle().push(worker);
        }
        drop(here);
        self.cache.put(request, &answer, before);
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one request that waits or runs, also when its caller goes away.
struct Here<'a>(&'a AtomicUsize);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
