# Creating servers.

use std/log
use drp
use utils.nu *

# Creates a server.
export def "create-server" [
    config: record  # Server configuration
    --check         # Check mode only
    --wait          # Wait for completion
]: nothing -> record {
    log info $"Creating server: ($config.hostname)"
    if $check {
        return {
            action: "create-server",
            hostname: $config.hostname,
            check_mode: true,
            would_create: true,
            estimated_time: "2-5 minutes",
        }
    }
    let validation = (validate-server-config $config)
    if not $validation.valid {
        error make { msg: $"Invalid server configuration: ($validation.errors | str join ', ')" }
    }
    let wish = ($config | select -o hostname plan zone os ssh_keys tags firewall_rules | compact-record)
    let response = (api post "/servers" $wish)
    let server_id = $response.id
    log info $"Server creation initiated: ($server_id)"
    drp progress 30 $"($server_id) is being created"
    if not $wait {
        return {
            success: true,
            server_id: $server_id,
            hostname: $config.hostname,
            status: "creating",
            message: "Server creation in progress",
        }
    }
    let server = (wait-for $server_id "running")
    {
        success: true,
        server_id: $server_id,
        hostname: $config.hostname,
        status: $server.status,
        ip_addresses: $server.ip_addresses,
        ssh_access: (access $server),
    }
}

def validate-server-config [config: record] {
    mut errors = []
    for field in [hostname plan zone] {
        if ($config | get -o $field | is-empty) {
            $errors = ($errors | append $"($field | str capitalize) is required")
        }
    }
    if ($errors | is-empty) {
        if $config.plan not-in (api get "/plans" | get name) {
            $errors = ($errors | append $"Invalid plan: ($config.plan)")
        }
        if $config.zone not-in (api get "/zones" | get name) {
            $errors = ($errors | append $"Invalid zone: ($config.zone)")
        }
    }
    { valid: ($errors | is-empty), errors: $errors }
}

# Without the fields that have no value.
def compact-record [] {
    let all = $in
    $all | columns | where {|name| ($all | get $name) != null } | reduce --fold {} {|name, kept|
        $kept | insert $name ($all | get $name)
    }
}
