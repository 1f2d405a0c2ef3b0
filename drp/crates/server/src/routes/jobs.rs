//! Jobs: what a machine's agent asks for and reports (wire-protocol §3.8, §3.9).

use super::{actions as plugin_actions, info::info, objects};
use crate::audit::{Entry, place};
use crate::http::{Answer, Call, Failure, JSON_LIMIT, OCTETS, Reply, file_answer};
use crate::job_logs::JobLogs;
use bytes::{Bytes, BytesMut};
use drp_objects::{Fetched, Next, Outcome, RenderPlace};
use drp_protocol::{Error, Job, JsonMap};
use futures_util::StreamExt;
use http::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// `/jobs`.
pub(super) async fn all(call: Call) -> Answer {
    match *call.method() {
        Method::POST => next(call).await,
        Method::DELETE => purge(call).await,
        _ => objects::all(call, "jobs").await,
    }
}

/// The logs of this daemon's jobs.
pub(super) fn logs(call: &Call) -> JobLogs {
    JobLogs::under(&call.app.place.settings.base_root)
}

/// POST `/jobs`: what comes next on a machine. Only `Machine` and `Context` of the body count.
/// A job with `Uuid` but without `Machine` is a record from elsewhere, stored as it is.
async fn next(mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let wanted: Job = call.decode(body.to_string().as_bytes())?;
    if wanted.machine.is_empty() {
        call.claim("jobs", "create", "")?;
    }
    if wanted.machine.is_empty() && !wanted.uuid.is_empty() {
        let created = call.app.objects.create(&call.who, "jobs", body).await?;
        return Ok(objects::tagged(StatusCode::CREATED, created));
    }
    if wanted.machine.is_empty() {
        return Err(Error::new(
            400,
            "CREATE",
            "Machine is required: the Uuid of the machine that asks for its next job",
        )
        .on("jobs", "")
        .into());
    }
    let known = call.app.objects.resolve("machines", &wanted.machine);
    let machine = known.unwrap_or_else(|| wanted.machine.clone());
    call.story.about(&machine);
    call.claim("jobs", "create", &machine)?;
    loop {
        let next = call.app.objects.next_job(&call.who, &machine, &wanted.uuid, &wanted.context).await?;
        return match next {
            Next::Created(job) => Ok(with_token(&call, job)),
            Next::Current(job) => Ok(objects::tagged(StatusCode::ACCEPTED, job)),
            Next::Action { job, plugin, command } => {
                let done = act(&call, &job, &machine, plugin.as_deref(), &command).await?;
                Ok(objects::tagged(StatusCode::ACCEPTED, done))
            }
            Next::Nothing => Ok(Reply::none()),
            Next::Pause(pause) => {
                tokio::time::sleep(pause).await;
                continue;
            }
        };
    }
}

/// A new job, with a token when its task may do more than its machine and the caller may have it.
fn with_token(call: &Call, job: Fetched) -> Reply {
    let Some(token) = call.app.objects.job_token(&call.who, &job) else {
        return objects::tagged(StatusCode::CREATED, job);
    };
    let mut shown = job.map();
    shown.insert("Token".to_owned(), token.expose().as_str().into());
    Reply::json(StatusCode::CREATED, &shown)
}

/// Runs an action of a task list and ends its job. No error of the action is one of the request: the job tells of it.
async fn act(
    call: &Call,
    job: &Fetched,
    machine: &str,
    plugin: Option<&str>,
    command: &str,
) -> Result<Fetched, Failure> {
    let answer = plugin_actions::invoke(call, "machines", machine, command, plugin, &JsonMap::new()).await;
    let status = answer.as_ref().map_or_else(Failure::code, |_| 200);
    let (text, outcome) = match answer {
        Ok(answer) => {
            let shown =
                serde_json::from_slice::<Value>(&answer).and_then(|v| serde_json::to_string_pretty(&v));
            let shown = shown.unwrap_or_else(|_| String::from_utf8_lossy(&answer).into_owned());
            (format!("Results from plugin invoke:\n{shown}\nEnd of results\n"), Outcome::Finished)
        }
        Err(failure) => {
            let error = failure.error();
            let what =
                if error.r#type == "INVOKE" && error.code == 400 { "validation failed" } else { "failed" };
            (format!("Action {command} {what}:\n{error}\n"), Outcome::Failed)
        }
    };
    // The request is a POST of a job, of which the audit log of machines would not tell.
    let (done, status) = match outcome {
        Outcome::Finished => ("ok", 200),
        Outcome::Failed => ("failed", status),
    };
    call.app.audit.record(Entry {
        who: call.who.name.clone(),
        from: place(call.peer),
        request: call.id.to_string(),
        action: format!("action:{command}"),
        scope: "machines".to_owned(),
        key: machine.to_owned(),
        outcome: done.to_owned(),
        status,
        detail: format!("job {}", job.key),
        ..Entry::default()
    });
    if let Err(error) = logs(call).append(&job.key, text.into()).await {
        tracing::warn!(job = job.key, %error, "the log of a job cannot be written");
    }
    Ok(call.app.objects.finish_job(&call.who, &job.key, outcome).await?)
}

/// DELETE `/jobs?…`: all that match, are over, and that no machine will ask for again. Gives their keys.
async fn purge(call: Call) -> Answer {
    let query = objects::list_query(&call, "jobs", "")?;
    let claims = call.who.claims.clone();
    let gone = call
        .app
        .objects
        .purge_jobs(&call.who, &query, move |machine| claims.allow("jobs", "delete", machine))
        .await?;
    let logs = logs(&call);
    for job in &gone {
        logs.remove(job);
    }
    Ok(Reply::ok(&gone))
}

/// `/jobs/<id>/log`: GET the whole of it, PUT more of it.
pub(super) async fn log(mut call: Call, id: &str) -> Answer {
    let put = match *call.method() {
        Method::GET | Method::HEAD => false,
        Method::PUT => true,
        _ => return call.not_allowed(),
    };
    call.claim("jobs", if put { "update" } else { "log" }, id)?;
    let word = if put { "PUT" } else { "GET" };
    let key = call.app.objects.resolve("jobs", id);
    let key = key.ok_or_else(|| Error::new(404, word, "Not Found").on("jobs", id))?;
    let logs = logs(&call);
    if put {
        let piece = piece(&mut call, &key).await?;
        return match logs.append(&key, piece).await {
            Ok(()) => Ok(Reply::none()),
            Err(error) => {
                let code = if error.kind() == std::io::ErrorKind::StorageFull { 507 } else { 500 };
                Err(Error::new(code, word, format!("the log cannot be written: {error}"))
                    .on("jobs", &key)
                    .into())
            }
        };
    }
    if let Some(path) = logs.path(&key).filter(|path| path.is_file()) {
        return file_answer(call.method(), call.headers(), &path, None).await;
    }
    let mut empty = Reply::raw(Bytes::new());
    empty.0.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(OCTETS));
    Ok(empty)
}

/// A piece of a log.
async fn piece(call: &mut Call, key: &str) -> Result<Bytes, Failure> {
    let mut data = call.upload("jobs", key)?;
    let mut piece = BytesMut::new();
    while let Some(more) = data.next().await {
        let more =
            more.map_err(|e| Error::new(400, "PUT", format!("The body broke off: {e}")).on("jobs", key))?;
        piece.extend_from_slice(&more);
        if piece.len() > JSON_LIMIT {
            crate::http::drain(data).await;
            let text = format!("A piece of a log is at most {JSON_LIMIT} bytes long");
            return Err(Error::new(413, "PUT", text).on("jobs", key).into());
        }
    }
    Ok(piece.freeze())
}

/// GET `/jobs/<id>/actions`: the rendered templates of the task.
pub(super) async fn actions(call: Call, id: &str) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    call.claim("jobs", "actions", id)?;
    // What is rendered may hold opened secrets of the machine, and tokens.
    let machine = call.app.objects.job_machine(id).unwrap_or_default();
    call.claim("machines", "getSecure", &machine)?;
    let tokens = call.who.claims.allow("machines", "token", &machine);
    let info = info(&call);
    let host = if info.address.contains(':') { format!("[{}]", info.address) } else { info.address.clone() };
    let place = RenderPlace {
        api_url: format!("https://{host}:{}", info.api_port),
        files_url: format!("http://{host}:{}", info.file_port),
        address: info.address.clone(),
        info: serde_json::to_value(&info).unwrap_or_default(),
        tokens,
    };
    let os = call.query.get("os").unwrap_or_default().to_owned();
    let (objects, id) = (call.app.objects.clone(), id.to_owned());
    let rendered = tokio::task::spawn_blocking(move || objects.job_actions(&id, &os, &place)).await;
    let actions = rendered.map_err(|e| Error::new(500, "RENDER", e.to_string()))??;
    Ok(Reply::ok(&actions))
}
