//! A command that runs as long as it is held.

use crate::told::told;
use crate::{Kind, Run, Ssh, SshError};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long the command may take to end once its input has.
const END: Duration = Duration::from_secs(2);

/// A running command whose standard input is open. Released, dropped, or when the connection breaks, its input ends.
pub struct Held(Option<Channel>);

struct Channel {
    to: ChannelWriteHalf<client::Msg>,
    from: ChannelReadHalf,
}

impl Channel {
    async fn end(mut self) {
        let _ = self.to.eof().await;
        // A bound, since the other side may be gone.
        let _ = timeout(END, async { while self.from.wait().await.is_some() {} }).await;
        let _ = self.to.close().await;
    }
}

impl Held {
    /// Ends it and waits, with a bound, until it has ended.
    pub async fn release(mut self) {
        if let Some(channel) = self.0.take() {
            channel.end().await;
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (Some(channel), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(channel.end());
        }
    }
}

impl Ssh {
    /// Starts a command that prints `held` when it has what it is for, and then reads until its input ends. `None`: it ended
    /// before, for instance because somebody else has the lock.
    ///
    /// # Errors
    /// Every [`Kind`] but [`Kind::Failed`].
    pub async fn hold(&self, run: Run) -> Result<Option<Held>, SshError> {
        let end = Instant::now() + run.deadline;
        let channel = self.open(&run, end).await?;
        let (mut from, to) = channel.split();
        if to.exec(true, told(&run.line)).await.is_err() {
            return Err(self.broke(&run.words));
        }
        loop {
            let message = timeout_at(end, from.wait()).await.map_err(|_| {
                let what = format!("{} did not answer in time", run.words);
                SshError::new(Kind::Deadline, what, "see on that host why it hangs")
            })?;
            match message {
                Some(ChannelMsg::Data { data }) if data.starts_with(b"held") => {
                    return Ok(Some(Held(Some(Channel { to, from }))));
                }
                Some(ChannelMsg::ExitStatus { .. } | ChannelMsg::ExitSignal { .. }) => return Ok(None),
                Some(ChannelMsg::Failure) => {
                    let what = format!("{} refuses to run commands", self.target());
                    return Err(SshError::new(Kind::Refused, what, "see sshd's settings there"));
                }
                None => return Err(self.broke(&run.words)),
                Some(_) => {}
            }
        }
    }
}
