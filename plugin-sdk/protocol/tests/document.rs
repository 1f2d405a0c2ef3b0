//! The protocol's page says what the code says.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_protocol::wire;

const PAGE: &str = include_str!("../../../docs/plugin-protocol.md");

#[test]
fn the_page_is_short_and_names_every_word_of_the_wire() {
    assert!(PAGE.lines().count() < 150, "the whole protocol is under 150 lines");
    let socket_path_max = wire::SOCKET_PATH_MAX.to_string();
    for word in [
        wire::CONFIG,
        wire::ACTION,
        wire::PUBLISH,
        wire::STOP,
        wire::SERVER_PREFIX,
        wire::SERVER_PREFIX_DOCUMENTED,
        wire::READY,
        wire::FAILED,
        wire::LOG_REQUEST,
        wire::LOG_TOKEN,
        wire::REQUEST_ID,
        wire::ENV_ENDPOINT,
        wire::ENV_TOKEN,
        wire::ENV_FILESERVER,
        wire::ENV_WEBROOT,
        wire::ENV_STAYS,
        wire::TOKEN_CATALOG,
        &socket_path_max,
    ] {
        assert!(PAGE.contains(word), "{word} is not in docs/plugin-protocol.md");
    }
}

#[test]
fn the_page_shows_what_decodes() {
    let block = |start: &str| {
        let from = PAGE.find(start).unwrap();
        let text = &PAGE[from..];
        text[..text.find("```").unwrap()]
            .replace("\\\"meta\\\": {…}, \\\"sections\\\": {\\\"params\\\": {…}}", "")
    };
    let provider: drp_protocol::PluginProvider =
        serde_json::from_str(&block("{ \"Name\": \"lamp\"")).unwrap();
    assert_eq!(
        (provider.available_actions.len(), provider.plugin_version),
        (2, drp_protocol::PLUGIN_VERSION)
    );
}
