//! Lists.

use super::{Answer, Json, arg, bounded, empty, list, shown, size, text};

/// `join ", " list`, or the list first.
pub(super) fn join(a: &[Json]) -> Answer {
    let (between, whole) = match (a.first(), a.get(1)) {
        (Some(Json::Array(whole)), Some(between)) => (shown(between), whole.clone()),
        (Some(between), Some(Json::Array(whole))) => (shown(between), whole.clone()),
        (Some(between), Some(one)) => (shown(between), vec![one.clone()]),
        _ => return Err("a separator and a list are wanted".to_owned()),
    };
    bounded(whole.iter().map(shown).collect::<Vec<_>>().join(&between))
}

fn parts(between: &str, whole: &str, most: usize) -> Vec<Json> {
    if between.is_empty() {
        return whole.chars().take(most).map(|c| c.to_string().into()).collect();
    }
    whole.splitn(most, between).map(Json::from).collect()
}

fn numbered(parts: Vec<Json>) -> Json {
    Json::Object(parts.into_iter().enumerate().map(|(at, part)| (format!("_{at}"), part)).collect())
}

/// `split "$" "a$b"`: a dict with `_0`, `_1`, …
pub(super) fn split(a: &[Json]) -> Answer {
    Ok(numbered(parts(&text(a, 0)?, &text(a, 1)?, usize::MAX)))
}

pub(super) fn splitn(a: &[Json]) -> Answer {
    Ok(numbered(parts(&text(a, 0)?, &text(a, 2)?, size(a, 1)?)))
}

pub(super) fn split_list(a: &[Json]) -> Answer {
    Ok(parts(&text(a, 0)?, &text(a, 1)?, usize::MAX).into())
}

pub(super) fn list_of(a: &[Json]) -> Answer {
    Ok(a.to_vec().into())
}

pub(super) fn first(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.first().cloned().unwrap_or_default())
}

pub(super) fn last(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.last().cloned().unwrap_or_default())
}

pub(super) fn rest(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.iter().skip(1).cloned().collect())
}

pub(super) fn initial(a: &[Json]) -> Answer {
    let whole = list(a, 0)?;
    Ok(whole.iter().take(whole.len().saturating_sub(1)).cloned().collect())
}

/// `append list element`.
pub(super) fn append(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.iter().chain([arg(a, 1)?]).cloned().collect())
}

pub(super) fn prepend(a: &[Json]) -> Answer {
    Ok([arg(a, 1)?].into_iter().chain(list(a, 0)?).cloned().collect())
}

pub(super) fn concat(a: &[Json]) -> Answer {
    let mut all = Vec::new();
    for at in 0..a.len() {
        all.extend(list(a, at)?.iter().cloned());
    }
    Ok(all.into())
}

/// `has element list`.
pub(super) fn has(a: &[Json]) -> Answer {
    Ok(list(a, 1)?.contains(arg(a, 0)?).into())
}

pub(super) fn without(a: &[Json]) -> Answer {
    let out = a.get(1..).unwrap_or_default();
    Ok(list(a, 0)?.iter().filter(|v| !out.contains(v)).cloned().collect())
}

pub(super) fn uniq(a: &[Json]) -> Answer {
    let mut seen = std::collections::BTreeSet::new();
    Ok(list(a, 0)?.iter().filter(|v| seen.insert(v.to_string())).cloned().collect())
}

pub(super) fn reverse(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.iter().rev().cloned().collect())
}

pub(super) fn sort_alpha(a: &[Json]) -> Answer {
    let mut all: Vec<String> = list(a, 0)?.iter().map(shown).collect();
    all.sort();
    Ok(all.into())
}

pub(super) fn compact(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.iter().filter(|v| !empty(v)).cloned().collect())
}

pub(super) fn to_strings(a: &[Json]) -> Answer {
    Ok(list(a, 0)?.iter().map(|v| Json::from(shown(v))).collect())
}

/// `until 3`: 0, 1, 2.
pub(super) fn until(a: &[Json]) -> Answer {
    let count = size(a, 0)?;
    if count > 10_000 {
        return Err("a list of more than 10000 numbers".to_owned());
    }
    Ok((0..count).map(Json::from).collect())
}
