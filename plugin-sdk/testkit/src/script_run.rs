//! A plugin that does what a test tells it: the process.

use crate::script::{Reply, Script, Start, Step};
use bytes::Bytes;
use drp_protocol::{Action, wire};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use nix::sys::signal::{SigHandler, Signal, raise};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

/// Becomes the scripted plugin when this process was started as one, and does not come back then.
pub fn run_if_scripted() {
    let (Some(script), Some(arguments)) = (std::env::var_os("DRP_SCRIPT"), crate::plugin_arguments()) else {
        return;
    };
    let mut arguments = arguments.into_iter();
    let verb = arguments.next().unwrap_or_default().to_string_lossy().into_owned();
    let [dir, from] = [(); 2].map(|()| arguments.next().map(PathBuf::from).unwrap_or_default());
    let calls = std::env::var_os("DRP_SCRIPT_CALLS").map(PathBuf::from).unwrap_or_default();
    let runner = |script| Runner { script, calls, from, dir };
    let code = match read_script(Path::new(&script)).and_then(|script| runner(script).run(&verb)) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "scripted plugin: {error}");
            99
        }
    };
    std::process::exit(code);
}

fn read_script(path: &Path) -> std::io::Result<Script> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

struct Runner {
    script: Script,
    calls: PathBuf,
    from: PathBuf,
    dir: PathBuf,
}

impl Runner {
    fn run(self, verb: &str) -> std::io::Result<i32> {
        self.note(verb);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match verb {
            "define" => {
                let text = match &self.script.define_text {
                    Some(text) => text.clone(),
                    None => serde_json::to_string_pretty(&self.script.definition)?,
                };
                say(&text)?;
                Ok(self.script.define_code)
            }
            "unpack" => {
                std::fs::create_dir_all(&self.dir)?;
                runtime.block_on(self.act(&self.script.unpack, None))?;
                Ok(0)
            }
            "listen" => runtime.block_on(Arc::new(self).listen()),
            _ => Ok(1),
        }
    }

    fn note(&self, call: &str) {
        if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&self.calls) {
            let _ = writeln!(file, "{}", call.trim_end().replace('\n', " "));
        }
    }

    async fn listen(self: Arc<Self>) -> std::io::Result<i32> {
        self.act(&self.script.before, None).await?;
        match self.script.start {
            Start::End(code) => return Ok(code),
            Start::Failed => {
                say(wire::FAILED)?;
                return Ok(1);
            }
            Start::Ready | Start::Silent => {}
        }
        let to = &self.dir;
        let _ = std::fs::remove_file(to);
        let listener = UnixListener::bind(to)?;
        if self.script.start == Start::Ready {
            say(wire::READY)?;
        }
        loop {
            let (stream, _) = listener.accept().await?;
            let runner = self.clone();
            tokio::spawn(async move {
                // A broken connection is the peer's affair.
                let _ = runner.serve(stream).await;
            });
        }
    }

    /// Serves one connection, in just enough HTTP/1.1 to be able to break it.
    async fn serve(&self, stream: UnixStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = String::new();
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
            let mut length = 0;
            let mut chunked = false;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(text) = line.strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap_or(0);
                }
                chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
            }
            let body = if chunked {
                read_chunks(&mut stream).await?
            } else {
                read_exactly(&mut stream, length).await?
            };
            let mut words = head.split_whitespace();
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            self.note(&format!("{method} {path} {}", String::from_utf8_lossy(&body)));
            let unknown =
                [Step::reply(404, serde_json::json!({"Code": 404, "Messages": ["Unknown command"]}))];
            let steps = match path {
                wire::CONFIG => self.script.config.as_slice(),
                wire::PUBLISH => self.script.publish.as_slice(),
                wire::STOP => self.script.stop.as_slice(),
                wire::ACTION => {
                    let action: Action = serde_json::from_slice(&body).unwrap_or_default();
                    self.script.actions.get(&action.command).map_or(unknown.as_slice(), Vec::as_slice)
                }
                _ => self.script.other.as_slice(),
            };
            if !self.act(steps, Some(stream.get_mut())).await? {
                return Ok(());
            }
        }
    }

    /// Does the steps; `false` when the connection is over.
    async fn act(&self, steps: &[Step], mut stream: Option<&mut UnixStream>) -> std::io::Result<bool> {
        for step in steps {
            match step {
                Step::Print(text) => say(text)?,
                Step::Complain(text) => writeln!(std::io::stderr(), "{text}")?,
                Step::Log(line) => self.call(Method::POST, "/log", serde_json::to_vec(line)?).await,
                Step::Publish(event) => self.call(Method::POST, "/publish", serde_json::to_vec(event)?).await,
                Step::Leave(error) => self.call(Method::POST, "/leaving", serde_json::to_vec(error)?).await,
                Step::Get(path) => self.request(Method::GET, path.clone(), Vec::new()).await,
                Step::Sleep(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
                Step::Exit(code) => {
                    // Gives the kernel's copy of the answer to the reader: a socket that closes keeps its bytes.
                    std::process::exit(*code);
                }
                Step::Signal(number) => {
                    let signal = Signal::try_from(*number).map_err(std::io::Error::from)?;
                    raise(signal).map_err(std::io::Error::from)?;
                }
                Step::IgnoreTerm => ignore_term()?,
                Step::Write(name, text) => std::fs::write(self.dir.join(name), text)?,
                Step::Reply(reply) => {
                    if let Some(stream) = stream.as_deref_mut()
                        && !answer(stream, reply).await?
                    {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) {
        self.request(method, format!("{}{path}", wire::SERVER_PREFIX), body).await;
    }

    async fn request(&self, method: Method, path: String, body: Vec<u8>) {
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(hyperlocal::UnixConnector);
        let uri: hyper::Uri = hyperlocal::Uri::new(&self.from, &path).into();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)));
        let Ok(request) = request else { return };
        let outcome = match client.request(request).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes);
                format!("{status} {}", String::from_utf8_lossy(&body.unwrap_or_default()))
            }
            Err(error) => format!("failed {error}"),
        };
        self.note(&format!("answer {path} {outcome}"));
    }
}

fn ignore_term() -> std::io::Result<()> {
    crate::kernel::set_handler(Signal::SIGTERM, SigHandler::SigIgn)
}

/// Writes an answer; `false` when it ends the connection.
async fn answer(stream: &mut UnixStream, reply: &Reply) -> std::io::Result<bool> {
    match reply {
        Reply::Json(status, value) => {
            let body = format!("{value}\n");
            let head = format!(
                "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await?;
            Ok(true)
        }
        Reply::Raw(bytes) => {
            stream.write_all(bytes.as_bytes()).await?;
            stream.shutdown().await?;
            Ok(false)
        }
        Reply::Huge(length) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\"",
                length.saturating_add(2)
            );
            stream.write_all(head.as_bytes()).await?;
            let block = [b'x'; 1 << 16];
            let mut left = *length;
            while left > 0 {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
                stream.write_all(&block[..now]).await?;
                left -= now as u64;
            }
            stream.write_all(b"\"").await?;
            Ok(true)
        }
    }
}

async fn read_exactly(stream: &mut BufReader<UnixStream>, length: usize) -> std::io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn read_chunks(stream: &mut BufReader<UnixStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        body.extend(read_exactly(stream, length).await?);
        read_exactly(stream, 2).await?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
