# Deleting servers.

use std/log
use utils.nu *

# Deletes a server.
export def "delete-server" [server_id: string]: nothing -> nothing {
    api delete $"/servers/($server_id | url encode --all)" | ignore
    log info $"Server deleted: ($server_id)"
}
