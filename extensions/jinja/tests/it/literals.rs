use drp_jinja::Templates;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::process::Command;

fn render(text: &str, value: &Value) -> String {
    Templates::of_text("a", text).unwrap().render("a", &json!({"x": value})).unwrap()
}

/// What a real shell makes of a list of words.
fn words(text: &str) -> Vec<String> {
    let script = format!("printf '%s\\0' {text}");
    let output = Command::new("sh").arg("-c").arg(script).env_clear().output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{text:?}");
    let mut words: Vec<String> =
        output.stdout.split(|b| *b == 0).map(|w| String::from_utf8(w.to_vec()).unwrap()).collect();
    words.pop();
    words
}

const HOSTILE: &[&str] = &[
    "",
    " ",
    "a b",
    "it's",
    "\"",
    "\\",
    "$(touch /tmp/no)",
    "`id`",
    "${HOME}",
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "\n",
    "a\nb\n",
    "-rf",
    "--",
    "*",
    "~",
    "#x",
    "!x",
    "a=b",
    "\t",
    "\r",
    "é",
    "日本",
    "\u{1b}[2J",
    "{a,b}",
    "[a]",
    "'\\''",
    "''",
    "%s",
    "%{x}",
    "\u{7f}",
];

#[test]
fn a_shell_reads_the_same_words() {
    let text = render("{{ x | sh }}", &json!(HOSTILE));
    assert_eq!(words(&text), HOSTILE);
    for word in HOSTILE {
        assert_eq!(words(&render("{{ x | quote }}", &json!(word))), [*word]);
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Of those, serde_json reads back every digit.
        (-1_000_000..1_000_000).prop_map(|quarters| json!(f64::from(quarters) / 4.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_one_word(text in "[^\0]{0,40}") {
        prop_assert_eq!(words(&render("{{ x | sh }}", &json!(text))), [text]);
    }

    #[test]
    fn any_value_is_read_back_from_json(value in json_value()) {
        for text in ["{{ x | tojson }}", "{{ x | tojson(2) }}", "{{ x | tojson(indent=4) }}"] {
            let read: Value = serde_json::from_str(&render(text, &value)).unwrap();
            prop_assert_eq!(&read, &value);
        }
    }

    #[test]
    fn any_value_is_read_back_from_yaml(value in json_value()) {
        let read: Value = serde_yaml_ng::from_str(&render("{{ x | toyaml }}", &value)).unwrap();
        prop_assert_eq!(&read, &value);
        let read: Value = serde_yaml_ng::from_str(&render("a:\n  b:\n    {{ [x] | toyaml(indent=4) }}\n", &value)).unwrap();
        prop_assert_eq!(read, json!({"a": {"b": [value]}}));
    }

    #[test]
    fn any_template_ends(text in ".{0,60}|(\\{\\{|\\}\\}|\\{%|%\\}|x|[|.()'\" ]|for|if|in|set|end|include){0,20}") {
        if let Ok(templates) = Templates::of_text("a", text) {
            let _ = templates.render("a", &json!({"x": [1, "a", {"b": null}]}));
        }
    }
}
