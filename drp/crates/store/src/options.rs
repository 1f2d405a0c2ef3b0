//! How a store is opened.

/// How a store is opened. The defaults suit the daemon.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most batches waiting for the writer; further ones fail with [`Busy`](crate::StoreError::Busy). Default 8,192.
    pub queue_batches: usize,
    /// Most bytes waiting for the writer. One batch is always taken, whatever its size. Default 256 MiB.
    pub queue_bytes: usize,
    /// Most batches in one transaction. Default 1,024.
    pub group_batches: usize,
    /// Most connections that read at the same time; further readers wait. Default 4.
    pub readers: usize,
    /// Largest database in bytes; writing beyond it fails with [`DiskFull`](crate::StoreError::DiskFull) while
    /// everything else goes on. Default: whatever the disk holds.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            queue_batches: 8192,
            queue_bytes: 256 << 20,
            group_batches: 1024,
            readers: 4,
            max_bytes: None,
        }
    }
}
