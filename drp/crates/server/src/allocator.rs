//! The one system call about memory that the standard library has no words for.
#![allow(unsafe_code)]

/// Keeps glibc's allocator from holding on to memory that was freed.
///
/// Left alone, it raises its thresholds to the largest block it has seen freed. Hashing one password takes 16 MiB, so
/// after the first login every thread's arena would keep up to 32 MiB: 10,000 machines that arrived over 16 connections
/// left 221 MB resident, 59 MB with this. Setting a threshold ends the raising (mallopt(3)).
pub(crate) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two integers; there is one thread yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 10);
    }
}
