//! What a command left behind.

/// Exit status and output of one command, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// Its complaints, and progress.
    pub stderr: Vec<u8>,
}

impl Output {
    /// It ended with status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }
}

/// Both streams together may hold so many bytes.
pub const MAX_OUTPUT: usize = 4 << 20;
