//! The sender: one bounded queue over all channels, a task for each that posts at Slack's pace.
//!
//! Events are told **at least once**: when the answer of Slack is lost they are posted again, with a remark. What somebody
//! posts by an action is posted **at most once**, and the caller is told when it is not known whether it was.

use crate::api::Api;
use crate::describe::Note;
use crate::lane::Lane;
use crate::message;
use crate::post::{SLACKS_PACE, Turn, Turns};
use crate::problem::Failure;
use crate::settings::Settings;
use drp_plugin_sdk::{CancellationToken, Value, json, tracing};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::task::JoinSet;

/// Events that may wait, all channels together, in equal shares so that a channel that takes nothing starves no other. What comes
/// beyond is dropped and counted: what came first is told, since it is nearer to the cause.
const QUEUE: usize = 1000;
/// The smallest share.
const SHARE: usize = 100;
/// How long the end may take: the daemon allows 10 s.
const GRACE: Duration = Duration::from_secs(6);
/// Longest pause of Slack's that the end waits for.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// How long an action waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends what is told. Dropped without [`Sender::close`] it sends nothing more.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

struct Shared {
    api: Api,
    lanes: Vec<Arc<Lane>>,
    turns: Arc<Turns>,
    /// Events that may wait for one channel.
    share: usize,
    pace: Duration,
    digest_after: usize,
    closing: CancellationToken,
}

impl Sender {
    /// Starts the tasks. Must be called inside a runtime.
    pub(crate) fn start(
        api: Api,
        channels: Vec<Option<String>>,
        settings: &Settings,
        turns: &Arc<Turns>,
    ) -> Self {
        let lane = |channel: Option<String>| {
            let turn = turns.of(channel.as_deref());
            Arc::new(Lane::new(channel, turn))
        };
        let count = channels.len();
        let shared = Arc::new(Shared {
            api,
            lanes: channels.into_iter().map(lane).collect(),
            turns: turns.clone(),
            share: (QUEUE / count.max(1)).max(SHARE),
            pace: settings.pace,
            digest_after: settings.digest_after,
            closing: CancellationToken::new(),
        });
        let mut tasks = JoinSet::new();
        for lane in &shared.lanes {
            tasks.spawn(shared.clone().run(lane.clone()));
        }
        Self { shared, tasks: tokio::sync::Mutex::new(tasks) }
    }

    pub(crate) fn api(&self) -> &Api {
        &self.shared.api
    }

    /// Queues an event for all channels. Never waits.
    pub(crate) fn tell(&self, note: &Arc<Note>) {
        for lane in &self.shared.lanes {
            if self.shared.closing.is_cancelled() {
                lane.drop_events("the plugin was stopping", 1);
            } else {
                lane.push(note.clone(), self.shared.share);
            }
        }
    }

    /// Notes a break of the event stream; it is told with the next message.
    pub(crate) fn gap(&self) {
        self.shared.lanes.iter().for_each(|lane| lane.gap());
    }

    /// The channels it tells events to.
    pub(crate) fn channels(&self) -> impl Iterator<Item = Option<&str>> {
        self.shared.lanes.iter().map(|lane| lane.channel.as_deref())
    }

    /// Posts at once, in its turn, once. Gives the time stamp that names the message.
    pub(crate) async fn say(&self, channel: Option<&str>, message: &Value) -> Result<String, Failure> {
        let turn = self.shared.turns.of(channel);
        let Ok(mut turn) = tokio::time::timeout(PATIENCE, turn.lock()).await else {
            return Err(Failure::Limited(PATIENCE));
        };
        let wait = turn.wait(SLACKS_PACE);
        if wait > PATIENCE {
            return Err(Failure::Limited(wait));
        }
        tokio::time::sleep(wait).await;
        turn.post(&self.shared.api, channel, message).await
    }

    /// Posts what waits, within the grace that the daemon allows, and ends the tasks.
    pub(crate) async fn close(&self) {
        self.shared.closing.cancel();
        let mut tasks = self.tasks.lock().await;
        let all = async { while tasks.join_next().await.is_some() {} };
        let late = tokio::time::timeout(GRACE, all).await.is_err();
        tasks.abort_all();
        let left = self.shared.waiting();
        if left > 0 || late {
            tracing::warn!(events = left, "{left} events were not told before the end");
        }
    }

    /// For `slackstatus`.
    pub(crate) fn status(&self) -> Value {
        let lanes = &self.shared.lanes;
        json!({
            "channels": lanes.iter().map(|lane| lane.status()).collect::<Vec<_>>(),
            "queue": {"waiting": self.shared.waiting(), "limit": self.shared.share * lanes.len()},
            "dropped": lanes.iter().map(|lane| lane.dropped()).sum::<u64>(),
        })
    }
}

impl Shared {
    async fn run(self: Arc<Self>, lane: Arc<Lane>) {
        // The waits are broken off by the end, a message on its way is not.
        while let Some(mut turn) = self.closing.run_until_cancelled(self.turn(&lane)).await {
            self.one(&lane, &mut turn, self.digest_after).await;
        }
        if lane.waiting() == 0 {
            return;
        }
        let mut turn = lane.turn.lock().await;
        let wait = turn.wait(SLACKS_PACE);
        if wait <= LAST_WAIT {
            tokio::time::sleep(wait).await;
            self.one(&lane, &mut turn, 0).await;
        }
    }

    /// Waits for something to post and for the turn.
    async fn turn<'a>(&self, lane: &'a Lane) -> MutexGuard<'a, Turn> {
        lane.due().await;
        let turn = lane.turn.lock().await;
        tokio::time::sleep(turn.wait(self.pace)).await;
        turn
    }

    /// Posts one message of what waits.
    async fn one(&self, lane: &Lane, turn: &mut Turn, digest_after: usize) {
        let batch = lane.take(digest_after);
        if batch.notes.is_empty() {
            return;
        }
        let message = match batch.bare {
            true => message::bare(&batch.notes),
            false => message::about(&batch.notes, &batch.lost, batch.again),
        };
        match turn.post(&self.api, lane.channel.as_deref(), &message).await {
            Ok(_) => lane.posted(&batch),
            Err(failure) => lane.failed(batch, failure),
        }
    }

    fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting()).sum()
    }
}
