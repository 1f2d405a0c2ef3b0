//! QEMU's monitor protocol (QEMU, "QMP protocol specification"): one JSON value per line over a UNIX socket.
//!
//! A monitor serves one client at a time; others wait in its queue, which is what the deadline of [`Qmp::open`] is for.

use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Instant;

/// Longest line that is read.
const LONGEST: u64 = 1 << 20;

/// What can go wrong with a monitor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QmpError {
    /// Nobody listens.
    #[error("its QEMU does not listen: {0}")]
    Absent(io::Error),
    /// No answer in time.
    #[error("its QEMU did not answer {0} in time")]
    Silent(String),
    /// An error as an answer.
    #[error("its QEMU refused {command}: {said}")]
    Refused { command: String, said: String },
    /// Not the protocol.
    #[error("its QEMU answered what is not QMP: {0}")]
    Garbled(String),
    /// The connection ended.
    #[error("its QEMU ended the connection")]
    Gone,
}

/// A connection to a monitor.
#[derive(Debug)]
pub(crate) struct Qmp {
    lines: BufReader<OwnedReadHalf>,
    out: OwnedWriteHalf,
    end: Instant,
    next: u64,
}

impl Qmp {
    /// Connects and waits for the greeting. `limit` is the time for everything that is done over the connection.
    pub(crate) async fn open(socket: &Path, limit: Duration) -> Result<Self, QmpError> {
        let end = Instant::now() + limit;
        let connected = tokio::time::timeout_at(end, UnixStream::connect(socket)).await;
        let (read, out) = connected
            .map_err(|_| QmpError::Silent("a connection".into()))?
            .map_err(QmpError::Absent)?
            .into_split();
        let mut qmp = Self { lines: BufReader::new(read), out, end, next: 0 };
        let greeting = qmp.line("with a greeting").await?;
        if greeting.get("QMP").is_none() {
            return Err(QmpError::Garbled("no greeting".into()));
        }
        qmp.call("qmp_capabilities", json!({})).await?;
        Ok(qmp)
    }

    /// Runs a command and gives what it returns. Events that come in between are left out.
    pub(crate) async fn call(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        self.next += 1;
        let id = self.next;
        let mut line = json!({"execute": command, "arguments": arguments, "id": id}).to_string();
        line.push('\n');
        let sent = tokio::time::timeout_at(self.end, self.out.write_all(line.as_bytes())).await;
        sent.map_err(|_| QmpError::Silent(command.into()))?.map_err(|_| QmpError::Gone)?;
        loop {
            let mut answer = self.line(command).await?;
            if answer.get("event").is_some() {
                continue;
            }
            if answer.get("id").and_then(Value::as_u64) != Some(id) {
                return Err(QmpError::Garbled("an answer to another command".into()));
            }
            if let Some(said) = answer.pointer("/error/desc").and_then(Value::as_str) {
                return Err(QmpError::Refused {
                    command: command.into(),
                    said: said.chars().take(500).collect(),
                });
            }
            return match answer.get_mut("return") {
                Some(value) => Ok(value.take()),
                None => Err(QmpError::Garbled(format!("neither result nor error of {command}"))),
            };
        }
    }

    /// Runs a line of the monitor for people, where the protocol has no command; gives what it prints.
    pub(crate) async fn monitor(&mut self, line: &str) -> Result<String, QmpError> {
        let printed = self.call("human-monitor-command", json!({"command-line": line})).await?;
        Ok(printed.as_str().unwrap_or_default().replace('\r', ""))
    }

    async fn line(&mut self, of: &str) -> Result<Value, QmpError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.lines).take(LONGEST);
        let read = tokio::time::timeout_at(self.end, bounded.read_until(b'\n', &mut line)).await;
        match read.map_err(|_| QmpError::Silent(of.into()))? {
            Err(_) | Ok(0) => Err(QmpError::Gone),
            Ok(_) if line.last() != Some(&b'\n') => {
                let whole = u64::try_from(line.len()).is_ok_and(|length| length >= LONGEST);
                Err(if whole { QmpError::Garbled("a line without an end".into()) } else { QmpError::Gone })
            }
            Ok(_) => serde_json::from_slice(&line).map_err(|e| QmpError::Garbled(e.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Qmp, QmpError};
    use serde_json::json;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    const LIMIT: Duration = Duration::from_secs(30);

    /// A monitor that says these texts, the first at once and each other after it has read something.
    fn scripted(socket: &Path, says: Vec<Vec<u8>>) {
        let listener = UnixListener::bind(socket).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            for (at, text) in says.into_iter().enumerate() {
                if at > 0 && stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
                let _ = stream.write_all(&text).await;
            }
        });
    }

    async fn talk(says: &[&[u8]], limit: Duration) -> Result<serde_json::Value, QmpError> {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("qmp");
        scripted(&socket, says.iter().map(|s| s.to_vec()).collect());
        Qmp::open(&socket, limit).await?.call("stop", json!({})).await
    }

    #[tokio::test]
    async fn answers_are_told_from_events_and_errors() {
        let hello: &[u8] = b"{\"QMP\": {}}\n";
        let ready: &[u8] = b"{\"return\": {}, \"id\": 1}\n";
        let event: &[u8] = b"{\"event\": \"STOP\"}\n{\"return\": {\"x\": 1}, \"id\": 2}\n";
        assert_eq!(talk(&[hello, ready, event], LIMIT).await.unwrap(), json!({"x": 1}));
        let refused: &[u8] = b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 2}\n";
        assert!(matches!(
            talk(&[hello, ready, refused], LIMIT).await,
            Err(QmpError::Refused { said, .. }) if said == "no"
        ));
    }

    #[tokio::test]
    async fn whatever_is_not_the_protocol_is_an_error() {
        let hello: &[u8] = b"{\"QMP\": {}}\n";
        for says in [
            vec![b"SSH-2.0-x\r\n".to_vec()],
            vec![b"{}\n".to_vec()],
            vec![hello.to_vec(), b"{\"return\": {}, \"id\": 7}\n".to_vec()],
            vec![hello.to_vec(), b"{\"id\": 1}\n".to_vec()],
            vec![hello.to_vec(), vec![b'x'; 2 << 20]],
        ] {
            let says: Vec<&[u8]> = says.iter().map(Vec::as_slice).collect();
            assert!(matches!(talk(&says, LIMIT).await, Err(QmpError::Garbled(_))), "{says:?}");
        }
        assert!(matches!(talk(&[hello, b""], LIMIT).await, Err(QmpError::Gone)));
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Qmp::open(&dir.path().join("x"), LIMIT).await, Err(QmpError::Absent(_))));
    }

    #[tokio::test]
    async fn a_silent_monitor_costs_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("qmp");
        let _listens = UnixListener::bind(&socket).unwrap();
        assert!(matches!(Qmp::open(&socket, Duration::from_millis(50)).await, Err(QmpError::Silent(_))));
    }

    #[tokio::test]
    async fn qemu_itself_answers() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("qmp");
        let started = Command::new("qemu-system-x86_64")
            .args(["-M", "none", "-nodefaults", "-display", "none", "-S", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let Ok(mut qemu) = started else {
            assert!(
                std::env::var_os("DRP_REQUIRE_PEERS").is_none(),
                "qemu-system-x86_64 is absent and required"
            );
            return;
        };
        let mut qmp = loop {
            match Qmp::open(&socket, LIMIT).await {
                Ok(qmp) => break qmp,
                Err(QmpError::Absent(_)) if qemu.try_wait().unwrap().is_none() => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(qmp.call("query-status", json!({})).await.unwrap()["running"], json!(false));
        assert!(qmp.monitor("info version").await.unwrap().contains('.'));
        assert!(matches!(qmp.call("no-such", json!({})).await, Err(QmpError::Refused { .. })));
        qmp.call("quit", json!({})).await.unwrap();
        assert!(qemu.wait().unwrap().success());
    }
}
