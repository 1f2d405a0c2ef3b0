//! Faults as actions.

use crate::{kernel, raw};
use drp_plugin_sdk::{Action, Context, Error, JsonSchema, Value, json, schemars, tracing};
use nix::sys::signal::{Signal, raise};
use serde::Deserialize;
use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Actions and what they do. `n` is the param `stress/amount`.
pub(crate) const FAULTS: [(&str, &str); 32] = [
    ("ok", "answers `\"ok\"`"),
    ("slow", "answers after n ms (2,000)"),
    ("hang", "never answers"),
    ("error", "answers 409"),
    ("code-zero", "gives an error with code 0; the SDK makes it 500"),
    ("panic", "panics; 500, and the plugin lives on"),
    ("crash", "ends by SIGABRT while the action is in flight"),
    ("exit", "ends with status 0 while the action is in flight"),
    ("crash-later", "answers, and ends by SIGABRT 50 ms later"),
    ("no-answer", "ends the connection without an answer"),
    ("half-answer", "sends half an answer and ends the connection"),
    ("garbage-answer", "sends bytes that are not HTTP and ends the connection"),
    ("huge-answer", "answers with n bytes (100,000,000) of text"),
    ("stdout-flood", "prints n lines (100,000) on standard output"),
    ("stderr-flood", "prints n lines (100,000) on standard error"),
    ("log-flood", "posts n log lines (100,000) past the SDK's queue"),
    ("trace-flood", "logs n lines (100,000) through the SDK, which drops what the daemon does not take"),
    ("event-flood", "publishes n events (10,000)"),
    ("fork-bomb", "starts n processes (200) that sleep for 60 s"),
    ("daemonise", "leaves a process in a session of its own that sleeps for n s (60); answers its pid"),
    ("descriptors", "holds every file descriptor it can get for n ms (2,000)"),
    ("memory", "holds n bytes (256,000,000) for 2 s"),
    ("spin", "burns one CPU for n ms (2,000) and serves nothing meanwhile"),
    ("block", "blocks its only thread for n ms (60,000): nothing is served, not even stop"),
    ("sigstop", "stops itself with SIGSTOP"),
    ("ignore-term", "ignores SIGTERM from now on"),
    ("remove-socket", "removes the to-plugin socket; kept connections still work"),
    ("leave", "leaves with 403: the provider is withdrawn"),
    ("leave-quietly", "leaves with 500: the instance is stopped"),
    ("deep-answer", "answers with lists nested n times (1,000)"),
    ("null", "answers `null`"),
    ("print", "prints on standard output the words of the protocol, `READY!` and `Failed`"),
];

/// Params of every fault.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Amount {
    /// How much, or how long; each fault has a default
    #[serde(rename = "stress/amount")]
    amount: Option<u64>,
}

/// No fault takes more than this, so that a slip of a digit harms nobody.
const MOST: u64 = 1_000_000_000;
const MOST_PROCESSES: u64 = 500;

pub(crate) async fn run(ctx: &Context, action: &Action) -> Result<Value, Error> {
    let amount = action.params::<Amount>()?.amount;
    let n = |default: u64| amount.unwrap_or(default).min(MOST);
    let ms = |default: u64| Duration::from_millis(n(default));
    match action.command.as_str() {
        "ok" => {}
        "slow" => tokio::time::sleep(ms(2000)).await,
        "hang" => return std::future::pending().await,
        "error" => return Err(ctx.error(409, "failed as told")),
        "code-zero" => return Err(ctx.error(0, "failed without a code")),
        "panic" => panic!("panicked as told"),
        "crash" => std::process::abort(),
        "exit" => std::process::exit(0),
        "crash-later" => {
            tokio::spawn(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                std::process::abort();
            });
        }
        "no-answer" => return break_with(ctx, b"").await,
        "half-answer" => {
            let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"half\":";
            return break_with(ctx, half).await;
        }
        "garbage-answer" => return break_with(ctx, b"\x00\xff not HTTP at all\r\n\r\n").await,
        "huge-answer" => {
            return Ok(Value::String("x".repeat(usize::try_from(n(100_000_000)).unwrap_or_default())));
        }
        "stdout-flood" => flood(ctx, n(100_000), std::io::stdout()).await?,
        "stderr-flood" => flood(ctx, n(100_000), std::io::stderr()).await?,
        "log-flood" => {
            let count = n(100_000);
            blocking(ctx, move || raw::flood_log(count).map_err(|e| e.to_string())).await?;
        }
        "trace-flood" => (0..n(100_000)).for_each(|number| tracing::info!(number, "flood")),
        "event-flood" => {
            for number in 0..n(10_000) {
                ctx.publish("stress", "flood", number.to_string(), Value::Null).await?;
            }
        }
        "fork-bomb" => return fork_bomb(ctx, n(200).min(MOST_PROCESSES)),
        "daemonise" => return daemonise(ctx, n(60)),
        "descriptors" => {
            let held = raw::all_descriptors();
            tokio::time::sleep(ms(2000)).await;
            return Ok(json!(held.len()));
        }
        "memory" => {
            let held = vec![1_u8; usize::try_from(n(256_000_000)).unwrap_or_default()];
            tokio::time::sleep(Duration::from_secs(2)).await;
            return Ok(json!(held.len()));
        }
        "spin" => {
            let until = Instant::now() + ms(2000);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
        "block" => std::thread::sleep(ms(60_000)),
        "sigstop" => raise(Signal::SIGSTOP).map_err(ctx.failed(500))?,
        "ignore-term" => kernel::ignore_term().map_err(ctx.failed(500))?,
        "remove-socket" => std::fs::remove_file(raw::sockets().0).map_err(ctx.failed(500))?,
        "leave" => ctx.leaving(&ctx.error(403, "withdrawn as told")).await?,
        "leave-quietly" => ctx.leaving(&ctx.error(500, "stopped as told")).await?,
        "deep-answer" => {
            return Ok((0..n(1000).min(2000)).fold(Value::Null, |inner, _| Value::Array(vec![inner])));
        }
        "null" => return Ok(Value::Null),
        "print" => {
            let mut out = std::io::stdout();
            writeln!(out, "READY!\nFailed\n{{\"half\":")
                .and_then(|()| out.flush())
                .map_err(ctx.failed(500))?;
        }
        _ => return Err(action.unknown()),
    }
    Ok(json!("ok"))
}

async fn break_with(ctx: &Context, bytes: &'static [u8]) -> Result<Value, Error> {
    raw::break_connections(bytes).map_err(ctx.failed(500))?;
    std::future::pending().await
}

async fn blocking(
    ctx: &Context,
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), Error> {
    tokio::task::spawn_blocking(work).await.map_err(ctx.failed(500))?.map_err(ctx.failed(500))
}

async fn flood(ctx: &Context, lines: u64, mut out: impl Write + Send + 'static) -> Result<(), Error> {
    let work =
        move || (0..lines).try_for_each(|number| writeln!(out, "flood {number}")).map_err(|e| e.to_string());
    blocking(ctx, work).await
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn fork_bomb(ctx: &Context, count: u64) -> Result<Value, Error> {
    for _ in 0..count {
        quiet("sleep").arg("60").spawn().map_err(ctx.failed(500))?;
    }
    Ok(json!(count))
}

fn daemonise(ctx: &Context, seconds: u64) -> Result<Value, Error> {
    let script = format!("setsid sleep {} >/dev/null 2>&1 & echo $!", seconds.min(600));
    let output =
        quiet("sh").args(["-c", &script]).stdout(Stdio::piped()).output().map_err(ctx.failed(500))?;
    let pid = String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().map_err(ctx.failed(500))?;
    Ok(json!(pid))
}
