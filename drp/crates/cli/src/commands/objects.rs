//! Verbs that all types share.

use super::{Context, change, meta, wait, watch};
use crate::grammar::{ListArgs, ObjectVerb, PollArgs, ShowArgs};
use crate::{Exit, Failure, hints, types};
use drp_client::{ClientError, Poll, Query};
use serde_json::{Value, json};
use std::time::Duration;

/// At most so many names are looked at for a suggestion.
pub(crate) const SUGGEST_FROM: u64 = 2000;
/// So long a suggestion may take.
const SUGGEST_WITHIN: Duration = Duration::from_secs(2);

pub(crate) async fn run(cx: &Context<'_>, prefix: &str, verb: ObjectVerb) -> Result<(), Failure> {
    match verb {
        ObjectVerb::List { list, show } => self::list(cx, prefix, &list, &show).await,
        ObjectVerb::Count { list } => count(cx, prefix, &list).await,
        ObjectVerb::Show { id, show, poll } => self::show(cx, prefix, &id, &show, &poll).await,
        ObjectVerb::Exists { id, poll } => exists(cx, prefix, &id, &poll).await,
        ObjectVerb::Etag { id } => {
            let tag = known(cx, prefix, &id, cx.client.tag(prefix, &id, &Poll::default()).await).await?;
            cx.printer.text(&tag.unwrap_or_default())
        }
        ObjectVerb::Create { object } => change::create(cx, prefix, &object).await,
        ObjectVerb::Update { id, fields, replace } => change::update(cx, prefix, &id, &fields, replace).await,
        ObjectVerb::Patch { id, patch } => change::patch(cx, prefix, &id, &patch).await,
        ObjectVerb::Destroy { ids } => change::destroy(cx, prefix, &ids).await,
        ObjectVerb::Wait { id, field, value, seconds } => {
            wait::run(cx, prefix, &id, &field, &value, seconds).await
        }
        ObjectVerb::Watch { what } => watch::run(cx, prefix, &what).await,
        ObjectVerb::Indexes { index } => indexes(cx, prefix, index.as_deref()).await,
        ObjectVerb::Meta(args) => meta::run(cx, prefix, args).await,
    }
}

/// Filters as they are written on the command line.
pub(crate) fn filters(words: &[String]) -> Result<Query, Failure> {
    words.iter().try_fold(Query::new(), |query, filter| match filter.split_once('=') {
        Some((name, value)) => Ok(query.with(name, value)),
        None => Err(Failure::usage(format!("the filter `{filter}` has no ="))
            .hint("write INDEX=VALUE or INDEX=FN(ARGS), for instance 'Name=Re(^web)'")),
    })
}

/// What to ask for, and when it may be answered: without a tag a wait begins with the object as it is now.
async fn when(cx: &Context<'_>, prefix: &str, id: &str, poll: &PollArgs) -> Result<Option<Poll>, Failure> {
    let mut etag = poll.etag.clone();
    if etag.is_none() && poll.wait.is_some() {
        etag = known(cx, prefix, id, cx.client.tag(prefix, id, &Poll::default()).await).await?;
    }
    Ok(etag.is_some().then_some(Poll { etag, wait: poll.wait }))
}

fn unchanged(prefix: &str, id: &str) -> Failure {
    Failure::new(Exit::Timeout, format!("{prefix}/{id} did not change"))
}

async fn show(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    show: &ShowArgs,
    poll: &PollArgs,
) -> Result<(), Failure> {
    let query = add_show(Query::new(), show);
    let Some(poll) = when(cx, prefix, id, poll).await? else {
        return cx.printer.object(&fetch(cx, prefix, id, &query).await?);
    };
    let found =
        known(cx, prefix, id, cx.client.get_changed::<Value>(prefix, id, &query, &poll).await).await?;
    cx.printer.object(&found.ok_or_else(|| unchanged(prefix, id))?.0)
}

async fn exists(cx: &Context<'_>, prefix: &str, id: &str, poll: &PollArgs) -> Result<(), Failure> {
    if let Some(poll) = when(cx, prefix, id, poll).await? {
        let tag = known(cx, prefix, id, cx.client.tag(prefix, id, &poll).await).await?;
        return tag.map(drop).ok_or_else(|| unchanged(prefix, id));
    }
    if cx.client.exists(prefix, id).await? {
        return Ok(());
    }
    let failure = Failure::new(Exit::NotFound, format!("{prefix}/{id} does not exist"));
    Err(missing(cx, prefix, id, failure).await)
}

fn list_query(list: &ListArgs) -> Result<Query, Failure> {
    let mut query = filters(&list.filters)?;
    for index in &list.sort {
        query = query.sort(index);
    }
    if list.reverse {
        query = query.reverse();
    }
    if let Some(offset) = list.offset {
        query = query.offset(offset);
    }
    if let Some(limit) = list.limit {
        query = query.limit(limit);
    }
    Ok(query)
}

fn add_show(mut query: Query, show: &ShowArgs) -> Query {
    if let Some(parts) = &show.slim {
        query = query.slim(parts);
    }
    if let Some(names) = &show.params {
        query = query.params(names);
    }
    if show.aggregate {
        query = query.aggregate();
    }
    if show.compose {
        query = query.compose();
    }
    if show.decode {
        query = query.decode();
    }
    query
}

async fn list(cx: &Context<'_>, prefix: &str, list: &ListArgs, show: &ShowArgs) -> Result<(), Failure> {
    let mut query = add_show(list_query(list)?, show);
    // A table shows no params; leaving them out makes long lists short.
    if cx.printer.for_eyes()
        && cx.globals.print_fields.is_empty()
        && show.slim.is_none()
        && types::find(prefix).is_some_and(|t| t.params)
    {
        query = query.slim("Params");
    }
    if cx.printer.takes_text() {
        let text = cx.client.list_text(prefix, &query).await.map_err(|e| filter_hint(prefix, e))?;
        return cx.printer.json_text(&text);
    }
    let found = cx.client.list::<Value>(prefix, &query).await.map_err(|e| filter_hint(prefix, e))?;
    cx.printer.list(&found.items, types::columns(prefix))
}

async fn count(cx: &Context<'_>, prefix: &str, list: &ListArgs) -> Result<(), Failure> {
    let counts = cx.client.count(prefix, &list_query(list)?).await.map_err(|e| filter_hint(prefix, e))?;
    match counts.matched.or(counts.returned) {
        Some(count) => cx.printer.value(&count.into()),
        None => Err(Failure::new(Exit::General, format!("the daemon does not count {prefix}"))),
    }
}

pub(crate) fn filter_hint(prefix: &str, error: ClientError) -> Failure {
    let filter = error.status() == Some(406);
    let failure = Failure::from(error);
    if filter { failure.hint(format!("`drp {prefix} indexes` lists what can be filtered")) } else { failure }
}

/// The end of a command over several things, some of which may have failed.
pub(crate) fn some_failed(cx: &Context<'_>, mut failed: Vec<Failure>, all: usize) -> Result<(), Failure> {
    if all == 1 {
        return failed.pop().map_or(Ok(()), Err);
    }
    for failure in &failed {
        cx.printer.failure(failure);
    }
    match failed.len() {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Partial, format!("{n} of {all} could not be deleted"))),
    }
}

/// An object, or a failure with suggestions.
pub(crate) async fn fetch(cx: &Context<'_>, prefix: &str, id: &str, query: &Query) -> Result<Value, Failure> {
    known(cx, prefix, id, cx.client.get_with(prefix, id, query).await).await
}

/// Turns "not found" into a failure with suggestions.
pub(crate) async fn known<T>(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    result: Result<T, ClientError>,
) -> Result<T, Failure> {
    match result {
        Ok(value) => Ok(value),
        Err(error) if error.is_not_found() => Err(missing(cx, prefix, id, error.into()).await),
        Err(error) => Err(error.into()),
    }
}

/// Adds the names that look like the one that is missing.
pub(crate) async fn missing(cx: &Context<'_>, prefix: &str, id: &str, failure: Failure) -> Failure {
    let name = types::name_field(prefix);
    let (index, wanted) = id.split_once(':').map_or((None, id), |(index, wanted)| (Some(index), wanted));
    let query = Query::new().slim("Meta,Params").limit(SUGGEST_FROM);
    let Ok(Ok(found)) = tokio::time::timeout(SUGGEST_WITHIN, cx.client.list::<Value>(prefix, &query)).await
    else {
        return failure;
    };
    if let Some(index) = index
        && let Ok(indexes) = cx.client.indexes(prefix).await
        && !indexes.contains_key(index)
    {
        let hint = match hints::did_you_mean(index, indexes.keys().map(String::as_str)) {
            Some(hint) => hint,
            None => format!("`drp {prefix} indexes` lists what there is"),
        };
        return failure.hint(format!("{prefix} has no index {index}: {hint}"));
    }
    let field = index.unwrap_or(name);
    let names: Vec<&str> = found.items.iter().filter_map(|o| o.get(field)?.as_str()).collect();
    if index.is_none() && names.contains(&wanted) {
        // The key is another field: a machine is known by its UUID.
        return failure.hint(format!("there is one of that name: write {name}:{wanted}"));
    }
    // As it must be typed: a machine's bare key is its UUID.
    let bare = index.is_none() && !matches!(prefix, "machines" | "jobs");
    let close = hints::similar(wanted, names);
    let close: Vec<String> =
        close.iter().map(|c| if bare { format!("`{c}`") } else { format!("`{field}:{c}`") }).collect();
    if close.is_empty() {
        return failure.hint(format!("`drp {prefix} list` shows what there is"));
    }
    failure.hint(format!("did you mean {}?", close.join(" or ")))
}

async fn indexes(cx: &Context<'_>, prefix: &str, index: Option<&str>) -> Result<(), Failure> {
    let indexes = cx.client.indexes(prefix).await?;
    if let Some(name) = index {
        let Some(index) = indexes.get(name) else {
            let failure = Failure::new(Exit::NotFound, format!("{prefix} has no index {name}"));
            return Err(match hints::did_you_mean(name, indexes.keys().map(String::as_str)) {
                Some(hint) => failure.hint(hint),
                None => failure,
            });
        };
        return cx.printer.value(&json!(index));
    }
    if !cx.printer.for_eyes() {
        return cx.printer.value(&json!(indexes));
    }
    let yes = |on: bool| if on { "yes" } else { "" }.to_owned();
    let rows = indexes
        .iter()
        .map(|(name, i)| vec![name.clone(), i.r#type.clone(), yes(i.unique), yes(!i.unordered), yes(i.regex)])
        .collect();
    cx.printer.rows(&["Index", "Type", "Unique", "Sortable", "Regex"], rows)
}
