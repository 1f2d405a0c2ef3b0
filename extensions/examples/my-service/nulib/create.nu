# Installing.

use std/log
use drp
use utils.nu *

# Installs the service, or brings what is there to that version.
export def "install" [
    config: record = {}  # What `Config` of schemas/contracts.ncl describes
    --version: string    # Specific version to install; nothing: the newest
    --check              # Check mode only
    --wait               # It always waits; there is nothing to do in the background
]: nothing -> record {
    if $check {
        return {
            action: "install",
            service: "my-service",
            version: ($version | default "latest"),
            check_mode: true,
            would_install: true,
            requirements_met: (check-requirements),
        }
    }
    let requirements = (check-requirements)
    if not $requirements.met {
        drp fail $"Requirements not met: ($requirements.missing | str join ', ')" --code 422
    }
    let version = ($version | default (available-versions | first))
    log info $"Installing my-service version ($version)"
    drp progress 20 $"downloading ($version)"
    install-binary (download-binary $version) $version
    drp progress 60 "configuring"
    write-config $config
    write-unit
    systemctl daemon-reload
    systemctl enable
    systemctl restart
    drp progress 80 "waiting until it is well"
    let health = (await-health)
    if not $health.healthy {
        drp fail $"Service failed health check after installation: ($health.error)" --code 502
    }
    { success: true, service: "my-service", version: $version, status: "running", health: $health }
}
