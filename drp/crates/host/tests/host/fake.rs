//! The fake plugin: a hand-written HTTP server, so that it can break the protocol at any byte.

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio, exit};
use std::sync::OnceLock;
use std::time::Duration;

static FROM: OnceLock<String> = OnceLock::new();

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn does(behaviour: &str) -> bool {
    env("FAKE").split(' ').any(|b| b == behaviour)
}

fn say(text: &str) {
    let mut out = File::options().write(true).open("/proc/self/fd/3").unwrap();
    writeln!(out, "{text}").unwrap();
}

fn complain(text: &str) {
    let mut out = std::io::stderr();
    writeln!(out, "{text}").unwrap();
}

fn for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// The test that the scripts in the plugin directory start as the plugin.
pub const TEST: &str = "fake::plugin";

/// Among the other tests it only checks that the scripts would find it.
#[test]
fn plugin() {
    if env("FAKE_NAME").is_empty() {
        return assert_eq!(module_path!().split_once("::").unwrap().1, TEST.trim_end_matches("::plugin"));
    }
    let arguments: Vec<_> = std::env::args().skip_while(|a| a != "listen").skip(1).collect();
    let [to, from] = arguments.as_slice() else {
        say("Failed");
        exit(1);
    };
    FROM.set(from.clone()).unwrap();
    run(to)
}

fn run(to: &str) -> ! {
    if does("exits") {
        complain("no lamp is connected");
        exit(3);
    }
    if does("exits-first")
        && File::options().write(true).create_new(true).open(format!("{}/was-here", env("FAKE_DIR"))).is_ok()
    {
        exit(3);
    }
    if does("failed") {
        complain("Error: cannot listen");
        say("Failed");
        for_ever();
    }
    if does("silent") {
        for_ever();
    }
    if does("closes") {
        nix::unistd::close(3).unwrap();
        for_ever();
    }
    if does("socketless") {
        say("READY!");
        for_ever();
    }
    if does("noisy") {
        for n in 0..1000 {
            say(&format!("noise {n}"));
        }
        say(" READY! ");
        say(&"x".repeat(1 << 20));
    }
    if does("tells-token") {
        say(&format!("my token is {}", env("RS_TOKEN")));
    }
    let _ = std::fs::remove_file(to);
    let listener = UnixListener::bind(to).unwrap();
    say("READY!");
    if does("dies") {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            complain("the lamp fell down");
            exit(7);
        });
    }
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        std::thread::spawn(move || while serve(&stream).is_some() {});
    }
    exit(0);
}

struct Request {
    method: String,
    target: String,
    head: String,
    body: Vec<u8>,
}

/// Handles one request; `None` ends the connection.
fn serve(stream: &UnixStream) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = header(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = Request { method, target, head, body };
    note(&request);
    match request.target.as_str() {
        "/api-plugin/v4/config" => config(stream),
        "/api-plugin/v4/action" => action(stream, &request),
        "/api-plugin/v4/publish" => publish(stream),
        "/api-plugin/v4/stop" => stop(stream),
        _ => other(stream, &mut reader, &request),
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|l| l.split_once(':'));
    lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
}

fn note(request: &Request) {
    let path = format!("{}/{}.calls", env("FAKE_DIR"), env("FAKE_NAME"));
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let host = header(&request.head, "host").unwrap_or_default();
    writeln!(file, "{} {} {host} {text}", request.method, request.target).unwrap();
}

fn answer(mut stream: &UnixStream, code: u16, body: &[u8]) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}

fn answer_json(stream: &UnixStream, code: u16, body: &Value) -> Option<()> {
    answer(stream, code, format!("{body}\n").as_bytes())
}

fn error(code: u16, message: &str) -> Value {
    json!({"Model": "plugin", "Key": "lamp", "Type": "plugin", "Messages": [message], "Code": code})
}

/// As the Go wrapper does it: the plugin's own error as text within another.
fn nested(stream: &UnixStream, code: u16, message: &str) -> Option<()> {
    let text = error(code, message).to_string();
    answer_json(stream, code, &json!({"Model": "", "Key": "", "Type": "", "Messages": [text], "Code": code}))
}

/// Asks the daemon over the from-plugin socket.
pub fn ask(method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(FROM.get().unwrap()).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn config(stream: &UnixStream) -> Option<()> {
    let (status, _) =
        ask("POST", "/api-server-plugin/v4/log", r#"{"Level":"info","Message":"API: st: 200\n"}"#);
    assert_eq!(status, 204);
    if does("config-fails") {
        return nested(stream, 409, "no such lamp");
    }
    if does("config-withdraws") {
        return nested(stream, 403, "not licensed");
    }
    if does("config-hangs") {
        for_ever();
    }
    if does("config-drops") {
        return None;
    }
    if does("config-dies") {
        exit(9);
    }
    if does("config-slow") {
        std::thread::sleep(Duration::from_millis(300));
    }
    if does("config-asks") {
        let (status, list) = ask("GET", "/api-server-plugin/v4/objects/machines", "");
        assert_eq!((status, list.as_str()), (200, r#"[{"Name":"m1"}]"#));
    }
    let done = answer_json(stream, 200, &json!({"Model":"","Key":"","Type":"","Messages":null,"Code":200}));
    if does("leaves") {
        ask("POST", "/api-server-plugin/v4/leaving", &error(500, "the lamp is broken").to_string());
    }
    if does("leaves-and-ends") {
        ask("POST", "/api-server-plugin/v4/leaving", &error(500, "the lamp is broken").to_string());
        exit(0);
    }
    if does("withdraws") {
        ask("POST", "/api-server-plugin/v4/leaving", &error(403, "not licensed").to_string());
    }
    done
}

fn publish(stream: &UnixStream) -> Option<()> {
    if does("publish-slow") {
        std::thread::sleep(Duration::from_millis(200));
    }
    if does("publish-fails") {
        return nested(stream, 500, "cannot post");
    }
    answer_json(stream, 200, &json!({"Code": 200}))
}

fn stop(mut stream: &UnixStream) -> Option<()> {
    if does("deaf") || does("stop-hangs") {
        for_ever();
    }
    ask("POST", "/api-server-plugin/v4/log", r#"{"Level":"info","Message":"STOPPING"}"#);
    if does("stop-answers") {
        answer_json(stream, 200, &json!({"Code": 200}));
        stream.flush().ok()?;
    }
    exit(0);
}

fn action(stream: &UnixStream, request: &Request) -> Option<()> {
    let action: Value = serde_json::from_slice(&request.body).unwrap();
    let params = &action["Params"];
    match action["Command"].as_str()? {
        "echo" => answer_json(stream, 200, params),
        "raw" => answer(stream, 200, params["text"].as_str()?.as_bytes()),
        "error" => answer_json(stream, 409, &error(409, "no such lamp")),
        "code0" => answer_json(stream, 500, &error(0, "code zero")),
        "text" => answer(stream, 500, b"<html>oops</html>"),
        "redirect" => answer(stream, 302, b"elsewhere"),
        "hang" => for_ever(),
        "slow" => {
            std::thread::sleep(Duration::from_millis(params["ms"].as_u64()?));
            answer_json(stream, 200, &json!("slept"))
        }
        "drop" => None,
        "half" => {
            let mut stream = stream;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2").ok()?;
            None
        }
        "nonsense" => {
            let mut stream = stream;
            stream.write_all(b"SMTP ready when you are\r\n\r\n").ok()?;
            None
        }
        "huge" => huge(stream),
        "log-first" => {
            let (status, _) =
                ask("POST", "/api-server-plugin/v4/log", r#"{"Level":"debug","Message":"API: st"}"#);
            answer_json(stream, 200, &json!(status))
        }
        "ask" => {
            let (status, body) =
                ask(params["method"].as_str()?, params["path"].as_str()?, params["body"].as_str()?);
            answer_json(stream, 200, &json!([status, body]))
        }
        // Holds so many connections open, and asks for something beside them.
        "crowd" => {
            let idle: Vec<_> = (0..params["count"].as_u64()?)
                .map(|_| UnixStream::connect(FROM.get().unwrap()).unwrap())
                .collect();
            let asking = std::thread::spawn(|| ask("GET", "/api-server-plugin/v4/objects/machines", "").0);
            std::thread::sleep(Duration::from_millis(300));
            let before = asking.is_finished();
            drop(idle);
            answer_json(stream, 200, &json!([before, asking.join().unwrap()]))
        }
        "exit" => exit(3),
        "die" => {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).ok()?;
            None
        }
        "freeze" => {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).ok()?;
            for_ever()
        }
        "env" => {
            answer_json(stream, 200, &json!(std::env::vars().collect::<std::collections::BTreeMap<_, _>>()))
        }
        "place" => answer_json(stream, 200, &place()),
        "fork" => fork(stream),
        "flood" => flood(stream),
        "files" => {
            let mut open = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                open.push(file);
            }
            let count = open.len();
            drop(open);
            answer_json(stream, 200, &json!(count))
        }
        other => answer_json(stream, 404, &error(404, &format!("Unknown command: {other}\n"))),
    }
}

fn huge(mut stream: &UnixStream) -> Option<()> {
    let size = 100 << 20;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n\"").ok()?;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        stream.write_all(&piece).ok()?;
    }
    Some(())
}

fn place() -> Value {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limit = |name: &str| limits.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    json!({
        "cwd": std::env::current_dir().unwrap(),
        "stdin": std::fs::read_link("/proc/self/fd/0").unwrap(),
        "files": limit("Max open files"),
        "core": limit("Max core file size"),
        "session": nix::unistd::getsid(None).unwrap().as_raw(),
        "group": nix::unistd::getpgrp().as_raw(),
        "pid": std::process::id(),
    })
}

/// Children of three kinds: in the group, in a group of their own, and daemonised.
fn fork(stream: &UnixStream) -> Option<()> {
    let mut pids = Vec::new();
    for own_group in [false, true] {
        for _ in 0..5 {
            let mut command = Command::new("sleep");
            command.arg("1000").stdin(Stdio::null());
            if own_group {
                command.process_group(0);
            }
            pids.push(command.spawn().unwrap().id());
        }
    }
    let daemon = "setsid sh -c 'echo $$; exec sleep 1000' &";
    let script = format!("({daemon}) & sleep 0.2");
    let mut shell = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    shell.wait().unwrap();
    pids.push(line.trim().parse().unwrap());
    answer_json(stream, 200, &json!(pids))
}

fn flood(stream: &UnixStream) -> Option<()> {
    for n in 0..20_000 {
        say(&format!("flood {n}"));
    }
    for n in 0..200 {
        let line = json!({"Level": "panic", "Message": format!("posted {n}")});
        assert_eq!(ask("POST", "/api-server-plugin/v4/log", &line.to_string()).0, 204);
    }
    answer_json(stream, 200, &json!("flooded"))
}

/// The plugin's own routes under `/plugin-apis`.
fn other(mut stream: &UnixStream, reader: &mut impl BufRead, request: &Request) -> Option<()> {
    let path = request.target.split('?').next()?;
    match path.rsplit('/').next()? {
        "show" => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            answer_json(
                stream,
                201,
                &json!({"method": request.method, "target": request.target, "head": request.head, "body": body}),
            )
        }
        "upgrade" => {
            stream
                .write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
                )
                .ok()?;
            let mut byte = [0];
            while reader.read(&mut byte).ok()? == 1 {
                stream.write_all(&byte.map(|b| b.to_ascii_uppercase())).ok()?;
            }
            None
        }
        // Gives back every chunk of the request as it comes.
        "stream" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let length = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; length + 2];
                reader.read_exact(&mut chunk).ok()?;
                stream.write_all(&[size.as_bytes(), &chunk].concat()).ok()?;
                if length == 0 {
                    return Some(());
                }
            }
        }
        "hang" => for_ever(),
        "drop" => None,
        _ => {
            let (method, target) = (&request.method, &request.target);
            answer_json(
                stream,
                404,
                &json!({"Model":"","Key":target,"Type":method,"Messages":null,"Code":404}),
            )
        }
    }
}
