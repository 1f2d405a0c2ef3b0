//! Results by the content of everything they were made from.

use crate::{Answer, Document, Request};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

type Hash = [u8; 32];

/// Texts longer than this, in bytes, are not kept: the bound of entries would be none of memory.
const LONGEST_TEXT: usize = 64 << 10;

/// How well the cache does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CacheStatistics {
    /// Answers that were known.
    pub hits: u64,
    /// Answers that had to be made.
    pub misses: u64,
    /// Results kept.
    pub entries: usize,
}

struct Entry {
    answer: Answer,
    /// Content of each file when the answer was made.
    files: Vec<(PathBuf, Hash)>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Request, Entry>,
    oldest_first: VecDeque<Request>,
    hits: u64,
    misses: u64,
}

/// Results, at most so many; the oldest goes first.
pub(crate) struct Cache {
    most: usize,
    state: Mutex<State>,
}

fn content(path: &Path) -> Option<Hash> {
    std::fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}

impl Cache {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The answer to a request, when none of the files that it was made from has changed since. Reads those files.
    pub(crate) fn get(&self, request: &Request) -> Option<Answer> {
        let files = self.state().entries.get(request).map(|entry| entry.files.clone());
        let holds =
            files.is_some_and(|files| files.iter().all(|(path, hash)| content(path).as_ref() == Some(hash)));
        let mut state = self.state();
        let answer = state.entries.get(request).filter(|_| holds).map(|entry| entry.answer.clone());
        match answer {
            Some(_) => state.hits += 1,
            None => state.misses += 1,
        }
        answer
    }

    /// Keeps an answer that was asked for at `before`, unless a file changed since: it may be of the old content.
    pub(crate) fn put(&self, request: &Request, answer: &Answer, before: std::time::SystemTime) {
        if matches!(&request.document, Document::Text { text, .. } if text.len() > LONGEST_TEXT) {
            return;
        }
        let unchanged = |path: &Path| {
            path.metadata().and_then(|meta| meta.modified()).is_ok_and(|changed| changed < before)
        };
        let files: Option<Vec<_>> = answer
            .files
            .iter()
            .map(|path| Some((path.clone(), content(path).filter(|_| unchanged(path))?)))
            .collect();
        let Some(files) = files else { return };
        let mut state = self.state();
        if state.entries.insert(request.clone(), Entry { answer: answer.clone(), files }).is_none() {
            state.oldest_first.push_back(request.clone());
        }
        while state.entries.len() > self.most {
            let Some(oldest) = state.oldest_first.pop_front() else { break };
            state.entries.remove(&oldest);
        }
    }

    pub(crate) fn statistics(&self) -> CacheStatistics {
        let state = self.state();
        CacheStatistics { hits: state.hits, misses: state.misses, entries: state.entries.len() }
    }
}
