//! JSON text made readable as it is, without taking it apart: a list of ten thousand objects is printed in the time
//! that it takes to read it.

/// The text with every member on a line of its own, indented by two spaces. What is no JSON comes out as it can.
pub(crate) fn indent(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + json.len() / 2);
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = string_end(json, at);
                out.extend_from_slice(&json[at..end]);
                at = end;
                continue;
            }
            b'{' | b'[' => {
                out.push(byte);
                let inner = json[at + 1..].iter().position(|b| !b.is_ascii_whitespace());
                if let Some(inner) = inner
                    && matches!(json[at + 1 + inner], b'}' | b']')
                {
                    out.push(json[at + 1 + inner]);
                    at += inner + 2;
                    continue;
                }
                depth += 1;
                line(&mut out, depth);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b' ' | b'\n' | b'\t' | b'\r' => {}
            other => out.push(other),
        }
        at += 1;
    }
    out.push(b'\n');
    out
}

/// The place behind the string that begins here.
fn string_end(json: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' => at += 1,
            _ => {}
        }
    }
    json.len()
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    for _ in 0..depth {
        out.extend_from_slice(b"  ");
    }
}

#[cfg(test)]
mod tests {
    use super::indent;
    use serde_json::{Value, json};

    #[test]
    fn it_looks_as_if_it_had_been_taken_apart() {
        for value in [
            json!([]),
            json!({}),
            json!(null),
            json!([{"a": [], "b": {}, "c": [1, -2.5, true, null], "d": {"e": "f,g:{h}[i]"}}, {"a\"\\": "\"\\\n"}]),
            json!("x"),
        ] {
            let wanted = serde_json::to_string_pretty(&value).unwrap() + "\n";
            for text in [value.to_string(), wanted.clone()] {
                assert_eq!(String::from_utf8(indent(text.as_bytes())).unwrap(), wanted);
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_no_panic() {
        let text = json!([{"a": "b\\", "c": [{}, [1]]}]).to_string();
        for end in 0..text.len() {
            let _ = indent(&text.as_bytes()[..end]);
        }
        assert!(serde_json::from_slice::<Value>(&indent(text.as_bytes())).is_ok());
    }
}
