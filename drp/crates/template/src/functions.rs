//! The functions of templates: those of sprig that content uses and the engine lacks. None does I/O, reads a clock or
//! makes random numbers, so that a template renders alike twice.

mod dicts;
mod lists;
mod numbers;
mod strings;

use crate::value;
use gtmpl_ng::{Func, FuncError, Value};
use serde_json::Value as Json;

/// What a function gives.
type Answer = Result<Json, String>;

/// Runs a function of JSON values as the engine wants it.
fn run(args: &[Value], function: fn(&[Json]) -> Answer) -> Result<Value, FuncError> {
    let args: Vec<Json> = args.iter().map(value::json).collect();
    function(&args).map(|json| value::of(&json)).map_err(FuncError::Generic)
}

/// An argument, or the error that names it.
fn arg(args: &[Json], at: usize) -> Result<&Json, String> {
    args.get(at).ok_or_else(|| format!("argument {} is missing", at + 1))
}

/// A value as text, as `print` shows it.
fn shown(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => value::of(other).to_string(),
    }
}

fn text(args: &[Json], at: usize) -> Result<String, String> {
    arg(args, at).map(shown)
}

/// A whole number; texts and fractions are taken for one as sprig does.
fn whole(args: &[Json], at: usize) -> Result<i64, String> {
    Ok(as_whole(arg(args, at)?))
}

fn as_whole(json: &Json) -> i64 {
    match json {
        Json::Number(n) => n.as_i64().unwrap_or_else(|| fraction_to_whole(n.as_f64().unwrap_or(0.0))),
        Json::String(text) => {
            let text = text.trim();
            text.parse().unwrap_or_else(|_| fraction_to_whole(text.parse().unwrap_or(0.0)))
        }
        Json::Bool(true) => 1,
        _ => 0,
    }
}

/// Towards zero; what does not fit is the nearest that does.
#[allow(clippy::cast_possible_truncation)]
fn fraction_to_whole(n: f64) -> i64 {
    n as i64
}

fn as_fraction(json: &Json) -> f64 {
    match json {
        Json::Number(n) => n.as_f64().unwrap_or(0.0),
        Json::String(text) => text.trim().parse().unwrap_or(0.0),
        Json::Bool(true) => 1.0,
        _ => 0.0,
    }
}

/// A length or a position.
fn size(args: &[Json], at: usize) -> Result<usize, String> {
    usize::try_from(whole(args, at)?).map_err(|_| format!("argument {} is negative", at + 1))
}

fn list(args: &[Json], at: usize) -> Result<&Vec<Json>, String> {
    arg(args, at)?.as_array().ok_or_else(|| format!("argument {} is not a list", at + 1))
}

fn dict(args: &[Json], at: usize) -> Result<&serde_json::Map<String, Json>, String> {
    arg(args, at)?.as_object().ok_or_else(|| format!("argument {} is not a dict", at + 1))
}

/// Whether a value counts as empty.
fn empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Bool(b) => !b,
        Json::Number(n) => n.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

/// Refuses results that would only fill memory.
fn bounded(text: String) -> Answer {
    const MOST: usize = 4 << 20;
    if text.len() > MOST { Err(format!("the result is longer than {MOST} bytes")) } else { Ok(text.into()) }
}

macro_rules! functions {
    ($($name:literal => $function:path),+ $(,)?) => {
        /// By name.
        pub(crate) const ALL: &[(&str, Func)] = &[$(($name, |args| run(args, $function))),+];
    };
}

functions! {
    "upper" => strings::upper, "lower" => strings::lower, "title" => strings::title,
    "trim" => strings::trim, "trimAll" => strings::trim_all, "trimPrefix" => strings::trim_prefix,
    "trimSuffix" => strings::trim_suffix, "replace" => strings::replace, "contains" => strings::contains,
    "hasPrefix" => strings::has_prefix, "hasSuffix" => strings::has_suffix, "repeat" => strings::repeat,
    "substr" => strings::substr, "trunc" => strings::trunc, "indent" => strings::indent,
    "nindent" => strings::nindent, "quote" => strings::quote, "squote" => strings::squote,
    "toString" => strings::to_string, "nospace" => strings::nospace, "cat" => strings::cat,
    "b64enc" => strings::b64enc, "b64dec" => strings::b64dec, "toJson" => strings::to_json,
    "toPrettyJson" => strings::to_pretty_json, "fromJson" => strings::from_json,
    "regexMatch" => strings::regex_match, "regexFind" => strings::regex_find,
    "regexReplaceAll" => strings::regex_replace_all, "base" => strings::base, "dir" => strings::dir,
    "ext" => strings::ext, "hostPart" => strings::host_part,
    "join" => lists::join, "split" => lists::split, "splitList" => lists::split_list,
    "splitn" => lists::splitn, "list" => lists::list_of, "first" => lists::first, "last" => lists::last,
    "rest" => lists::rest, "initial" => lists::initial, "append" => lists::append,
    "prepend" => lists::prepend, "concat" => lists::concat, "has" => lists::has, "without" => lists::without,
    "uniq" => lists::uniq, "reverse" => lists::reverse, "sortAlpha" => lists::sort_alpha,
    "compact" => lists::compact, "toStrings" => lists::to_strings, "until" => lists::until,
    "dict" => dicts::dict_of, "get" => dicts::get, "hasKey" => dicts::has_key, "keys" => dicts::keys,
    "values" => dicts::values, "pick" => dicts::pick, "omit" => dicts::omit, "merge" => dicts::merge,
    "set" => dicts::set, "unset" => dicts::unset, "default" => dicts::default, "empty" => dicts::is_empty,
    "coalesce" => dicts::coalesce, "ternary" => dicts::ternary, "kindOf" => dicts::kind_of,
    "fail" => dicts::fail,
    "int" => numbers::int, "int64" => numbers::int, "atoi" => numbers::int, "float64" => numbers::float,
    "add" => numbers::add, "add1" => numbers::add1, "sub" => numbers::sub, "mul" => numbers::mul,
    "div" => numbers::div, "mod" => numbers::modulo, "max" => numbers::max, "min" => numbers::min,
    "ceil" => numbers::ceil, "floor" => numbers::floor, "round" => numbers::round,
}
