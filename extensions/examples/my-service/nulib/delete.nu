# Removing.

use std/log
use drp
use utils.nu *

# Stops the service and removes its files.
export def "uninstall" [
    config: record = {}
    --force      # Go on when it cannot be stopped
    --keep-data  # Keep its data
]: nothing -> nothing {
    try { systemctl stop; systemctl disable } catch {|e|
        if not $force { drp fail $"my-service cannot be stopped: ($e.msg)" --hint "--force removes it all the same" }
        log warning $"Failed to stop my-service: ($e.msg)"
    }
    let files = [usr/local/bin/my-service usr/local/bin/my-service.version etc/systemd/system/my-service.service]
    $files | each {|file| rm --force (place $file) } | ignore
    rm --force --recursive (place "etc/my-service")
    if not $keep_data { rm --force --recursive (place "var/lib/my-service") }
    try { systemctl daemon-reload } catch {|e| log warning $e.msg }
    log info "my-service uninstalled"
}
