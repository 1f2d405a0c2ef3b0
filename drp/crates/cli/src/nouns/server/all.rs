//! The servers of all providers at once.

use super::SERVERS;
use crate::commands::Context;
use crate::nouns::typed::{self, Hosted};
use crate::{Exit, Failure};
use drp_protocol::ExtensionType::Provider;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;

/// Providers that are asked at the same time.
const AT_ONCE: usize = 8;
/// How long one of many may take. Whoever wants to wait longer names it.
const WITHIN: Duration = Duration::from_secs(60);

/// Asks every provider. Those that do not answer are told of and cost the exit code 7; the servers of the others are
/// shown all the same, each with the provider it is of.
pub(super) async fn list(cx: &Context<'_>) -> Result<(), Failure> {
    let found = typed::hosted(cx, Provider).await?;
    if found.is_empty() {
        return Err(Failure::new(Exit::NotFound, "no provider is registered")
            .hint("`drp ext register DIR` registers one"));
    }
    let mut waiting = found.iter().cloned();
    let mut asked = JoinSet::new();
    let mut answers = Vec::new();
    loop {
        while asked.len() < AT_ONCE {
            let Some(one) = waiting.next() else { break };
            let client = cx.client.clone();
            asked.spawn(async move {
                let params = Default::default();
                let call = client.run_action("plugins", &one.plugin, "list-servers", None, &params);
                let answer = match tokio::time::timeout(WITHIN, call).await {
                    Ok(Ok(Value::Array(servers))) => Ok(servers),
                    Ok(Ok(_)) => Err("its answer is no list".to_owned()),
                    Ok(Err(error)) => Err(Failure::action(error).message),
                    Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
                };
                (one, answer)
            });
        }
        match asked.join_next().await {
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(_)) => {}
            None => break,
        }
    }
    answers.sort_by(|(a, _), (b, _)| a.plugin.cmp(&b.plugin));
    let (rows, failed) = gather(answers);
    let columns: Vec<(&str, &str)> =
        [("Provider", "/provider"), ("Plugin", "/plugin")].iter().chain(SERVERS).copied().collect();
    cx.printer.list(&rows, &columns)?;
    for (plugin, why) in &failed {
        cx.printer.warn(&format!("{plugin}: {why}"));
    }
    match failed.len() {
        0 => Ok(()),
        count if count == found.len() => Err(Failure::new(Exit::General, "no provider answers")),
        count => {
            Err(Failure::new(Exit::Partial, format!("{count} of {} providers do not answer", found.len())))
        }
    }
}

type Failed = Vec<(String, String)>;

/// Servers with the provider and plugin that they are of, and who failed.
fn gather(answers: Vec<(Hosted, Result<Vec<Value>, String>)>) -> (Vec<Value>, Failed) {
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for (one, answer) in answers {
        match answer {
            Ok(servers) => rows.extend(servers.into_iter().map(|server| {
                let mut row = json!({"provider": one.name, "plugin": one.plugin});
                if let (Value::Object(row), Value::Object(server)) = (&mut row, server) {
                    row.extend(server.into_iter().filter(|(name, _)| name != "provider" && name != "plugin"));
                }
                row
            })),
            Err(why) => failed.push((one.plugin, why)),
        }
    }
    (rows, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_whose_they_are() {
        let one = |name: &str| Hosted { name: name.into(), plugin: format!("{name}-provider") };
        let (rows, failed) = gather(vec![
            (one("a"), Ok(vec![json!({"server_id": "1", "provider": "liar"})])),
            (one("b"), Err("dead".into())),
        ]);
        assert_eq!(rows, [json!({"provider": "a", "plugin": "a-provider", "server_id": "1"})]);
        assert_eq!(failed, [("b-provider".to_owned(), "dead".to_owned())]);
    }
}
