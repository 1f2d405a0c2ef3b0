# Creating servers.

use drp
use utils.nu *

# Creates a server.
export def "create-server" [
    config: record  # hostname, plan, zone, os, ssh_keys, tags, firewall_rules (drp/server.ncl, ServerConfig)
    --check         # say what would be done
    --wait          # until it runs
]: nothing -> record {
    let hostname = ($config | get -o hostname)
    if ($hostname | is-empty) { drp fail "config.hostname is missing" --code 422 --hint "name the server" }
    if $check {
        return {
            action: "create-server",
            hostname: $hostname,
            check_mode: true,
            would_create: true,
            estimated_time: "less than a minute",
        }
    }
    let defaults = (drp settings | get -o defaults | default {})
    let wish = (
        $defaults
        | select -o plan zone os ssh_keys firewall_rules
        | merge $config
        | transpose name value
        | where value != null
        | transpose --header-row --as-record
    )
    for field in [plan zone] {
        if ($wish | get -o $field | is-empty) {
            drp fail $"config.($field) is missing" --code 422 --hint $"name a ($field), or set defaults.($field)"
        }
    }
    drp progress 10 $"asking for ($hostname)"
    # The key makes a repeated request harmless, so it may be repeated.
    let server = (ask post "/servers" $wish --again --once-key (random uuid))
    drp progress 40 $"($server.id) is being created"
    if not $wait {
        return {
            success: true,
            server_id: $server.id,
            hostname: $hostname,
            status: $server.status,
            message: "it is being created",
        }
    }
    let server = (await-status $server.id "running" 10min)
    drp progress 100 $"($server.id) runs"
    {
        success: true,
        server_id: $server.id,
        hostname: $hostname,
        status: $server.status,
        ip_addresses: $server.ip_addresses,
        ssh_access: (access $server),
    }
}
