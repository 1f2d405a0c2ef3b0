//! What content writes, rendered.

use super::{Source, TemplateError, check, render};
use serde_json::{Value, json};
use std::sync::Arc;

struct Rack;

impl Source for Rack {
    fn data(&self) -> Value {
        json!({"Machine": {"Name": "r1.example.net", "Address": "192.0.2.7"}, "ApiURL": "https://192.0.2.1:8092"})
    }

    fn call(&self, method: &str, args: &[Value]) -> Result<Value, String> {
        let name = args.first().and_then(Value::as_str).unwrap_or_default();
        Ok(match (method, name) {
            ("Param", "disks") => json!(["sda", "sdb"]),
            ("Param", "motd") => json!("on {{ .Machine.Name }} with {{ len (.Param \"disks\") }} disks"),
            ("Param", "map") => json!({"b": 2, "a": {"c": "{{.Machine.Address}}"}}),
            ("Param", "loop") => json!("{{ .ParamExpand \"loop\" }}"),
            ("Param", "big") => json!(18_446_744_073_709_551_615_u64),
            ("ParamExists", name) => json!(name == "disks"),
            ("Param", other) => return Err(format!("no param {other}")),
            ("Machine.MacAddr", "") => json!("aa-bb"),
            (other, _) => return Err(format!("{other} is not there")),
        })
    }

    fn template(&self, id: &str) -> Option<String> {
        match id {
            "part.tmpl" => Some("[{{ .Machine.Name }}{{ template \"inner\" . }}]".to_owned()),
            "inner" => Some("!".to_owned()),
            "me" => Some("{{ callTemplate \"me\" . }}".to_owned()),
            "broken" => Some("x\ny\n{{ if".to_owned()),
            _ => None,
        }
    }
}

fn rendered(text: &str) -> String {
    render("t", text, Arc::new(Rack)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    render("t", text, Arc::new(Rack)).unwrap_err().to_string()
}

#[test]
fn what_content_writes() {
    for (text, expected) in [
        (r#"{{ range $i, $d := .Param "disks" }}{{ $i }}={{ $d }} {{ end }}"#, "0=sda 1=sdb "),
        (r#"{{ if .ParamExists "disks" }}yes{{ else }}no{{ end }}"#, "yes"),
        (r#"{{ if .ParamExists "x" }}yes{{ else }}no{{ end }}"#, "no"),
        (r#"{{ .Param "disks" | join "," }}/{{ join "," (.Param "disks") }}"#, "sda,sdb/sda,sdb"),
        (r#"{{ .ParamExpand "motd" }}"#, "on r1.example.net with 2 disks"),
        (r#"{{ (.ParamExpand "map").a.c }}"#, "192.0.2.7"),
        (r#"{{ .ParamAsJSON "map" }}"#, r#"{"a":{"c":"{{.Machine.Address}}"},"b":2}"#),
        (r#"{{ .Param "big" }}"#, "18446744073709551615"),
        (r#"{{ template "part.tmpl" . }}"#, "[r1.example.net!]"),
        (r#"{{ .CallTemplate "part.tmpl" . | upper }}"#, "[R1.EXAMPLE.NET!]"),
        (r#"{{ define "own" }}<{{ . }}>{{ end }}{{ template "own" "x" }}"#, "<x>"),
        ("{{ .Machine.MacAddr }}", "aa-bb"),
        (
            r#"{{ $x := .Param "disks" | first }}{{ with $x }}{{ $.Machine.Name }} {{ . }}{{ end }}"#,
            "r1.example.net sda",
        ),
        (r#"{{ range (.Param "disks") }}{{ $.ParamExists "disks" }} {{ end }}"#, "true true "),
        (r#"{{ (split "." .Machine.Name)._0 }}"#, "r1"),
        (r#"{{ splitList "." .Machine.Name | last }}"#, "net"),
        (r#"{{ default "d" "" }}{{ default "d" "e" }}{{ ternary "y" "n" true }}"#, "dey"),
        (r#"{{ "a-b" | replace "-" "_" | quote }}"#, r#""a_b""#),
        ("{{ add 1 2 3 }} {{ sub 5 2 }} {{ mul 2 3 }} {{ div 7 2 }} {{ mod 7 2 }}", "6 3 6 3 1"),
        (r#"{{ indent 2 "a\nb" }}{{ "c" | nindent 1 }}"#, "  a\n  b\n c"),
        (
            r#"{{ $d := dict "a" 1 "b" "x" }}{{ $d.b }}{{ get $d "a" }}{{ hasKey $d "c" }}{{ keys $d }}"#,
            "x1false[a b]",
        ),
        (r#"{{ list 1 "a" | toJson }}{{ (fromJson "{\"a\":[1]}").a }}"#, r#"[1,"a"][1]"#),
        (r#"{{ regexReplaceAll "[^a-z]" "a1b2" "-" }}{{ regexMatch "^a" "ab" }}"#, "a-b-true"),
        (
            r#"{{ b64enc "ü" | b64dec }}{{ trimSuffix ".net" .Machine.Name }}{{ substr 1 3 "abcd" }}"#,
            "ür1.examplebc",
        ),
        ("a {{- /* no */ -}} b{{/* .Param */}}", "ab"),
        ("{{ range until 3 }}{{ . }}{{ end }}", "012"),
        (
            r#"{{ base "/a/b.iso" }} {{ dir "/a/b" }} {{ ext "b.iso" }} {{ hostPart "[::1]:80" }}"#,
            "b.iso /a .iso ::1",
        ),
        (r#"{{ $d := dict "a" 1 }}{{ $d = set $d "b" 2 }}{{ toJson $d }}"#, r#"{"a":1,"b":2}"#),
    ] {
        assert_eq!(rendered(text), expected, "{text}");
    }
}

#[test]
fn errors_name_the_template_and_the_line() {
    for (text, expected) in [
        ("a\nb {{ .Param \"nope\" }}", "template t: line 2: no param nope"),
        ("a\n\n{{ fail \"give an address\" }}", "template t: line 3: give an address"),
        ("{{ template \"broken\" . }}", "template broken: line 3: "),
        ("{{ .CallTemplate \"gone\" . }}", "template t: line 1: template gone does not exist"),
        ("{{ nothing 1 }}", "template t: line 1: "),
        ("x\n{{ end }}", "template t: line 2: "),
    ] {
        let error = refused(text);
        assert!(error.starts_with(expected), "{text}: {error}");
        assert!(!error.contains("drp_"), "{error}");
    }
    assert!(check("ok", "{{ .Param \"whatever\" }}{{ template \"elsewhere\" . }}").is_ok());
    assert!(matches!(check("no", "\n{{ .Param \"a\" "), Err(TemplateError::Parse { .. })));
}

#[test]
fn nothing_runs_for_ever_or_fills_memory() {
    for text in [
        "{{ .ParamExpand \"loop\" }}",
        "{{ callTemplate \"me\" . }}",
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ repeat 100000000 \"abc\" }}",
        "{{ until 100000000 }}",
        "{{ range until 9999 }}{{ range until 9999 }}{{ range until 9999 }}x{{ end }}{{ end }}{{ end }}",
        "{{ $a := repeat 1000000 \"x\" }}{{ range until 9999 }}{{ $a }}{{ end }}",
        "{{ add 9223372036854775807 1 }}{{ div 1 0 }}",
        "{{ regexMatch \"(a{1000}){1000}\" \"x\" }}",
    ] {
        let error = refused(text);
        assert!(error.starts_with("template "), "{text}: {error}");
    }
    let deep = "{{ if 1 }}".repeat(5000);
    assert!(check("deep", &deep).is_err());
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    assert!(check("parens", &parens).is_err());
    // None of these may end the process, whatever they are.
    for (before, middle, after) in [
        ("{{ if 1 }}{{ else if 1 }}", "", "{{ end }}"),
        ("{{ else if 1 }}", "{{ if 1 }}", ""),
        (".a", "", ""),
        ("{{ 1 ", "", "}}"),
    ] {
        let text = format!("{}{middle}{}", before.repeat(20_000), after.repeat(20_000));
        let _ = check("many", &text);
    }
    for (start, middle, end) in [
        ("{{ if 1 }}", "{{ else if 1 }}", "{{ end }}"),
        ("{{ .x", ".a", "}}"),
        ("{{ 1", " | print", "}}"),
        ("{{ print", " 1", "}}"),
        ("{{ $x := ", "print ", "1 }}"),
        ("{{ ", "(print ", "1 }}"),
        ("{{ -", "-", "1 }}"),
    ] {
        let _ = render("many", &format!("{start}{}{end}", middle.repeat(50_000)), Arc::new(Rack));
    }
    assert!(matches!(check("long", &"x".repeat(2 << 20)), Err(TemplateError::TooLong { .. })));
}
