//! All BMCs: finds the lane, keeps the bounds, runs the verbs, closes what is idle.

use crate::breaker::Breaker;
use crate::job::Job;
use crate::lane::{Lane, Shared};
use crate::limits::Limits;
use crate::{BmcError, Clock, Driver, Kind, Outcome, Power, SystemClock, Target, Verb, VerbOptions, flow};
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The bounds of a [`Fleet`].
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Verbs in progress at the same time, running or waiting.
    pub jobs: usize,
    /// Commands under way at the same time.
    pub global: usize,
    /// Commands under way at the same time to one subnet (/24, /64).
    pub per_subnet: usize,
    /// Commands waiting for one BMC.
    pub queue: usize,
    /// Longest wait for a turn at one BMC.
    pub queue_wait: Duration,
    /// A session that was not used for so long is closed. BMCs drop idle ones after 60 s (IPMI 2.0 §6.12.15).
    pub idle: Duration,
    /// BMCs known at the same time.
    pub lanes: usize,
    /// Sessions kept at the same time; each is an open socket. Beyond it, sessions close after each command.
    pub kept: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 4096,
            global: 256,
            per_subnet: 64,
            queue: 32,
            queue_wait: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            lanes: 65_536,
            kept: 2_048,
        }
    }
}

/// Every BMC this process talks to. Cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) breaker: Breaker,
    /// Sessions kept by all lanes.
    kept: AtomicUsize,
    settings: Settings,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    /// The power change in progress, by host.
    changing: Mutex<HashMap<String, Verb>>,
    jobs: Arc<Semaphore>,
    key: RandomState,
    stop: CancellationToken,
    tasks: TaskTracker,
    sweeping: AtomicBool,
}

impl Inner {
    pub(crate) fn shared(&self) -> Shared<'_> {
        Shared {
            clock: &*self.clock,
            limits: &self.limits,
            breaker: &self.breaker,
            kept: &self.kept,
            most_kept: self.settings.kept,
            queue: self.settings.queue,
            queue_wait: self.settings.queue_wait,
        }
    }
}

/// Marks a host as being changed while it lives.
struct Changing {
    inner: Arc<Inner>,
    host: String,
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.host);
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new(Settings::default(), Arc::new(SystemClock::start()))
    }
}

impl Fleet {
    /// A fleet with no BMC yet.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            clock,
            limits: Limits::new(settings.global, settings.per_subnet),
            breaker: Breaker::default(),
            kept: AtomicUsize::new(0),
            lanes: Mutex::default(),
            changing: Mutex::default(),
            jobs: Arc::new(Semaphore::new(settings.jobs)),
            key: RandomState::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sweeping: AtomicBool::new(false),
            settings,
        }))
    }

    /// Runs a verb. A verb that only reads ends when the returned future is dropped; one that changes something
    /// runs to its end even then.
    ///
    /// # Errors
    /// Any [`BmcError`]; `Conflict` when another power change of the same host is in progress.
    pub async fn run(
        &self,
        driver: Arc<dyn Driver>,
        target: Target,
        verb: Verb,
        options: VerbOptions,
    ) -> Result<Outcome, BmcError> {
        let inner = Arc::clone(&self.0);
        let bmc = target.endpoint(driver.default_port());
        let jobs = Arc::clone(&inner.jobs).try_acquire_owned().map_err(|_| {
            BmcError::new(Kind::QueueFull, &bmc, format!("{} verbs are in progress", inner.settings.jobs))
        })?;
        if inner.stop.is_cancelled() {
            return Err(BmcError::new(Kind::Cancelled, &bmc, "the plugin is stopping"));
        }
        let changing =
            if verb.changes_power() { Some(self.begin_change(&*driver, &target, verb, &bmc)?) } else { None };
        let lane = self.lane(&driver, &target, &bmc)?;
        self.start_sweeping();
        let cancel = inner.stop.child_token();
        let started = inner.clock.now();
        let mut job = Job {
            fingerprint: target.fingerprint(&inner.key),
            inner: Arc::clone(&inner),
            lane,
            driver,
            target,
            verb,
            options,
            cancel: cancel.clone(),
            started,
            attempts: Vec::new(),
            step: started,
            power: Power::Unknown,
            changed: false,
        };
        let task = inner.tasks.spawn(async move {
            let result = flow::run(&mut job).await;
            drop((changing, jobs));
            result
        });
        let _cancelled_with_the_caller = verb.only_reads().then(|| cancel.drop_guard());
        task.await.unwrap_or_else(|error| {
            Err(BmcError::new(Kind::Internal, bmc, format!("{} ended abnormally: {error}", verb.name())))
        })
    }

    fn begin_change(
        &self,
        driver: &dyn Driver,
        target: &Target,
        verb: Verb,
        bmc: &str,
    ) -> Result<Changing, BmcError> {
        let host = format!("{bmc} {}", driver.unit(target).unwrap_or_default());
        let mut changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = changing.get(&host) {
            let what = format!("{} of {} is in progress", other.name(), target.shown(driver.default_port()));
            return Err(BmcError::new(Kind::Conflict, bmc, what));
        }
        changing.insert(host.clone(), verb);
        Ok(Changing { inner: Arc::clone(&self.0), host })
    }

    fn lane(&self, driver: &Arc<dyn Driver>, target: &Target, bmc: &str) -> Result<Arc<Lane>, BmcError> {
        let key = format!("{} {bmc} {}", driver.name(), driver.unit(target).unwrap_or_default());
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= self.0.settings.lanes && !lanes.contains_key(&key) {
            let what = format!("{} BMCs are known already", lanes.len());
            return Err(BmcError::new(Kind::QueueFull, bmc, what));
        }
        Ok(Arc::clone(lanes.entry(key).or_insert_with(|| Arc::new(Lane::new(bmc.to_owned())))))
    }

    /// Forgets that this BMC refused credentials. Answers whether it had.
    #[must_use]
    pub fn unlock(&self, driver: &dyn Driver, target: &Target) -> bool {
        self.0.breaker.reset(&target.endpoint(driver.default_port()))
    }

    /// Closes idle sessions and forgets BMCs nobody asked for lately.
    pub async fn sweep(&self) {
        sweep(&self.0).await;
    }

    fn start_sweeping(&self) {
        if self.0.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak: Weak<Inner> = Arc::downgrade(&self.0);
        let stop = self.0.stop.clone();
        let every = (self.0.settings.idle / 4).max(Duration::from_millis(100));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(every) => {}
                    () = stop.cancelled() => return,
                }
                let Some(inner) = weak.upgrade() else { return };
                sweep(&inner).await;
            }
        });
    }

    /// Cancels what is in progress, then closes every session. Verbs that come later are refused.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        let lanes: Vec<_> = {
            let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.drain().map(|(_, lane)| lane).collect()
        };
        let closing = TaskTracker::new();
        for lane in lanes {
            let inner = Arc::clone(&self.0);
            closing.spawn(async move { lane.close(&inner.shared()).await });
        }
        closing.close();
        closing.wait().await;
    }
}

async fn sweep(inner: &Inner) {
    let lanes: Vec<_> = {
        let lanes = inner.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.iter().map(|(key, lane)| (key.clone(), Arc::clone(lane))).collect()
    };
    let now = inner.clock.now();
    for (key, lane) in lanes {
        if lane.sweep(&inner.shared(), now, inner.settings.idle).await {
            let mut lanes = inner.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            // Two owners: the map and this loop. A third one is about to use it.
            if Arc::strong_count(&lane) <= 2 {
                lanes.remove(&key);
            }
        }
    }
    inner.limits.sweep();
}
