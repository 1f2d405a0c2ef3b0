//! What a template must look like before it is parsed: the engine recurses on the stack over the parts of an expression
//! and over the branches of an `if`, without a limit of its own.

use crate::{Place, TemplateError};

/// Bytes of one tag, `{{ … }}`, `{% … %}` or `{# … #}`, at most.
const LONGEST: usize = 16 << 10;
/// `elif` in a template at most.
const BRANCHES: usize = 500;

/// Looks at the tags of a template. Inside of `{% raw %}` it may take text for tags, never tags for text.
pub(crate) fn check(name: &str, text: &str) -> Result<(), TemplateError> {
    let bytes = text.as_bytes();
    let wrong = |at: usize, message: String| {
        let before = &text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let place = Place { template: name.to_owned(), line: Some(line), column: Some(column) };
        Err(TemplateError::Syntax { place, message })
    };
    if let Some((at, _)) = text.match_indices("elif").nth(BRANCHES) {
        return wrong(at, format!("{BRANCHES} `elif` are the most that a template may have"));
    }
    let mut at = 0;
    while at + 1 < bytes.len() {
        if bytes[at] != b'{' || !matches!(bytes[at + 1], b'{' | b'%' | b'#') {
            at += 1;
            continue;
        }
        let length = tag(&bytes[at..]);
        if length > LONGEST {
            return wrong(at, format!("a tag of more than {LONGEST} bytes begins here"));
        }
        at += length;
    }
    Ok(())
}

/// Bytes of the tag at the beginning, up to one more than may be.
fn tag(bytes: &[u8]) -> usize {
    let (quotes, closing) = match bytes[1] {
        b'{' => (true, *b"}}"),
        b'%' => (true, *b"%}"),
        _ => (false, *b"#}"),
    };
    let (mut quote, mut braces, mut at) = (None, 0_usize, 2);
    while at < bytes.len() && at <= LONGEST {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if braces == 0 && bytes[at..].starts_with(&closing) => return at + 2,
            None if quotes && matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None if quotes && byte == b'{' => braces += 1,
            None if byte == b'}' => braces = braces.saturating_sub(1),
            None => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tags_are_refused_wherever_they_hide() {
        let long = ".a".repeat(LONGEST);
        for text in [
            format!("{{{{ x{long} }}}}"),
            format!("a\n{{% if x{long} %}}{{% endif %}}"),
            format!("{{% raw %}}{{#{{% endraw %}}{{{{ x{long} }}}}"),
            format!("{{{{ {{1: {{1: 1}}}}{long} }}}}"),
            format!("{{{{ '}}}}'{long} }}}}"),
            format!("{{{{ '\\'}}}}'{long} }}}}"),
            format!("{{% raw %}}{{{{ '{{% endraw %}}{{{{ x{long} }}}}"),
        ] {
            assert!(check("a", &text).is_err(), "{}", &text[..40]);
        }
        check("a", &format!("{long}{{{{ x }}}}{long}{{% if a %}}{{# }} #}}")).unwrap();
        check("a", &"{{ {'a': {'b': '}}'}} }}".repeat(10_000)).unwrap();
    }
}
