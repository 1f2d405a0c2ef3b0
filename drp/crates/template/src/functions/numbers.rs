//! Numbers. Those without fractions stay whole.

use super::{Answer, Json, arg, as_fraction, as_whole, whole};

pub(super) fn int(a: &[Json]) -> Answer {
    Ok(whole(a, 0)?.into())
}

pub(super) fn float(a: &[Json]) -> Answer {
    Ok(as_fraction(arg(a, 0)?).into())
}

fn fold(a: &[Json], step: fn(i64, i64) -> Option<i64>) -> Answer {
    let mut numbers = a.iter().map(as_whole);
    let first = numbers.next().ok_or("a number is missing")?;
    let all = numbers.try_fold(first, step);
    all.map(Json::from).ok_or_else(|| "the result is no 64-bit number".to_owned())
}

pub(super) fn add(a: &[Json]) -> Answer {
    fold(a, i64::checked_add)
}

pub(super) fn add1(a: &[Json]) -> Answer {
    add(&[arg(a, 0)?.clone(), 1.into()])
}

pub(super) fn sub(a: &[Json]) -> Answer {
    fold(a, i64::checked_sub)
}

pub(super) fn mul(a: &[Json]) -> Answer {
    fold(a, i64::checked_mul)
}

pub(super) fn div(a: &[Json]) -> Answer {
    fold(a, i64::checked_div)
}

pub(super) fn modulo(a: &[Json]) -> Answer {
    fold(a, i64::checked_rem)
}

pub(super) fn max(a: &[Json]) -> Answer {
    fold(a, |x, y| Some(x.max(y)))
}

pub(super) fn min(a: &[Json]) -> Answer {
    fold(a, |x, y| Some(x.min(y)))
}

pub(super) fn ceil(a: &[Json]) -> Answer {
    Ok(as_fraction(arg(a, 0)?).ceil().into())
}

pub(super) fn floor(a: &[Json]) -> Answer {
    Ok(as_fraction(arg(a, 0)?).floor().into())
}

/// `round 1.2345 2`.
pub(super) fn round(a: &[Json]) -> Answer {
    let places = i32::try_from(a.get(1).map_or(0, as_whole).clamp(0, 15)).unwrap_or(0);
    let by = 10_f64.powi(places);
    Ok(((as_fraction(arg(a, 0)?) * by).round() / by).into())
}
