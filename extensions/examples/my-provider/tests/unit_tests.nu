# Unit tests: nothing is asked of the service.

use std/assert
use ../nulib/mod.nu *

export def test_provider_config_validation [] {
    let config = {
        auth: { api_key: "test-key", api_secret: "test-secret" },
        api: { base_url: "http://127.0.0.1:9" },
    }
    let result = (validate-config $config)
    assert ($result.valid == true)
    assert ($result.errors | is-empty)
    assert equal $result.warnings ["API endpoint not reachable"]
}

export def test_missing_credentials [] {
    let result = (validate-config { api: { base_url: "http://127.0.0.1:9" } })
    assert ($result.valid == false)
    assert equal ($result.errors | length) 2
}

export def test_server_creation_check_mode [] {
    let config = { hostname: "test-server", plan: "1xCPU-1GB", zone: "us-east-1" }
    let result = (create-server $config --check)
    assert ($result.check_mode == true)
    assert ($result.would_create == true)
}
