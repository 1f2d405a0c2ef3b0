//! One BMC, one protocol: a serial queue with a bound, a rest between commands, and the session that is kept.

use crate::breaker::Breaker;
use crate::limits::Limits;
use crate::target::Fingerprint;
use crate::{BmcError, Class, Clock, Command, Driver, Kind, Reply, Session, Target};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A command that is silent this long no longer counts towards the limits: a dead BMC must not hold up live ones.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// Longest wait for a session to close.
const CLOSE: Duration = Duration::from_secs(2);

/// What a lane borrows from its fleet.
pub(crate) struct Shared<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) limits: &'a Limits,
    pub(crate) breaker: &'a Breaker,
    pub(crate) kept: &'a AtomicUsize,
    pub(crate) most_kept: usize,
    pub(crate) queue: usize,
    pub(crate) queue_wait: Duration,
}

/// A command and for whom.
pub(crate) struct Request<'a> {
    pub(crate) driver: &'a dyn Driver,
    pub(crate) target: &'a Target,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) command: Command,
    pub(crate) cancel: &'a CancellationToken,
}

/// An answer and what it took.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// What opening the session was refused first.
    pub(crate) refused_first: Vec<String>,
}

pub(crate) struct Failure {
    pub(crate) error: BmcError,
    /// It happened on a session that had been kept from before, which the BMC may have dropped meanwhile.
    pub(crate) on_kept_session: bool,
}

pub(crate) struct Lane {
    /// `host:port`.
    pub(crate) bmc: String,
    waiting: AtomicUsize,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    last_end: Option<Duration>,
}

struct Kept {
    session: Box<dyn Session>,
    fingerprint: u64,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Lane {
    pub(crate) fn new(bmc: String) -> Self {
        Self { bmc, waiting: AtomicUsize::new(0), state: tokio::sync::Mutex::default() }
    }

    /// Waits for its turn, opens a session when none is kept, sends the command.
    pub(crate) async fn execute(
        &self,
        shared: &Shared<'_>,
        request: &Request<'_>,
    ) -> Result<Answer, Failure> {
        let waiting = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&self.waiting);
        let fail = |error| Failure { error, on_kept_session: false };
        if waiting >= shared.queue {
            let what = format!("{waiting} commands are waiting for this BMC already");
            return Err(fail(BmcError::new(Kind::QueueFull, &self.bmc, what)));
        }
        self.admit(shared, request).map_err(fail)?;
        let mut state = tokio::select! {
            state = self.state.lock() => state,
            () = request.cancel.cancelled() => return Err(fail(self.cancelled())),
            () = tokio::time::sleep(shared.queue_wait) => {
                let what = format!("no turn within {} s", shared.queue_wait.as_secs());
                return Err(fail(BmcError::new(Kind::QueueFull, &self.bmc, what)));
            }
        };
        // Asked again: whoever had the turn before may have tried the same credentials.
        self.admit(shared, request).map_err(fail)?;
        let gap = state
            .last_end
            .map_or(Duration::ZERO, |end| (end + request.target.min_gap).saturating_sub(shared.clock.now()));
        tokio::select! {
            () = shared.clock.sleep(gap), if !gap.is_zero() => {}
            () = request.cancel.cancelled() => return Err(fail(self.cancelled())),
            () = std::future::ready(()), if gap.is_zero() => {}
        }
        if state.kept.as_ref().is_some_and(|kept| kept.fingerprint != request.fingerprint.session) {
            close(&mut state, shared).await;
        }
        let on_kept_session = state.kept.is_some();
        let result = self.talk(&mut state, shared, request).await;
        state.last_end = Some(shared.clock.now());
        if let Err(error) = &result {
            if !error.leaves_session() {
                close(&mut state, shared).await;
            }
            if error.kind == Kind::Credentials {
                shared.breaker.trip(&self.bmc, request.fingerprint.credentials);
            }
        }
        if shared.kept.load(Ordering::Acquire) > shared.most_kept {
            close(&mut state, shared).await;
        }
        result.map_err(|error| Failure { error, on_kept_session })
    }

    async fn talk(
        &self,
        state: &mut State,
        shared: &Shared<'_>,
        request: &Request<'_>,
    ) -> Result<Answer, BmcError> {
        let sent = AtomicBool::new(false);
        let changes = request.command.class() != Class::Read;
        let work = async {
            let mut refused_first = Vec::new();
            let session = match &mut state.kept {
                Some(kept) => &mut kept.session,
                none => {
                    if request.cancel.is_cancelled() {
                        return Err(self.cancelled());
                    }
                    let opened = request.driver.open(request.target).await?;
                    refused_first = opened.refused_first;
                    shared.kept.fetch_add(1, Ordering::AcqRel);
                    &mut none
                        .insert(Kept { session: opened.session, fingerprint: request.fingerprint.session })
                        .session
                }
            };
            if request.cancel.is_cancelled() {
                return Err(self.cancelled());
            }
            sent.store(true, Ordering::Release);
            let reply = session.execute(request.command.clone()).await?;
            Ok(Answer { reply, refused_first })
        };
        // The drivers keep the deadlines; this one catches a driver that does not.
        let ceiling = request.target.timeout * 4 + Duration::from_secs(10);
        let bounded = async {
            let permit = shared.limits.acquire(&request.target.subnet()).await;
            let permit =
                permit.map_err(|_| BmcError::new(Kind::Cancelled, &self.bmc, "the plugin is stopping"))?;
            let mut work = std::pin::pin!(tokio::time::timeout(ceiling, work));
            let early = tokio::select! {
                done = &mut work => Some(done),
                () = tokio::time::sleep(SILENT_AFTER) => None,
            };
            drop(permit);
            let done = match early {
                Some(done) => done,
                None => work.await,
            };
            done.unwrap_or_else(|_| {
                let what = format!("{} took longer than {} s", request.command, ceiling.as_secs());
                Err(BmcError::new(Kind::Silent, &self.bmc, what))
            })
        };
        let mut bounded = std::pin::pin!(bounded);
        let result = tokio::select! {
            result = &mut bounded => result,
            () = request.cancel.cancelled() => {
                // A session that is just being opened would stay open at the BMC when nobody waits for it.
                if !sent.load(Ordering::Acquire) {
                    let _late = tokio::time::timeout(CLOSE, &mut bounded).await;
                }
                Err(self.cancelled())
            }
        };
        let sent = sent.load(Ordering::Acquire);
        // Whatever went wrong after the command had left, except a clear no, leaves it open whether it was done.
        result.map_err(|error| {
            let refused = error.leaves_session() || error.kind == Kind::Credentials;
            if sent && changes && !refused && !error.not_sent { error.maybe_done() } else { error }
        })
    }

    fn admit(&self, shared: &Shared<'_>, request: &Request<'_>) -> Result<(), BmcError> {
        if shared.breaker.is_open(&self.bmc, request.fingerprint.credentials) {
            let user = &request.target.username;
            let what = format!(
                "the credentials of user {user:?} were refused by this BMC before and were not tried again"
            );
            return Err(BmcError::new(Kind::Locked, &self.bmc, what));
        }
        Ok(())
    }

    fn cancelled(&self) -> BmcError {
        BmcError::new(Kind::Cancelled, &self.bmc, "cancelled before it was done")
    }

    /// Closes the kept session when it has been idle for so long. Answers whether the lane is of no more use.
    pub(crate) async fn sweep(&self, shared: &Shared<'_>, now: Duration, idle: Duration) -> bool {
        let Ok(mut state) = self.state.try_lock() else { return false };
        let idle_for = state.last_end.map_or(Duration::MAX, |end| now.saturating_sub(end));
        if idle_for >= idle {
            close(&mut state, shared).await;
        }
        state.kept.is_none() && idle_for >= idle && self.waiting.load(Ordering::Acquire) == 0
    }

    /// Closes the kept session as soon as the command under way is over.
    pub(crate) async fn close(&self, shared: &Shared<'_>) {
        close(&mut *self.state.lock().await, shared).await;
    }
}

async fn close(state: &mut State, shared: &Shared<'_>) {
    if let Some(kept) = state.kept.take() {
        shared.kept.fetch_sub(1, Ordering::AcqRel);
        let _late = tokio::time::timeout(CLOSE, kept.session.close()).await;
    }
}
