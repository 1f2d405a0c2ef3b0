//! Files as answers: entity tags, `If-None-Match`, and byte ranges (RFC 9110 §14).

use super::reply::{Failure, Reply};
use axum::body::Body;
use drp_protocol::Error;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED,
    RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use std::io;
use std::path::Path;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Sends a file. Its SHA-256 sum makes the entity tag, and goes into `X-DRP-SHA256SUM` on HEAD (wire-protocol §3.6).
pub(crate) async fn file_answer(
    method: &Method,
    headers: &HeaderMap,
    path: &Path,
    sha256: Option<&str>,
) -> Result<Reply, Failure> {
    let wrong =
        |e: io::Error| Failure::from(Error::new(500, method.as_str(), format!("cannot read the file: {e}")));
    let mut file = File::open(path).await.map_err(wrong)?;
    let meta = file.metadata().await.map_err(wrong)?;
    let size = meta.len();
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let mut response = Response::new(Body::empty());
    let etag = sha256.map(|sum| format!("\"SHA256:{sum}\""));
    let is_it = |tag: &str| etag.as_deref() == Some(tag.trim());
    if let Some(Ok(tag)) = etag.as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert(ETAG, tag);
    }
    if let Ok(changed) = meta.modified()
        && let Ok(value) = HeaderValue::from_str(&http_date(changed))
    {
        response.headers_mut().insert(LAST_MODIFIED, value);
    }
    if let (Some(sum), &Method::HEAD) = (sha256.and_then(|s| HeaderValue::from_str(s).ok()), method) {
        response.headers_mut().insert("X-DRP-SHA256SUM", sum);
    }
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if text(IF_NONE_MATCH).is_some_and(|tags| tags == "*" || tags.split(',').any(is_it)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(Reply(response));
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    let wanted = text(RANGE).filter(|_| text(IF_RANGE).is_none_or(is_it));
    let (start, length) = match wanted.map(|header| range(header, size)) {
        None | Some(Range::Whole) => (0, size),
        Some(Range::Part(start, length)) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let end = start + length - 1;
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {start}-{end}/{size}")) {
                response.headers_mut().insert(CONTENT_RANGE, value);
            }
            (start, length)
        }
        Some(Range::Outside) => {
            let error = Error::new(416, method.as_str(), format!("the file has only {size} bytes"));
            return Ok(Failure::from(error).into_reply().with("content-range", &format!("bytes */{size}")));
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    if method != Method::HEAD {
        file.seek(io::SeekFrom::Start(start)).await.map_err(wrong)?;
        *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(file.take(length), 64 << 10));
    }
    Ok(Reply(response))
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// No usable range: the whole file is sent.
    Whole,
    /// First byte and number of bytes.
    Part(u64, u64),
    /// Nothing of the file is in the range.
    Outside,
}

/// Several ranges at once are answered with the whole file, which RFC 9110 allows.
fn range(header: &str, size: u64) -> Range {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-'))
    else {
        return Range::Whole;
    };
    match (first.trim(), last.trim()) {
        ("", suffix) => match suffix.parse::<u64>() {
            Ok(0) => Range::Outside,
            Ok(count) if size > 0 => Range::Part(size.saturating_sub(count), count.min(size)),
            Ok(_) => Range::Outside,
            Err(_) => Range::Whole,
        },
        (first, last) => {
            let Ok(start) = first.parse::<u64>() else { return Range::Whole };
            let end = if last.is_empty() { Ok(u64::MAX) } else { last.parse::<u64>() };
            match end {
                Ok(end) if end < start => Range::Whole,
                Ok(_) if start >= size => Range::Outside,
                Ok(end) => Range::Part(start, end.min(size - 1) - start + 1),
                Err(_) => Range::Whole,
            }
        }
    }
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "json" => "application/json; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" | "log" | "yaml" | "yml" | "ipxe" | "cfg" => "text/plain; charset=utf-8",
        _ => super::OCTETS,
    }
}

/// A moment in the form of RFC 9110 §5.6.7, `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(moment: std::time::SystemTime) -> String {
    let seconds = moment.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // Years that begin in March, counted from 0000-03-01.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let index = usize::try_from((month + 2) % 12).unwrap_or(0);
    let year = era * 400 + year_of_era + u64::from(index < 2);
    let weekday = names[usize::try_from(days % 7).unwrap_or(0)];
    let (h, m, s) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{weekday}, {day:02} {} {year} {h:02}:{m:02}:{s:02} GMT", months[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn ranges_follow_the_rfc() {
        for (header, size, expected) in [
            ("bytes=0-3", 10, Range::Part(0, 4)),
            ("bytes=4-", 10, Range::Part(4, 6)),
            ("bytes=-3", 10, Range::Part(7, 3)),
            ("bytes=-30", 10, Range::Part(0, 10)),
            ("bytes=8-100", 10, Range::Part(8, 2)),
            ("bytes=10-", 10, Range::Outside),
            ("bytes=-0", 10, Range::Outside),
            ("bytes=0-", 0, Range::Outside),
            ("bytes=3-1", 10, Range::Whole),
            ("bytes=0-1,3-4", 10, Range::Whole),
            ("lines=1-2", 10, Range::Whole),
        ] {
            assert_eq!(range(header, size), expected, "{header}");
        }
    }

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(UNIX_EPOCH + Duration::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            http_date(UNIX_EPOCH + Duration::from_secs(1_709_164_800)),
            "Thu, 29 Feb 2024 00:00:00 GMT"
        );
        assert_eq!(http_date(UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
