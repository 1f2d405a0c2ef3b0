//! schemathesis: makes requests out of an OpenAPI document and looks whether the answers are what it says.

use super::process::skipped;
use super::python::with_module;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What an answer must be: no 5xx, a documented status, content type, headers and body, 405 for other methods, 401
/// without credentials. What is wrong with a request is the daemon's to say, so `negative_data_rejection` is not there:
/// unknown query parameters are filters or ignored (wire-protocol §3.5).
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,ignored_auth";

/// What would end the daemon, what plugins serve (theirs to describe), and the stream of events, which has no end.
const EXCLUDED: &str = "/system/shutdown|/plugin-apis/|/events/stream";

/// The installed schemathesis.
#[derive(Debug)]
pub struct Schemathesis {
    program: PathBuf,
}

impl Schemathesis {
    /// Finds it. `None` (after saying SKIPPED) when it is absent.
    pub fn find() -> Option<Self> {
        let python = with_module("schemathesis");
        let program = python.and_then(|python| Some(python.parent()?.join("schemathesis")));
        let program = program.filter(|program| program.is_file());
        if program.is_none() {
            skipped("schemathesis", "run tests/setup.sh, or set DRP_TEST_PYTHON to a Python that has it");
        }
        program.map(|program| Self { program })
    }

    /// Tests the API at that address for that many seconds, `examples` requests an operation and kind of test at most.
    ///
    /// # Errors
    /// Its report, when it found something.
    pub fn run(&self, api: &str, token: &str, seconds: u32, examples: u32) -> Result<String, String> {
        let work = tempfile::tempdir().expect("temporary directory");
        let output = Command::new("timeout")
            .args(["--kill-after", "10", &(seconds + 120).to_string()])
            .arg(&self.program)
            .args(["run", &format!("{api}/openapi.json"), "--url", api, "--tls-verify", "false"])
            .args(["-H", &format!("Authorization: Bearer {token}"), "--checks", CHECKS])
            .args(["--phases", "coverage,fuzzing", "--seed", "20"])
            .args(["--max-time", &seconds.to_string(), "--max-examples", &examples.to_string()])
            .args(["--request-timeout", "30", "--continue-on-failure", "--no-shrink", "--no-color"])
            .args(["--exclude-path-regex", EXCLUDED])
            .current_dir(work.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .output()
            .expect("coreutils' timeout");
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(text) } else { Err(format!("{}\n{text}", output.status)) }
    }
}
