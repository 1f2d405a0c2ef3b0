use drp_jinja::{TemplateError, Templates};
use serde_json::{Value, json};

fn error(text: &str, context: &Value) -> TemplateError {
    Templates::of_text("a.j2", text).and_then(|templates| templates.render("a.j2", context)).unwrap_err()
}

/// Template, what is told, and the hint.
#[test]
fn errors_name_place_and_variable() {
    let context = json!({"server": {"hostname": "web", "zone": "z1"}, "packages": ["a"]});
    let mut wrong = Vec::new();
    for (text, told, hint) in [
        (
            "a\n  {{ packagse }}",
            "template a.j2, line 2, column 6: `packagse` is undefined",
            "did you mean `packages`?",
        ),
        (
            "{{ server.hostnme | sh }}",
            "template a.j2, line 1, column 4: `server.hostnme` is undefined",
            "did you mean `server.hostname`?",
        ),
        (
            "{% if server.plan %}x{% endif %}",
            "template a.j2, line 1, column 7: `server.plan` is undefined",
            "put it into the context, or write `server.plan | default(…)` or `{% if server.plan is defined %}`",
        ),
        (
            "{% for x in nothing %}{{ x }}{% endfor %}",
            "template a.j2, line 1, column 13: `nothing` is undefined",
            "put it into the context, or write `nothing | default(…)` or `{% if nothing is defined %}`",
        ),
        ("{{ [nope] | tojson }}", "template a.j2, line 1, column 5: `nope` is undefined", "put it"),
        ("a\n{% if %}", "template a.j2, line 2, column 7: unexpected end of block", ""),
        (
            "{{ a",
            "template a.j2, line 1, column 4: unexpected end of input, expected end of variable block",
            "",
        ),
        (
            "{{ 'x' | quot }}",
            "template a.j2, line 1, column 10: there is no filter `quot`",
            "did you mean `quote`?",
        ),
        (
            "{{ rang(3) }}",
            "template a.j2, line 1, column 4: there is no function `rang`",
            "did you mean `range`?",
        ),
        ("{{ server | sh }}", "template a.j2, line 1, column 13: a record is no word; use `tojson | sh`", ""),
        ("{% include 'b.j2' %}", "there is no template b.j2", ""),
    ] {
        let error = error(text, &context);
        let hinted = error.hint().unwrap_or_default();
        if error.to_string() != told || !hinted.starts_with(hint) || hinted.is_empty() != hint.is_empty() {
            wrong.push(format!("{text}\n  {error}\n  {hinted}\n  {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_undefined_may_have_a_default() {
    let render = |text: &str| Templates::of_text("a", text).unwrap().render("a", &json!({"a": {}})).unwrap();
    assert_eq!(render("{{ x | default('y') | sh }}"), "y");
    assert_eq!(render("{% if a.b is defined %}1{% else %}2{% endif %}"), "2");
}

#[test]
fn errors_hold_no_value_of_the_context() {
    let context = json!({"password": "canary-7261", "n": 1});
    for text in [
        "{{ passwd }}{{ password }}",
        "{{ password.x.y }}",
        "{{ password | tojson(indent=99) }}",
        "{{ password + n }}",
        "{{ password | int }}",
        "{{ password | nofilter }}",
        "{% for a, b in [password] %}{% endfor %}",
    ] {
        let Err(error) = Templates::of_text("a", text).unwrap().render("a", &context) else {
            panic!("{text}")
        };
        let all = format!("{error} {error:?} {:?}", error.hint());
        assert!(!all.contains("canary"), "{text}: {all}");
    }
}

#[test]
fn variables_are_not_dumped() {
    let error = error("{{ debug() }}", &json!({"password": "canary"}));
    assert!(matches!(error, TemplateError::Unknown { what: "function", .. }), "{error:?}");
}
