//! One file out of a multipart form (RFC 7578), streamed.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use std::io;
use std::pin::Pin;

/// Longest head of a part.
const HEAD: usize = 8 << 10;

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let after = content_type.split(';').map(str::trim).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let boundary = after.trim().trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 70).then(|| boundary.to_owned())
}

struct Reader<S> {
    source: Pin<Box<S>>,
    buffer: BytesMut,
    /// The line before each part: CR LF, two dashes, the boundary.
    delimiter: Vec<u8>,
    name: String,
    state: State,
}

enum State {
    Seeking,
    Inside,
    Done,
}

/// The contents of the field of that name. A form without it is an error.
pub(crate) fn field<S>(
    source: S,
    boundary: &str,
    name: &str,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<S>
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let reader = Reader {
        source: Box::pin(source),
        // The first delimiter has no line before it.
        buffer: BytesMut::from(&b"\r\n"[..]),
        delimiter: format!("\r\n--{boundary}").into_bytes(),
        name: format!("name=\"{name}\""),
        state: State::Seeking,
    };
    futures_util::stream::unfold(reader, |mut reader| async move {
        let piece = reader.next().await.transpose()?;
        if piece.is_err() {
            reader.state = State::Done;
        }
        Some((piece, reader))
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

impl<S: Stream<Item = io::Result<Bytes>>> Reader<S> {
    async fn fill(&mut self) -> io::Result<()> {
        match self.source.next().await {
            Some(piece) => {
                self.buffer.extend_from_slice(&piece?);
                Ok(())
            }
            None => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the form ends before its last boundary"))
            }
        }
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let State::Seeking = self.state {
            self.seek().await?;
        }
        loop {
            if let State::Done = self.state {
                return Ok(None);
            }
            if let Some(end) = find(&self.buffer, &self.delimiter) {
                self.state = State::Done;
                if end == 0 {
                    return Ok(None);
                }
                return Ok(Some(self.buffer.split_to(end).freeze()));
            }
            // The tail may be the beginning of a delimiter.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            self.fill().await?;
        }
    }

    /// Goes to the first byte of the wanted field.
    async fn seek(&mut self) -> io::Result<()> {
        loop {
            while find(&self.buffer, &self.delimiter).is_none() {
                let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
                self.buffer.advance(sure);
                self.fill().await?;
            }
            let at = find(&self.buffer, &self.delimiter).unwrap_or(0);
            self.buffer.advance(at + self.delimiter.len());
            while self.buffer.len() < 2 {
                self.fill().await?;
            }
            if self.buffer.starts_with(b"--") {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the form has no field named file"));
            }
            let head = loop {
                if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                    break end;
                }
                if self.buffer.len() > HEAD {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the head of a part of the form is too long",
                    ));
                }
                self.fill().await?;
            };
            let text = String::from_utf8_lossy(&self.buffer[..head]).into_owned();
            // The line break before the delimiter belongs to the part; an empty part shares it with its head.
            self.buffer.advance(head + 2);
            if text.contains(&self.name) {
                self.buffer.advance(2);
                self.state = State::Inside;
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(form: &str, piece: usize) -> io::Result<String> {
        let pieces: Vec<io::Result<Bytes>> =
            form.as_bytes().chunks(piece).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let mut stream = Box::pin(field(futures_util::stream::iter(pieces), "XX", "file"));
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(String::from_utf8(all).unwrap())
    }

    #[tokio::test]
    async fn the_file_is_found_however_the_bytes_arrive() {
        let form = "--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--XX\r\n\
                    Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: x/y\r\n\r\n\
                    line\r\n--X not the end\r\n\r\n--XX--\r\n";
        for piece in [1, 2, 3, 7, 50, 1000] {
            assert_eq!(read(form, piece).await.unwrap(), "line\r\n--X not the end\r\n", "{piece}");
        }
    }

    #[tokio::test]
    async fn broken_forms_are_errors() {
        for form in [
            "",
            "--XX--\r\n",
            "--XX\r\nname=\"file\"\r\n\r\nhalf",
            "--XX\r\nname=\"other\"\r\n\r\nx\r\n--XX--",
        ] {
            assert!(read(form, 5).await.is_err(), "{form}");
        }
    }

    #[test]
    fn boundaries_come_quoted_or_not() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary("multipart/form-data; charset=x; Boundary=ab").as_deref(), Some("ab"));
        assert_eq!(boundary("multipart/form-data"), None);
    }
}
