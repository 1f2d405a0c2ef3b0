//! The command line (wire-protocol §1.1).

use crate::binary;
use drp_plugin_testkit::{FakeDaemon, define, run, unpack};

#[tokio::test]
async fn verbs_and_exit_statuses() {
    let daemon = FakeDaemon::start().await.unwrap();
    let probe = binary(&daemon);
    let output = run(&probe, &["version"], &[]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Version: v1.0.0\n"));
    let output = run(&probe, &["listen", "/only-one"], &[]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), "Failed\n"));
    assert!(output.stderr.contains("Error: listen takes two arguments"), "{}", output.stderr);
    let output = run(&probe, &["listen", "/nowhere/to", "/nowhere/from"], &[]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), "Failed\n"));
    assert!(output.stderr.contains("Error: cannot listen on /nowhere/to: No such file"), "{}", output.stderr);
    let long = format!("/tmp/{}", "x".repeat(110));
    let output = run(&probe, &["listen", &long, "/nowhere/from"], &[]).await.unwrap();
    assert!(output.stderr.contains("longer than 107 bytes"), "{}", output.stderr);
    for words in [&["help"][..], &[], &["-h"]] {
        let output = run(&probe, words, &[]).await.unwrap();
        assert_eq!(output.code, Some(0));
        assert!(output.stdout.contains("listen TO FROM"), "{}", output.stdout);
    }
    let completion = daemon.path("completion");
    let output = run(&probe, &["autocomplete", completion.to_str().unwrap()], &[]).await.unwrap();
    assert_eq!(output.code, Some(0));
    assert!(std::fs::read_to_string(&completion).unwrap().contains("complete -F _probe 'probe'"));
    unpack(&probe, &daemon.path("deep/er")).await.unwrap();
    assert_eq!(std::fs::read_to_string(daemon.path("deep/er/probe.txt")).unwrap(), "unpacked");
}

#[tokio::test]
async fn define_is_validated_unless_for_a_catalogue() {
    let daemon = FakeDaemon::start().await.unwrap();
    let probe = binary(&daemon);
    assert_eq!(define(&probe).await.unwrap().documentation, "");
    let output = run(&probe, &["define"], &[("RS_TOKEN", "x")]).await.unwrap();
    assert!(output.stdout.contains("\"Documentation\": \"validated\""), "{output:?}");
    let output =
        run(&probe, &["-d", "define", "extra"], &[("RS_TOKEN", "x"), ("PROBE_INVALID", "1")]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    assert!(output.stderr.contains("Error: plugin: plugin/probe: not valid here"), "{}", output.stderr);
}
