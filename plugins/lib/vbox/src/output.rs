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

/// Both streams together may hold so many bytes. A list of 10,000 machines has 700 kB.
pub(crate) const MAX_OUTPUT: usize = 4 << 20;
