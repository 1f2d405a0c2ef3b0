//! The parts that are tables: quirks, rules of passwords.

use std::path::Path;
use std::process::{Command, Stdio};

fn template(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/ipmi/content/templates");
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// The quirks that the table has for a BMC with these ids.
fn quirks(device: &str, mfgr: &str, product: &str) -> String {
    let text = template("ipmi-process-quirks.sh.tmpl");
    let (_, chooser) = text.split_once("choose_quirks() {").unwrap();
    let chooser =
        chooser.replace("{{ template \"ipmi-quirks.yaml.tmpl\" . }}\n", &template("ipmi-quirks.yaml.tmpl"));
    let script = format!("choose_quirks() {{{chooser}\nchoose_quirks '{device}' '{mfgr}' '{product}'");
    let output = Command::new("bash").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_row_of_the_table_gives_all_of_its_quirks() {
    for (device, mfgr, product, wanted) in [
        ("32", "674", "256", "ipmi-nodelay ipmi-dell-dedicated-nic"),
        ("19", "11", "8192", "ipmi-nodelay ipmi-hard-reset-after-config"),
        ("33", "343", "62", "ipmi-nodelay ipmi-immutable-rootname"),
        ("32", "2", "220", "ipmi-nodelay ipmi-crossed-access-channels"),
        ("32", "2", "291", "ipmi-nodelay ipmi-crossed-access-channels"),
        ("32", "2", "1", "ipmi-nodelay"),
        ("7", "20301", "9", "ipmi-nodelay"),
        ("32", "47488", "43707", "ipmi-nodelay ipmi-no-ipv6"),
        ("32", "10876", "2084", "ipmi-nodelay ipmi-no-ipv6"),
        ("32", "10876", "2440", "ipmi-nodelay ipmi-no-ipv6"),
        ("1", "7244", "1", "ipmi-nodelay ipmi-immutable-root"),
        // Half a row is none.
        ("32", "674", "257", ""),
        ("32", "10876", "1", ""),
        ("0", "4753", "3842", ""),
        ("", "", "", ""),
    ] {
        assert_eq!(quirks(device, mfgr, product), wanted, "{device} {mfgr} {product}");
    }
    let rows = template("ipmi-quirks.yaml.tmpl").matches("- name:").count();
    assert_eq!(rows, 11, "each row has a line above");
}

fn password(rules: &str) -> Result<String, String> {
    let mut command = Command::new("python3");
    command.args(["-c", &template("ipmi-passgen.py.tmpl"), rules]).stdin(Stdio::null());
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn passwords_keep_their_rules() {
    let count = |text: &str, of: fn(&char) -> bool| text.chars().filter(of).count();
    let mut all = std::collections::BTreeSet::new();
    for (rules, length, lower, upper, digits, special) in [
        ("", 16, 2, 2, 2, 1),
        ("length=20, lower=5, upper=5, digits=5, special=5", 20, 5, 5, 5, 5),
        ("length=8,lower=0,upper=0,digits=8,special=0", 8, 0, 0, 8, 0),
        // As Digital Rebar has it.
        (
            "length=10, chars=7, req_nums=2, special_chars=1, special_char_list=None, upper=2, lower=5, padding=None",
            10,
            5,
            2,
            2,
            1,
        ),
    ] {
        for _ in 0..5 {
            let made = password(rules).unwrap();
            assert_eq!(made.len(), length, "{rules}: {made}");
            for (of, least) in [
                (char::is_ascii_lowercase as fn(&char) -> bool, lower),
                (char::is_ascii_uppercase, upper),
                (char::is_ascii_digit, digits),
                (char::is_ascii_punctuation, special),
            ] {
                assert!(count(&made, of) >= least, "{rules}: {made}");
            }
            assert!(all.insert(made), "twice the same");
        }
    }
    assert!(password("special_char_list=!, special=14, length=20").unwrap().contains('!'));
    for (rules, why) in [
        ("length=21", "8 to 20"),
        ("length=7", "8 to 20"),
        ("length=8, lower=4, upper=4, digits=1", "more characters"),
        ("length=__import__('os').system('touch /tmp/drp-pwned')", "length is not a number"),
        ("colour=red", "is no rule"),
        ("length", "is no rule"),
    ] {
        assert!(password(rules).unwrap_err().contains(why), "{rules}");
    }
    assert!(!Path::new(crate::machine::PWNED).exists());
}
