use drp_jinja::{Limits, TemplateError, Templates};
use serde_json::json;

fn error(text: &str) -> TemplateError {
    Templates::of_text("a", text).and_then(|templates| templates.render("a", &json!({}))).unwrap_err()
}

#[test]
fn loops_are_stopped() {
    let nested = "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}";
    let silent = format!("{nested}{{% set x = c %}}{{% endfor %}}{{% endfor %}}{{% endfor %}}");
    assert!(matches!(error(&silent), TemplateError::TooMuch { .. }));
    let loud = format!("{nested}{}{{% endfor %}}{{% endfor %}}{{% endfor %}}", "x".repeat(1000));
    assert!(matches!(error(&loud), TemplateError::OutputTooLong { .. }));
}

#[test]
fn recursion_is_stopped() {
    assert!(matches!(error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), TemplateError::Render { .. }));
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a", "{% include 'a' %}"),
        ("b", "{% extends 'b' %}"),
        ("c", "{% import 'd' as d %}"),
        ("d", "{% import 'c' as c %}"),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let templates = Templates::of_folder(dir.path()).unwrap();
    for name in ["a", "b", "c"] {
        let error = templates.render(name, &json!({})).unwrap_err();
        assert!(
            matches!(error, TemplateError::Render { .. } | TemplateError::Syntax { .. }),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for text in [
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(50_000), "]".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(50_000)),
        "{% if 1 %}".repeat(50_000),
        format!("{{{{ x{} }}}}", ".a".repeat(50_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(8_000)),
        format!("{{{{ x{} }}}}", "[1]".repeat(5_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(8_000)),
        format!("{{{{ 1{} }}}}", "|int".repeat(4_000)),
        format!("{{{{ 1{} }}}}", "**1".repeat(5_000)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(1_300)),
        format!("{{% if x %}}{}{{% endif %}}", "{% elif x %}".repeat(50_000)),
        format!("{{% if x %}}{}{{% endif %}}", "{% elif x %}".repeat(490)),
    ] {
        // Some are merely long. None may end the process.
        if let Ok(templates) = Templates::of_text("a", text) {
            let _ = templates.render("a", &json!({}));
        }
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { template: 100, output: 10, ..Limits::default() };
    assert!(matches!(
        Templates::of_text_within("a", "x".repeat(101), limits),
        Err(TemplateError::TooLong { .. })
    ));
    let templates = Templates::of_text_within("a", "{{ x }}", limits).unwrap();
    assert_eq!(templates.render("a", &json!({"x": "0123456789"})).unwrap(), "0123456789");
    let error = templates.render("a", &json!({"x": "0123456789a"})).unwrap_err();
    assert!(matches!(error, TemplateError::OutputTooLong { most: 10, .. }), "{error:?}");
    let late = Limits { time: std::time::Duration::ZERO, ..Limits::default() };
    let error =
        Templates::of_text_within("a", "x{{ 1 }}", late).unwrap().render("a", &json!({})).unwrap_err();
    assert!(matches!(error, TemplateError::TooMuch { .. }), "{error:?}");
}

/// Values are data: what looks like a template in them stays text.
#[test]
fn values_are_not_rendered() {
    let templates = Templates::of_text("a", "{{ x }}").unwrap();
    for text in ["{{ 7 * 7 }}", "{% include '/etc/passwd' %}", "{# #}", "$(id)", "`id`", "\u{0}\r\n"] {
        assert_eq!(templates.render("a", &json!({"x": text})).unwrap(), text);
    }
}
