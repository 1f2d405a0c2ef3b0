# Tests that need no cloud: `drp ext test extensions/providers/mockcloud`.

use std/assert
use ../nulib/mod.nu *
use ../nulib/utils.nu [segment shown access]

export def test_a_dry_run_needs_neither_key_nor_service [] {
    let said = (create-server { hostname: "web-01" } --check)
    assert equal $said.hostname "web-01"
    assert $said.check_mode
    assert $said.would_create
}

export def test_a_server_without_a_name_is_refused [] {
    assert error { create-server { plan: "1xCPU-1GB" } --check }
}

export def test_settings_without_a_key_are_not_valid [] {
    let said = (validate-config { api: { base_url: "http://127.0.0.1:9" } })
    assert not $said.valid
    assert equal $said.errors ["auth.api_key is missing"]
    assert equal ($said.warnings | length) 1
}

export def test_texts_become_one_segment_of_a_path [] {
    for text in ["a/../b" "a?b=c" "a#b" "ä b" ".."] {
        assert ((segment $text) !~ '[/?# ]') $text
    }
}

export def test_a_server_that_has_no_address_cannot_be_reached [] {
    assert error { access { id: "srv-1", status: "creating", ip_addresses: [] } }
    assert equal (access { id: "srv-1", status: "running", ip_addresses: ["192.0.2.2"] }).host "192.0.2.2"
}

export def test_every_operation_is_named_by_provider_info [] {
    assert ("create-server" in (provider-info).supported_operations)
}
