//! What waits for one channel, and how it goes there.

use crate::describe::Note;
use crate::message::Lost;
use crate::post::Turn;
use crate::problem::{Failure, Kind, kind};
use drp_plugin_sdk::{Value, json, tracing};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What is older is not told any more.
const OLDEST: Duration = Duration::from_secs(3600);
/// First and longest pause after a failure that may pass by itself, and after one that somebody has to mend.
const PASSING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const LASTING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// A channel and its events. The webhook's channel has no name.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) channel: Option<String>,
    pub(crate) turn: Arc<tokio::sync::Mutex<Turn>>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<Arc<Note>>,
    /// Events that were taken and are on their way.
    flying: usize,
    lost: Lost,
    /// Messages posted, and those of them that were digests.
    sent: u64,
    digests: u64,
    /// Events dropped since the start.
    dropped: u64,
    trouble: Option<Failure>,
    failures: u32,
    not_before: Option<Instant>,
    /// What waits may have been posted already.
    again: bool,
    /// Slack refused the blocks: text only, once.
    bare: bool,
}

/// Events on their way.
pub(crate) struct Batch {
    pub(crate) notes: Vec<Arc<Note>>,
    pub(crate) lost: Lost,
    pub(crate) again: bool,
    pub(crate) bare: bool,
}

impl Lane {
    pub(crate) fn new(channel: Option<String>, turn: Arc<tokio::sync::Mutex<Turn>>) -> Self {
        Self { channel, turn, state: Mutex::default(), wake: Notify::new() }
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> &str {
        self.channel.as_deref().unwrap_or("the webhook's channel")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event, unless so many wait already.
    pub(crate) fn push(&self, note: Arc<Note>, most: usize) {
        let mut state = self.state();
        if state.pending.len() + state.flying >= most {
            drop(state);
            return self.drop_events("the queue was full", 1);
        }
        state.pending.push_back(note);
        drop(state);
        self.wake.notify_one();
    }

    /// Counts events that will not be told.
    pub(crate) fn drop_events(&self, why: &'static str, count: u64) {
        let mut state = self.state();
        let first = state.lost.dropped.is_empty();
        *state.lost.dropped.entry(why).or_default() += count;
        state.dropped += count;
        drop(state);
        if first {
            tracing::warn!("events for {} are being dropped: {why}", self.name());
        }
    }

    /// Counts a break of the event stream.
    pub(crate) fn gap(&self) {
        self.state().lost.gaps += 1;
    }

    /// Waits until there is something to post and the pause after a failure is over.
    pub(crate) async fn due(&self) {
        loop {
            let until = {
                let state = self.state();
                if state.pending.is_empty() { None } else { Some(state.not_before) }
            };
            match until {
                Some(Some(until)) if until > Instant::now() => tokio::time::sleep_until(until).await,
                Some(_) => return,
                None => self.wake.notified().await,
            }
        }
    }

    /// Takes what goes into the next message: one event, or all when more than `digest_after` wait.
    pub(crate) fn take(&self, digest_after: usize) -> Batch {
        let mut state = self.state();
        let count = if state.pending.len() > digest_after { state.pending.len() } else { 1 };
        let count = count.min(state.pending.len());
        state.flying = count;
        Batch {
            notes: state.pending.drain(..count).collect(),
            lost: std::mem::take(&mut state.lost),
            again: state.again,
            bare: state.bare,
        }
    }

    /// A message was posted.
    pub(crate) fn posted(&self, batch: &Batch) {
        let mut state = self.state();
        state.flying = 0;
        state.sent += 1;
        state.digests += u64::from(batch.notes.len() > 1);
        let mended = state.trouble.take();
        (state.failures, state.not_before, state.again, state.bare) = (0, None, false, false);
        drop(state);
        if mended.is_some_and(|failure| !matches!(failure, Failure::Limited(_))) {
            tracing::info!("{} takes messages again", self.name());
        }
        if !batch.lost.is_empty() {
            tracing::warn!(
                dropped = batch.lost.total(),
                "{}: {}",
                self.name(),
                batch.lost.words().join("; ")
            );
        }
    }

    /// A message was not posted: its events wait again, unless they cannot be posted at all.
    pub(crate) fn failed(&self, batch: Batch, failure: Failure) {
        let Batch { mut notes, lost, bare, .. } = batch;
        let mut dropped: Vec<(&'static str, usize)> = Vec::new();
        let mut state = self.state();
        state.flying = 0;
        let refused = matches!(&failure, Failure::Refused(error, _) if kind(error) == Kind::Message);
        if refused && bare {
            dropped.push(("Slack refused the message", notes.len()));
            notes.clear();
        }
        state.bare = refused && !bare;
        let before = notes.len();
        notes.retain(|note| note.since.elapsed() < OLDEST);
        if notes.len() < before {
            dropped.push(("they waited for more than an hour", before - notes.len()));
        }
        for note in notes.into_iter().rev() {
            state.pending.push_front(note);
        }
        for (why, count) in lost.dropped {
            *state.lost.dropped.entry(why).or_default() += count;
        }
        state.lost.gaps += lost.gaps;
        state.again |= failure.unclear();
        // A pause that Slack asks for is kept by the turn.
        if !matches!(failure, Failure::Limited(_)) && !refused {
            state.failures = state.failures.saturating_add(1);
            state.not_before = Some(Instant::now() + pause(&failure, state.failures));
        }
        let news = state.trouble.as_ref().map(ToString::to_string) != Some(failure.to_string());
        state.trouble = Some(failure.clone());
        drop(state);
        if news {
            tracing::warn!("{}: {failure}. What to do: {}", self.name(), failure.advice());
        }
        for (why, count) in dropped {
            self.drop_events(why, count as u64);
        }
    }

    /// How many events wait, those on their way too.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.state();
        state.pending.len() + state.flying
    }

    /// Events dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// For `slackstatus`.
    pub(crate) fn status(&self) -> Value {
        let state = self.state();
        json!({
            "channel": self.channel,
            "pending": state.pending.len() + state.flying,
            "sent": state.sent,
            "digests": state.digests,
            "dropped": state.dropped,
            "error": state.trouble.as_ref().map(ToString::to_string).unwrap_or_default(),
            "next": state.trouble.as_ref().map(Failure::advice).unwrap_or_default(),
        })
    }
}

/// Doubles with every failure, between half and the whole of it.
fn pause(failure: &Failure, failures: u32) -> Duration {
    let lasting = matches!(failure, Failure::Untrusted(..))
        || matches!(failure, Failure::Refused(error, _) if kind(error) != Kind::Busy);
    let (first, most) = if lasting { LASTING } else { PASSING };
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most);
    let mut byte = [0; 1];
    let _ = getrandom::fill(&mut byte);
    doubled / 2 + doubled / 2 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::{Lane, pause};
    use crate::describe::Note;
    use crate::problem::Failure;
    use std::time::{Duration, Instant};

    fn note(age: u64) -> Option<Note> {
        let text = || "x".to_owned();
        let since = Instant::now().checked_sub(Duration::from_secs(age))?;
        let (kind, subject, summary, time, principal) = (text(), text(), text(), text(), text());
        Some(Note { kind, subject, summary, fields: Vec::new(), time, principal, since })
    }

    fn lane(notes: usize) -> Lane {
        let lane = Lane::new(Some("#a".to_owned()), Default::default());
        for _ in 0..notes {
            lane.push(note(0).unwrap().into(), 100);
        }
        lane
    }

    #[test]
    fn few_go_one_by_one_and_many_together() {
        let few = lane(3);
        assert_eq!(few.take(3).notes.len(), 1);
        assert_eq!(lane(4).take(3).notes.len(), 4);
        assert_eq!(lane(0).take(3).notes.len(), 0);
    }

    #[test]
    fn what_failed_waits_in_order_and_losses_are_told_later() {
        let lane = lane(5);
        lane.drop_events("the queue was full", 7);
        lane.gap();
        let batch = lane.take(3);
        assert_eq!((batch.lost.total(), batch.lost.gaps), (7, 1));
        lane.push(note(0).unwrap().into(), 100);
        lane.failed(batch, Failure::Unclear("h".to_owned(), "w".to_owned()));
        let again = lane.take(3);
        assert_eq!((again.notes.len(), again.lost.total(), again.again), (6, 7, true));
        lane.posted(&again);
        assert_eq!((lane.take(3).lost.total(), lane.dropped()), (0, 7));
        assert_eq!(lane.status()["error"], "");
    }

    #[test]
    fn a_message_that_slack_refuses_is_tried_as_text_and_then_dropped() {
        let lane = lane(1);
        let refused = || Failure::Refused("invalid_blocks".to_owned(), String::new());
        let first = lane.take(3);
        assert!(!first.bare);
        lane.failed(first, refused());
        assert_eq!(lane.waiting(), 1);
        let second = lane.take(3);
        assert!(second.bare);
        lane.failed(second, refused());
        assert_eq!((lane.waiting(), lane.dropped(), lane.take(3).bare), (0, 1, false));
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_what_is_on_its_way_counts() {
        let lane = lane(5);
        let batch = lane.take(3);
        lane.push(note(0).unwrap().into(), 5);
        assert_eq!((batch.notes.len(), lane.waiting(), lane.dropped()), (5, 5, 1));
        lane.posted(&batch);
        lane.push(note(0).unwrap().into(), 5);
        assert_eq!((lane.waiting(), lane.dropped()), (1, 1));
    }

    #[test]
    fn what_waited_for_too_long_is_dropped() {
        // A clock that began less than an hour ago has no such moment.
        let Some(old) = note(4000) else { return };
        let lane = lane(0);
        lane.push(old.into(), 5);
        let batch = lane.take(3);
        lane.failed(batch, Failure::Unreachable("h".to_owned(), "w".to_owned()));
        assert_eq!((lane.waiting(), lane.dropped()), (0, 1));
    }

    #[test]
    fn pauses_grow_within_bounds() {
        let away = Failure::Unreachable("h".to_owned(), "w".to_owned());
        let channel = Failure::Refused("not_in_channel".to_owned(), String::new());
        for (failure, count, low, high) in [
            (&away, 1, 500, 1000),
            (&away, 99, 30_000, 60_000),
            (&channel, 1, 5000, 10_000),
            (&channel, 99, 150_000, 300_000),
        ] {
            let pause = pause(failure, count).as_millis();
            assert!((low..=high).contains(&pause), "{pause}");
        }
    }
}
