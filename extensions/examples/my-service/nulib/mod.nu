# The operations of my-service. What `export` names here becomes an action of its plugin.

use std/log
use drp
use utils.nu *
export use create.nu *
export use delete.nu *

export const SERVICE_NAME = "my-service"
export const SERVICE_VERSION = "1.0.0"

# What this task service is.
export def "taskserv-info" []: nothing -> record {
    {
        name: $SERVICE_NAME,
        version: $SERVICE_VERSION,
        type: "taskserv",
        category: "application",
        description: "Custom application service",
        dependencies: [],
        ports: [8080, 9090],
        config_files: ["/etc/my-service/config.yaml"],
        data_directories: ["/var/lib/my-service"],
    }
}

# Writes the configuration anew and restarts the service.
export def "configure" [
    config: record  # What `Config` of schemas/contracts.ncl describes
]: nothing -> record {
    must-be-installed
    write-config $config
    systemctl restart
    let health = (await-health)
    { success: $health.healthy, service: $SERVICE_NAME, status: (systemctl-word), health: $health }
}

# How it is.
export def "status" [
    config: record = {}
]: nothing -> record {
    let version = (installed-version)
    let word = (systemctl-word)
    {
        service: $SERVICE_NAME,
        version: $version,
        status: (if $version == null { "absent" } else if $word == "active" { "running" } else { "stopped" }),
        systemd_status: $word,
        health: (check-health),
    }
}

# Restarts it.
export def "restart" [
    config: record = {}
]: nothing -> nothing {
    must-be-installed
    systemctl restart
    await-health | ignore
}

# Goes to another version, and back to the one before when the new one is not well.
export def "upgrade" [
    version: string
]: nothing -> record {
    must-be-installed
    let before = (installed-version)
    install-binary (download-binary $version) $version
    systemctl restart
    let health = (await-health)
    if not $health.healthy {
        log warning $"($version) is not well, going back to ($before)"
        install-binary (download-binary $before) $before
        systemctl restart
        await-health | ignore
        drp fail $"Version ($version) of ($SERVICE_NAME) is not well: ($health.error); ($before) runs again" --code 502
    }
    { success: true, service: $SERVICE_NAME, version: $version, previous_version: $before }
}

# The version that is there, empty when none is.
export def "get-current-version" []: nothing -> string {
    installed-version | default ""
}

# What can be installed, the newest first.
export def "get-available-versions" []: nothing -> list {
    available-versions
}

# Whether there is a newer one.
export def "check-updates" []: nothing -> record {
    let latest = (available-versions | first)
    let current = (installed-version)
    { current_version: $current, latest_version: $latest, update_available: ($current != $latest) }
}
