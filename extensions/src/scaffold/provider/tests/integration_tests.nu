# Tests that need the service. Take `@ignore` away when the settings of a test account are at hand.

use std/assert
use std/testing *
use ../nulib/mod.nu *

@ignore
export def test_full_server_lifecycle [] {
    let config = { hostname: "integration-test", plan: "1xCPU-1GB", zone: "us-east-1" }
    let server = (create-server $config --wait)
    assert $server.success
    assert equal (get-server-info $server.server_id).status "running"
    delete-server $server.server_id
    assert error { get-server-info $server.server_id }
}
