//! How deep brackets are nested in YAML, told before the YAML scanner sees them: it takes time with the square of it.

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// A value: a quote would begin one.
    Fresh,
    /// An anchor or a tag, with a value behind it.
    Property,
    /// The inside of plain text, where quotes mean nothing.
    Plain,
    /// The end of a quoted text, which may be a key.
    Quoted,
}

/// The line where more brackets are open than the limit. They are counted twice: every one, and those that are not in
/// quotes, comments and block scalars. Text that is too deep in either way is refused, so that neither a closing bracket
/// in quotes nor a stray quote hides anything.
pub(crate) fn too_deep(text: &str, limit: usize) -> Option<usize> {
    let (mut every, mut depth) = (0_usize, 0_usize);
    let (mut at, mut quote) = (At::Fresh, None);
    // Indentation of the line that a block scalar hangs under.
    let mut block: Option<usize> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        block = block.filter(|above| indent > *above || line.trim().is_empty());
        let bare = block.is_none() && quote.is_none() && depth == 0;
        if bare {
            at = At::Fresh;
        }
        let (mut blank, mut comment) = (true, block.is_some());
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            every = step(every, byte);
            if !comment {
                match (quote, byte) {
                    (Some(b'"'), b'\\') => every = bytes.next().map_or(every, |b| step(every, b)),
                    (Some(b'\''), b'\'') if bytes.peek() == Some(&b'\'') => drop(bytes.next()),
                    (Some(open), _) if open == byte => (quote, at) = (None, At::Quoted),
                    (Some(_), _) => {}
                    (None, b'#') if blank => comment = true,
                    (None, b'"' | b'\'') if at == At::Fresh => quote = Some(byte),
                    (None, _) => {
                        depth = step(depth, byte);
                        let ends = bytes.peek().is_none_or(|next| b" \t".contains(next));
                        at = next(at, byte, ends);
                    }
                }
            }
            if every.max(depth) > limit {
                return Some(number + 1);
            }
            blank = b" \t".contains(&byte);
        }
        if bare && quote.is_none() && depth == 0 && opens_block(line) {
            block = Some(indent);
        }
    }
    None
}

fn step(depth: usize, byte: u8) -> usize {
    match byte {
        b'[' | b'{' => depth + 1,
        b']' | b'}' => depth.saturating_sub(1),
        _ => depth,
    }
}

/// Where one is after a byte outside of quotes; `ends` when a blank or the end of the line follows it.
fn next(at: At, byte: u8, ends: bool) -> At {
    match (at, byte) {
        (_, b'[' | b'{' | b',') => At::Fresh,
        (At::Quoted, b':') => At::Fresh,
        (_, b':') if ends => At::Fresh,
        (At::Fresh, b'-' | b'?') if ends => At::Fresh,
        (At::Fresh | At::Property, b'&' | b'!') => At::Property,
        (At::Fresh | At::Property, b' ' | b'\t') => At::Fresh,
        (At::Property, _) => At::Property,
        (At::Quoted, b' ' | b'\t' | b']' | b'}') => At::Quoted,
        _ => At::Plain,
    }
}

/// Whether a block scalar follows: the last word is `|` or `>`, perhaps with an indentation or chomping indicator.
fn opens_block(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or_default().trim_end();
    let Some((before, last)) = line.rsplit_once([' ', '\t']) else { return false };
    let mark =
        last.strip_prefix(['|', '>']).is_some_and(|rest| rest.bytes().all(|b| b"+-0123456789".contains(&b)));
    mark && !before.trim_start().starts_with('#') && before.trim_end().ends_with([':', '-', '?'])
}

#[cfg(test)]
mod tests {
    use super::too_deep;

    #[test]
    fn nothing_hides_an_opened_bracket() {
        for (unit, line) in [
            ("[", 1),
            ("[\"]\", ", 1),
            ("{'it''s ]': ", 1),
            ("[a 'b, ", 1),
            ("[&x ']', ", 1),
            ("[\"\\\"]\", ", 1),
            ("{\"a]\":\"]\", b: ", 1),
            ("[ # ]\n", 11),
            ("[']\n]', ", 11),
        ] {
            assert_eq!(too_deep(&unit.repeat(50), 10), Some(line), "{unit:?}");
            assert_eq!(
                too_deep(&format!("a: |\n  don't [\nb: {}", unit.repeat(50)), 10),
                Some(line + 2),
                "{unit:?}"
            );
        }
    }

    #[test]
    fn what_is_no_bracket_does_not_count() {
        let script = "a: |\n  if [ \"$x\" = ']' ]; then echo \"don't [$x]\"; fi # it's [ ]\n";
        for text in ["[a, ']']\n", "- don't\n", "x: it's {a: \"}\"}\n", script, "'[]'\n", "[] # {}\n"] {
            assert_eq!(too_deep(&text.repeat(500), 10), None, "{text:?}");
        }
    }
}
