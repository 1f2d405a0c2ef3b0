//! Text as Slack takes it: `&`, `<` and `>` escaped ("Formatting text for app surfaces", Slack's documentation), and cut to the
//! lengths Slack allows. Lengths are in characters after escaping, which is what Slack counts.

/// The text with `&`, `<` and `>` escaped and control characters taken out, in at most `max` characters. What does not fit is
/// replaced by `…`; an escape is never cut in two. So no name of an object can ping a channel or forge a link.
pub(crate) fn escape(text: &str, max: usize) -> String {
    build(text, max, true)
}

/// Text that is Slack markup already, in at most `max` characters.
pub(crate) fn cut(text: &str, max: usize) -> String {
    build(text, max, false)
}

fn build(text: &str, max: usize, escape: bool) -> String {
    let mut out = String::new();
    let mut length = 0;
    // Where the text can end so that the ellipsis still fits.
    let mut room = 0;
    for c in text.chars().filter(|c| *c == '\n' || !c.is_control()) {
        length += match c {
            '&' if escape => push(&mut out, "&amp;"),
            '<' if escape => push(&mut out, "&lt;"),
            '>' if escape => push(&mut out, "&gt;"),
            c => {
                out.push(c);
                1
            }
        };
        if length > max {
            out.truncate(room);
            out.push('…');
            return out;
        }
        if length < max {
            room = out.len();
        }
    }
    out
}

fn push(out: &mut String, text: &str) -> usize {
    out.push_str(text);
    text.len()
}

/// One line: newlines become spaces.
pub(crate) fn line(text: &str, max: usize) -> String {
    escape(&text.replace(['\n', '\r', '\t'], " "), max)
}

#[cfg(test)]
mod tests {
    use super::{cut, escape, line};

    #[test]
    fn markup_in_values_is_only_text() {
        assert_eq!(escape("<!channel> a & b", 100), "&lt;!channel&gt; a &amp; b");
        assert_eq!(line("two\nlines\u{7}", 100), "two lines");
        assert_eq!(cut("<@U1> *bold*", 100), "<@U1> *bold*");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_escapes() {
        assert_eq!(escape("abcdef", 6), "abcdef");
        assert_eq!(escape("abcdefg", 6), "abcde…");
        assert_eq!(escape("abc&&", 9), "abc&amp;…");
        assert_eq!(escape("&&&", 5), "…");
        assert_eq!(cut(&"ä".repeat(3000), 3000).chars().count(), 3000);
        assert_eq!(cut(&"ä".repeat(3001), 3000).chars().count(), 3000);
        for max in 1..40 {
            assert!(escape("a<b>&c\u{1F600}".repeat(5).as_str(), max).chars().count() <= max, "{max}");
        }
    }
}
