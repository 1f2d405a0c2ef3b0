//! Texts.

use super::{Answer, Json, arg, bounded, shown, size, text};
use base64::{Engine, engine::general_purpose::STANDARD};
use regex::RegexBuilder;

pub(super) fn upper(a: &[Json]) -> Answer {
    Ok(text(a, 0)?.to_uppercase().into())
}

pub(super) fn lower(a: &[Json]) -> Answer {
    Ok(text(a, 0)?.to_lowercase().into())
}

pub(super) fn title(a: &[Json]) -> Answer {
    let mut start = true;
    let whole = text(a, 0)?;
    let titled = whole.chars().flat_map(|c| {
        let up = start;
        start = !c.is_alphanumeric() && c != '\'';
        let changed: Vec<char> = if up { c.to_uppercase().collect() } else { vec![c] };
        changed
    });
    Ok(titled.collect::<String>().into())
}

pub(super) fn trim(a: &[Json]) -> Answer {
    Ok(text(a, 0)?.trim().into())
}

/// `trimAll "$" "$5$"`.
pub(super) fn trim_all(a: &[Json]) -> Answer {
    let cut = text(a, 0)?;
    Ok(text(a, 1)?.trim_matches(|c| cut.contains(c)).into())
}

pub(super) fn trim_prefix(a: &[Json]) -> Answer {
    let (cut, whole) = (text(a, 0)?, text(a, 1)?);
    Ok(whole.strip_prefix(&cut).unwrap_or(&whole).into())
}

pub(super) fn trim_suffix(a: &[Json]) -> Answer {
    let (cut, whole) = (text(a, 0)?, text(a, 1)?);
    Ok(whole.strip_suffix(&cut).unwrap_or(&whole).into())
}

/// `replace "old" "new" text`.
pub(super) fn replace(a: &[Json]) -> Answer {
    let (old, new, whole) = (text(a, 0)?, text(a, 1)?, text(a, 2)?);
    let times = whole.matches(&old).count();
    if times.saturating_mul(new.len()) > 4 << 20 {
        return Err("the result is too long".to_owned());
    }
    Ok(whole.replace(&old, &new).into())
}

/// `contains "part" text`, and whether a list has an element.
pub(super) fn contains(a: &[Json]) -> Answer {
    if let (Some(Json::Array(list)), Some(element)) = (a.get(1), a.first()) {
        return Ok(list.contains(element).into());
    }
    Ok(text(a, 1)?.contains(&text(a, 0)?).into())
}

pub(super) fn has_prefix(a: &[Json]) -> Answer {
    Ok(text(a, 1)?.starts_with(&text(a, 0)?).into())
}

pub(super) fn has_suffix(a: &[Json]) -> Answer {
    Ok(text(a, 1)?.ends_with(&text(a, 0)?).into())
}

/// `repeat 3 "ab"`.
pub(super) fn repeat(a: &[Json]) -> Answer {
    let (times, part) = (size(a, 0)?, text(a, 1)?);
    if times.saturating_mul(part.len()) > 4 << 20 {
        return Err("the result is too long".to_owned());
    }
    Ok(part.repeat(times).into())
}

/// `substr 0 5 text`, in characters.
pub(super) fn substr(a: &[Json]) -> Answer {
    let (start, end) = (super::whole(a, 0)?, super::whole(a, 1)?);
    let (start, whole) = (usize::try_from(start).unwrap_or(0), text(a, 2)?);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    Ok(whole.chars().skip(start).take(end.saturating_sub(start)).collect::<String>().into())
}

/// `trunc 5 text`, from the end when negative.
pub(super) fn trunc(a: &[Json]) -> Answer {
    let (most, whole) = (super::whole(a, 0)?, text(a, 1)?);
    let length = whole.chars().count();
    let most_abs = usize::try_from(most.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if most < 0 { length.saturating_sub(most_abs) } else { 0 };
    Ok(whole.chars().skip(skipped).take(most_abs).collect::<String>().into())
}

/// `indent 4 text`.
pub(super) fn indent(a: &[Json]) -> Answer {
    let (by, whole) = (size(a, 0)?.min(1000), text(a, 1)?);
    let pad = " ".repeat(by);
    bounded(format!("{pad}{}", whole.replace('\n', &format!("\n{pad}"))))
}

pub(super) fn nindent(a: &[Json]) -> Answer {
    Ok(format!("\n{}", shown(&indent(a)?)).into())
}

fn each_quoted(a: &[Json], quote: impl Fn(&str) -> String) -> Answer {
    Ok(a.iter().filter(|v| !v.is_null()).map(|v| quote(&shown(v))).collect::<Vec<_>>().join(" ").into())
}

pub(super) fn quote(a: &[Json]) -> Answer {
    each_quoted(a, |text| Json::from(text).to_string())
}

pub(super) fn squote(a: &[Json]) -> Answer {
    each_quoted(a, |text| format!("'{text}'"))
}

pub(super) fn to_string(a: &[Json]) -> Answer {
    Ok(text(a, 0)?.into())
}

pub(super) fn nospace(a: &[Json]) -> Answer {
    Ok(text(a, 0)?.chars().filter(|c| !c.is_whitespace()).collect::<String>().into())
}

pub(super) fn cat(a: &[Json]) -> Answer {
    Ok(a.iter().filter(|v| !v.is_null()).map(shown).collect::<Vec<_>>().join(" ").into())
}

pub(super) fn b64enc(a: &[Json]) -> Answer {
    Ok(STANDARD.encode(text(a, 0)?).into())
}

pub(super) fn b64dec(a: &[Json]) -> Answer {
    let bytes = STANDARD.decode(text(a, 0)?.trim()).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map(Json::from).map_err(|e| e.to_string())
}

pub(super) fn to_json(a: &[Json]) -> Answer {
    Ok(arg(a, 0)?.to_string().into())
}

pub(super) fn to_pretty_json(a: &[Json]) -> Answer {
    serde_json::to_string_pretty(arg(a, 0)?).map(Json::from).map_err(|e| e.to_string())
}

pub(super) fn from_json(a: &[Json]) -> Answer {
    serde_json::from_str(&text(a, 0)?).map_err(|e| e.to_string())
}

fn regex(a: &[Json]) -> Result<regex::Regex, String> {
    RegexBuilder::new(&text(a, 0)?).size_limit(1 << 20).build().map_err(|e| e.to_string())
}

pub(super) fn regex_match(a: &[Json]) -> Answer {
    Ok(regex(a)?.is_match(&text(a, 1)?).into())
}

pub(super) fn regex_find(a: &[Json]) -> Answer {
    Ok(regex(a)?.find(&text(a, 1)?).map_or("", |found| found.as_str()).into())
}

/// `regexReplaceAll "a(x*)b" text "${1}W"`.
pub(super) fn regex_replace_all(a: &[Json]) -> Answer {
    let whole = text(a, 1)?;
    bounded(regex(a)?.replace_all(&whole, text(a, 2)?.as_str()).into_owned())
}

/// The last part of a path.
pub(super) fn base(a: &[Json]) -> Answer {
    let path = text(a, 0)?;
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Ok(match (path.is_empty(), last.is_empty()) {
        (true, _) => ".".into(),
        (false, true) => "/".into(),
        (false, false) => last.into(),
    })
}

pub(super) fn dir(a: &[Json]) -> Answer {
    let path = text(a, 0)?;
    Ok(match path.rsplit_once('/') {
        None => ".".into(),
        Some(("", _)) => "/".into(),
        Some((before, _)) => before.into(),
    })
}

pub(super) fn ext(a: &[Json]) -> Answer {
    let path = text(a, 0)?;
    let last = path.rsplit('/').next().unwrap_or_default();
    Ok(last.rfind('.').map_or("", |at| &last[at..]).into())
}

/// The host of `host:port`, of `[v6]:port`, and of either alone.
pub(super) fn host_part(a: &[Json]) -> Answer {
    let whole = text(a, 0)?;
    if let Some(rest) = whole.strip_prefix('[') {
        return Ok(rest.split(']').next().unwrap_or_default().into());
    }
    Ok(match whole.split_once(':') {
        Some((host, port)) if !port.contains(':') => host.into(),
        _ => whole.into(),
    })
}
