# The operations of my-provider. What `export` names here becomes an action of its plugin.

use std/log
use drp
use utils.nu *
export use create.nu *
export use delete.nu *

export const PROVIDER_NAME = "my-provider"
export const PROVIDER_VERSION = "1.0.0"

# What this provider is.
export def "provider-info" []: nothing -> record {
    {
        name: $PROVIDER_NAME,
        version: $PROVIDER_VERSION,
        type: "provider",
        interface: "API",
        supported_operations: [
            "create-server", "delete-server", "list-servers", "get-server-info", "start-server", "stop-server", "reboot-server"
        ],
        required_auth: ["api_key", "api_secret"],
        supported_os: ["ubuntu-22.04", "debian-12"],
        regions: ["us-east-1", "us-west-2", "eu-west-1"],
    }
}

# Looks at settings.
export def "validate-config" [
    config: record  # auth and api
]: nothing -> record {
    mut errors = []
    mut warnings = []
    if ($config | get -o auth.api_key | is-empty) { $errors = ($errors | append "Missing API key") }
    if ($config | get -o auth.api_secret | is-empty) { $errors = ($errors | append "Missing API secret") }
    let api_url = ($config | get -o api.base_url)
    if ($api_url | is-empty) {
        $errors = ($errors | append "Missing API base URL")
    } else {
        let reachable = (try { http get --max-time 5sec $"($api_url)/health" | ignore; true } catch { false })
        if not $reachable { $warnings = ($warnings | append "API endpoint not reachable") }
    }
    { valid: ($errors | is-empty), errors: $errors, warnings: $warnings }
}

# Logs in.
export def "test-connection" [
    config?: record  # nothing: the settings of the plugin
]: nothing -> record {
    try {
        { success: true, account_info: (api get "/account"), message: "Connection successful" }
    } catch {|e|
        { success: false, error: $e.msg, message: "Connection failed" }
    }
}

# All servers.
export def "list-servers" []: nothing -> list {
    api get "/servers" | each {|server| shown $server }
}

# One server.
export def "get-server-info" [server_id: string]: nothing -> record {
    server $server_id
}

# Starts a server.
export def "start-server" [server_id: string]: nothing -> nothing {
    api post $"/servers/($server_id | url encode --all)/start" | ignore
    wait-for $server_id "running" | ignore
}

# Stops a server.
export def "stop-server" [server_id: string]: nothing -> nothing {
    api post $"/servers/($server_id | url encode --all)/stop" | ignore
    wait-for $server_id "stopped" | ignore
}

# Reboots a server.
export def "reboot-server" [server_id: string]: nothing -> nothing {
    log info $"Rebooting server ($server_id)"
    api post $"/servers/($server_id | url encode --all)/reboot" | ignore
    wait-for $server_id "running" | ignore
}

# What plans cost.
export def "get-pricing" []: nothing -> list {
    api get "/pricing"
}

# Sizes of servers.
export def "get-plans" []: nothing -> list {
    api get "/plans"
}

# Where servers can run.
export def "get-zones" []: nothing -> list {
    api get "/zones"
}

# How one logs in to a server.
export def "get-ssh-access" [server_id: string]: nothing -> record {
    access (server $server_id)
}

# Replaces the rules of a server's firewall.
export def "configure-firewall" [server_id: string, rules: list]: nothing -> nothing {
    api put $"/servers/($server_id | url encode --all)/firewall" { rules: $rules } | ignore
}
