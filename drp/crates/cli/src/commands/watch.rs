//! `watch`: changes of objects as they come.

use super::{Context, objects, wait};
use crate::nouns::events;
use crate::{Failure, fields};
use drp_client::Query;
use drp_protocol::Event;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What happens to objects (wire-protocol §4.3).
const CHANGES: &str = "create,update,save,delete";

/// Filters are left to the daemon: after each change it is asked whether the object passes them. So they mean here
/// what they mean in `list`.
pub(crate) async fn run(cx: &Context<'_>, prefix: &str, what: &[String]) -> Result<(), Failure> {
    let one = match what {
        [id] if !id.contains('=') => Some(id),
        _ => None,
    };
    if let Some(id) = one {
        let object = objects::fetch(cx, prefix, id, &Query::new()).await?;
        let key = fields::key(prefix, &object).unwrap_or(id);
        let mut stream = events::open(cx, &[&format!("{prefix}.{CHANGES}.{}", wait::escaped(key))]).await?;
        while let Some(event) = events::next(cx, &mut stream).await? {
            print(cx, &event)?;
        }
        return Ok(());
    }
    let filters = objects::filters(what)?;
    let mut stream = events::open(cx, &[&format!("{prefix}.{CHANGES}.*")]).await?;
    let mut passing: BTreeSet<String> = BTreeSet::new();
    if !what.is_empty() {
        let query = filters.clone().slim("Meta,Params");
        let found =
            cx.client.list::<Value>(prefix, &query).await.map_err(|e| objects::filter_hint(prefix, e))?;
        passing = found.items.iter().filter_map(|o| fields::key(prefix, o)).map(str::to_owned).collect();
    }
    while let Some(event) = events::next(cx, &mut stream).await? {
        let mut shown = true;
        if !what.is_empty() {
            let query = filters.clone().eq("Key", &event.key);
            let passes = event.action != "delete"
                && cx.client.count(prefix, &query).await?.matched.is_some_and(|count| count > 0);
            // What passed before is shown once more: it left.
            shown =
                if passes { passing.insert(event.key.clone()) || passes } else { passing.remove(&event.key) };
        }
        if shown {
            print(cx, &event)?;
        }
    }
    Ok(())
}

fn print(cx: &Context<'_>, event: &Event) -> Result<(), Failure> {
    let Event { time, action, key, principal, .. } = event;
    let name =
        event.object.get("Name").and_then(Value::as_str).filter(|name| name != key).unwrap_or_default();
    cx.printer.item(&json!(event), format!("{time}  {action}  {key}  {name}  {principal}").trim_end())
}
