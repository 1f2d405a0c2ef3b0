# Provider of the mock cloud.

use drp
use utils.nu *
export use create.nu *
export use delete.nu *

const NAME = "mockcloud"
const VERSION = "1.0.0"

# What this provider is.
export def "provider-info" []: nothing -> record {
    {
        name: $NAME,
        version: $VERSION,
        type: "provider",
        interface: "API",
        supported_operations: [
            create-server delete-server list-servers get-server-info start-server stop-server reboot-server
            get-plans get-pricing get-zones get-ssh-access configure-firewall
        ],
        required_auth: [api_key],
        supported_os: ["ubuntu-22.04" "debian-12"],
        regions: ["us-east-1" "us-west-2" "eu-west-1"],
    }
}

# Looks at settings, and whether the service is there.
export def "validate-config" [
    config: record  # auth and api
]: nothing -> record {
    mut errors = []
    mut warnings = []
    if ($config | get -o auth.api_key | is-empty) { $errors = ($errors | append "auth.api_key is missing") }
    let url = ($config | get -o api.base_url)
    if ($url | is-empty) {
        $errors = ($errors | append "api.base_url is missing")
    } else {
        let there = (try { http get --max-time 5sec $"($url)/health" | ignore; true } catch { false })
        if not $there { $warnings = ($warnings | append $"nothing answers at ($url)") }
    }
    { valid: ($errors | is-empty), errors: $errors, warnings: $warnings }
}

# Logs in.
export def "test-connection" [
    config?: record  # nothing: the plugin's own settings
]: nothing -> record {
    try {
        { success: true, account_info: (ask get "/account" --again), message: "connected" }
    } catch {|e|
        { success: false, error: $e.msg, message: "not connected" }
    }
}

# All servers.
export def "list-servers" []: nothing -> list {
    ask get "/servers" --again | each {|server| shown $server }
}

# One server.
export def "get-server-info" [
    server_id: string  # its id
]: nothing -> record {
    shown (ask get $"/servers/(segment $server_id)" --again)
}

# Starts a server.
export def "start-server" [
    server_id: string  # its id
]: nothing -> record {
    turn $server_id start running
}

# Stops a server.
export def "stop-server" [
    server_id: string  # its id
]: nothing -> record {
    turn $server_id stop stopped
}

# Reboots a server.
export def "reboot-server" [
    server_id: string  # its id
]: nothing -> record {
    turn $server_id reboot running
}

# Starting what runs and stopping what is stopped does no harm; a second reboot would be one.
def turn [server_id: string, verb: string, becomes: string] {
    let path = $"/servers/(segment $server_id)/($verb)"
    if $verb == "reboot" { ask post $path } else { ask post $path --again } | ignore
    let server = (await-status $server_id $becomes 2min)
    { success: true, server_id: $server_id, hostname: $server.hostname, status: $server.status }
}

# What plans cost.
export def "get-pricing" []: nothing -> list {
    ask get "/pricing" --again
}

# Sizes of servers.
export def "get-plans" []: nothing -> list {
    ask get "/plans" --again | each {|plan|
        { name: $plan.name, cpus: $plan.cpus, memory: $plan.memory_mb, storage: $plan.storage_gb }
    }
}

# Where servers can run.
export def "get-zones" []: nothing -> list {
    ask get "/zones" --again
}

# How one logs in to a server.
export def "get-ssh-access" [
    server_id: string  # its id
]: nothing -> record {
    access (ask get $"/servers/(segment $server_id)" --again)
}

# Replaces the rules of a server's firewall.
export def "configure-firewall" [
    server_id: string  # its id
    rules: list        # rules, the first that fits decides (drp/server.ncl, FirewallRule)
]: nothing -> record {
    ask put $"/servers/(segment $server_id)/firewall" { rules: $rules } --again | ignore
    { success: true, server_id: $server_id, rules: ($rules | length) }
}
