//! Words of unit files (systemd.syntax(7), systemd.service(5) "COMMAND LINES").

/// A word of `ExecStart=`, or an assignment of `Environment=`: in quotes, with what systemd would look into escaped.
pub(crate) fn word(text: &str, command: bool) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '%' => out.push_str("%%"),
            '$' if command => out.push_str("$$"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                c.to_string().bytes().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text on one line, such as a description.
pub(crate) fn line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // A backslash at the end of a line would join the next one to it.
    text.trim().trim_end_matches('\\').replace('%', "%%")
}

/// The unit of a task service whose extension has no template for it.
pub(crate) const DEFAULT: &str = r#"[Unit]
Description={{ unit.description }}
{% for other in unit.after -%}
After={{ other }}
Wants={{ other }}
{% endfor %}
[Service]
Type=simple
ExecStart={{ unit.exec_start }}
{% for variable in unit.environment -%}
Environment={{ variable }}
{% endfor -%}
{% if unit.working_directory -%}
WorkingDirectory={{ unit.working_directory }}
{% endif -%}
User={{ user }}
Group={{ group }}
Restart={{ unit.restart }}

[Install]
WantedBy=multi-user.target
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words() {
        assert_eq!(word("a b", true), r#""a b""#);
        assert_eq!(word("$HOME %n \"x\\\n", true), r#""$$HOME %%n \"x\\\n""#);
        assert_eq!(word("A=$B", false), r#""A=$B""#);
        assert_eq!(word("\u{1b}", true), r#""\x1b""#);
        assert_eq!(line("two\nlines %i\\"), "two lines %%i");
    }
}
