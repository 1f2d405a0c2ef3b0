//! What the plugin says about itself, and what it says when it has nothing to host.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{check_define, check_page, define, run};

const NUSHELL: &str = env!("CARGO_BIN_EXE_nushell");

#[tokio::test]
async fn define_is_golden() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/define.json");
    check_define(NUSHELL, env!("CARGO_PKG_VERSION"), golden).await.unwrap();
}

#[tokio::test]
async fn the_documentation_names_every_action_and_param() {
    let provider = define(NUSHELL).await.unwrap();
    assert!(!provider.auto_start);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/nushell.md");
    check_page(page, &provider).unwrap();
}

#[tokio::test]
async fn a_record_that_is_none_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.json");
    let text = record.to_str().unwrap();
    let says = async || {
        let printed = run(NUSHELL, &["--extension", text, "define"], &[]).await.unwrap();
        assert_eq!((printed.code, printed.stdout.as_str()), (Some(1), ""), "{}", printed.stderr);
        assert!(printed.stderr.contains(text), "{}", printed.stderr);
        printed.stderr
    };
    assert!(says().await.contains("No such file"));
    std::fs::write(&record, "{\"type\": \"provider\"").unwrap();
    assert!(says().await.contains("no record of an extension"));
    std::fs::write(&record, "{\"type\": \"plugin\", \"name\": \"x\", \"version\": \"1\", \"root\": \"/\"}")
        .unwrap();
    assert!(says().await.contains("unknown variant `plugin`"));
    std::fs::File::create(&record).unwrap().set_len(1 << 30).unwrap();
    assert!(says().await.contains("bytes"));
    // The daemon hears the word that it waits for.
    let printed = run(NUSHELL, &["--extension", text, "listen", "/a", "/b"], &[]).await.unwrap();
    assert!(printed.stdout.contains("Failed"), "{}", printed.stdout);
}
