//! What the template filter `tonu` writes is read back by a real Nushell as it was.

use drp_jinja::Templates;
use drp_tests::peers::nu;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

#[test]
fn any_value_is_read_back_by_nushell() {
    let Some(nu) = nu() else { return };
    let texts = [
        "",
        "a\"b",
        "\\",
        "\\\"",
        "$x",
        "$(touch no)",
        "(touch no)",
        "`touch no`",
        "$env.HOME",
        "'",
        "a\nb",
        "\r",
        "\t",
        "\u{0}",
        "\u{1b}[2J",
        "\u{202e}",
        "é",
        "日本",
        "\u{1F600}",
        "#",
        ";",
        "|",
        "-5",
        "--help",
        "~",
        "*",
        "{a: 1}",
        "[1]",
        "5kb",
        "2026-01-01",
        "null",
        "true",
        "^ls",
        "r#'x'#",
        "\u{7f}",
        "\u{feff}",
        "\\u{41}",
        "\\x41",
        "...",
    ];
    let keys: serde_json::Map<String, Value> =
        texts.iter().map(|text| ((*text).to_owned(), json!(1))).collect();
    let value = json!({
        "texts": texts.to_vec(), "keys": keys, "numbers": [0, -1, 1.5, -0.25, i64::MAX, i64::MIN + 1],
        "nested": [[], {}, [[null, true, false]], {"a b": {"c": []}}],
    });
    // As a value, as an element, and as an argument of a command.
    let script = "def same [x] { $x }\n{ value: {{ x | tonu }}, list: [{{ x | tonu }}], argument: (same {{ x | tonu }}), \
                  texts: [{% for t in x.texts %}(same {{ t | tonu }}), {% endfor %}], \
                  numbers: [{% for n in x.numbers %}(same {{ n | tonu }}), {% endfor %}] } | to json --raw\n";
    let text =
        Templates::of_text("a.nu.j2", script).unwrap().render("a.nu.j2", &json!({"x": value})).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.nu");
    std::fs::write(&file, &text).unwrap();
    let output = Command::new(nu)
        .args(["--no-config-file", "--no-std-lib"])
        .arg(&file)
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["value"], value);
    assert_eq!(read["list"], json!([value]));
    assert_eq!(read["argument"], value);
    assert_eq!((&read["texts"], &read["numbers"]), (&value["texts"], &value["numbers"]));
    assert!(!dir.path().join("no").exists());
}
