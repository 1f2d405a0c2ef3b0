//! The one thread that starts processes.
//!
//! `PR_SET_PDEATHSIG` follows the thread that forked, not the process: a child started from a pool thread
//! is killed when that thread idles out. So one thread starts all of them and lives as long as the process.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

static THREAD: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);
static CHILDREN: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

/// Process ids of the children that were started here and not reaped yet. While the guard is held no
/// process is started, so whatever else is a child of this process was handed to it by the kernel.
pub(crate) struct Children(MutexGuard<'static, Option<HashSet<u32>>>);

impl Children {
    pub(crate) fn lock() -> Self {
        Self(CHILDREN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn contains(&self, pid: u32) -> bool {
        self.0.as_ref().is_some_and(|set| set.contains(&pid))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(HashSet::is_empty)
    }

    fn insert(&mut self, pid: u32) {
        self.0.get_or_insert_default().insert(pid);
    }

    /// Forgets a child that was reaped.
    pub(crate) fn forget(pid: u32) {
        if let Some(set) = Self::lock().0.as_mut() {
            set.remove(&pid);
        }
    }
}

/// Starts a command on the spawning thread, within the caller's runtime.
pub(crate) async fn spawn(mut command: Command) -> io::Result<Child> {
    let (answer, result) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    send(Box::new(move || {
        let _inside = runtime.enter();
        let mut children = Children::lock();
        let child = start(&mut command);
        if let Some(pid) = child.as_ref().ok().and_then(Child::id) {
            children.insert(pid);
        }
        drop(children);
        if let Err(Ok(orphan)) = answer.send(child) {
            // Nobody waits any more; dropping it kills it.
            if let Some(pid) = orphan.id() {
                Children::forget(pid);
            }
        }
    }))?;
    result.await.map_err(|_| io::Error::other("the spawning thread is gone"))?
}

/// A file that was just written can be busy for a moment, while a process that another part of this
/// program forked has not closed its copy of the descriptor.
fn start(command: &mut Command) -> io::Result<Child> {
    for _ in 0..50 {
        match command.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
    command.spawn()
}

fn send(mut job: Job) -> io::Result<()> {
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = thread.as_ref() {
        match sender.send(job) {
            Ok(()) => return Ok(()),
            Err(mpsc::SendError(back)) => job = back,
        }
    }
    let (sender, jobs) = mpsc::channel::<Job>();
    std::thread::Builder::new().name("drp-spawner".to_owned()).spawn(move || {
        for job in jobs {
            job();
        }
    })?;
    let sent = sender.send(job).map_err(|_| io::Error::other("the spawning thread is gone"));
    *thread = Some(sender);
    sent
}
