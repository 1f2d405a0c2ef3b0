//! Every test that docs/testing.md names exists.

use std::path::Path;

#[test]
fn the_tests_that_the_matrix_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/testing.md")).unwrap();
    let mut named = 0;
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains(".rs`"));
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let mut text = String::new();
        for word in cell.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                let file = match word.strip_prefix("bmc/") {
                    Some(file) => root.join("plugins/lib/bmc/src").join(file),
                    // Beside the code.
                    None if root.join(word).is_file() => root.join(word),
                    None => root.join("tests/tests").join(word),
                };
                text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{word}: {e}"));
            } else {
                assert!(text.contains(&format!("fn {word}(")), "no test {word} in {cell}");
                named += 1;
            }
        }
    }
    assert!(named > 40, "the matrix names {named} tests");
}
