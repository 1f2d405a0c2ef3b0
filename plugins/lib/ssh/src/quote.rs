//! Words for the shell of the other side. SSH carries one command line, which the login shell there splits again.

/// One word, in quotes that no POSIX shell (nor csh or fish) looks into. The quote itself ends them, and so stands
/// outside; so does the backslash, which fish takes for an escape inside, too.
#[must_use]
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str(r"'\''"),
            '\\' => out.push_str(r"'\\'"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A whole command line.
#[must_use]
pub fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{line, word};
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn words_arrive_as_they_were() {
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word(""), "''");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(r"a\"), r"'a'\\''");
        assert_eq!(line(["VBoxManage", "startvm", "$(reboot)"]), "VBoxManage startvm '$(reboot)'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// What a shell makes of them.
        #[test]
        fn a_shell_gives_them_back(words in proptest::collection::vec("[^\0]{0,12}", 1..4)) {
            let command = format!("printf '%s\\0' {}", line(words.iter().map(String::as_str)));
            let output = Command::new("/bin/sh").arg("-c").arg(&command).output().unwrap();
            let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
            prop_assert_eq!(output.stdout, expected.into_bytes());
        }
    }
}
