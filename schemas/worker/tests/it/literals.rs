//! What the template filter `tonickel` writes is read back by Nickel as it was.

use crate::evaluator;
use drp_jinja::Templates;
use drp_schemas::{Document, Format};
use serde_json::{Value, json};

fn hostile() -> Value {
    let texts = [
        "",
        "a\"b",
        "\\",
        "\\\"",
        "%{std.fail_with \"x\"}",
        "%%{1}",
        "%",
        "a%",
        "%\\{",
        "'",
        "m%\"x\"%",
        "a\nb",
        "\r",
        "\r\n",
        "a\rb",
        "\t",
        "\u{0}",
        "\u{1b}[2J",
        "\u{202e}",
        "é",
        "日本",
        "\u{1F600}",
        "import \"/etc/passwd\"",
        "#",
        "${x}",
        "`",
        "\u{7f}",
        "\u{feff}",
    ];
    let numbers = json!([0, -1, 1.5, -0.25, 1e21, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64]);
    let keys: serde_json::Map<String, Value> =
        texts.iter().map(|text| ((*text).to_owned(), json!(1))).collect();
    json!({"texts": texts.to_vec(), "numbers": numbers, "keys": keys, "nested": [[], {}, [[null, true, false]], {"a b": {"c": []}}]})
}

#[tokio::test]
async fn any_value_is_read_back_by_nickel() {
    let (evaluator, _folder) = evaluator(|_| {});
    let templates =
        Templates::of_text("a.ncl.j2", "let id = fun x => x in { value = id {{ x | tonickel }} }\n").unwrap();
    let mut values = vec![hostile()];
    values.extend(hostile()["texts"].as_array().unwrap().iter().cloned());
    values.extend(hostile()["numbers"].as_array().unwrap().iter().cloned());
    for value in values {
        let text = templates.render("a.ncl.j2", &json!({"x": value})).unwrap();
        let read = evaluator.evaluate(&Document::text("a.ncl".to_owned(), Format::Nickel, &text)).await;
        assert_eq!(read.unwrap_or_else(|e| panic!("{e}: {text}")).value, json!({"value": value}), "{text}");
    }
}
