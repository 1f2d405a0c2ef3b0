# Deleting servers.

use drp
use utils.nu *

# Deletes a server. One that is gone already is no error.
export def "delete-server" [
    server_id: string  # its id
]: nothing -> record {
    let gone = (ask delete $"/servers/(segment $server_id)" --again --absent "absent")
    if $gone == "absent" { drp log warning $"server ($server_id) was not there" }
    { success: true, server_id: $server_id, status: "deleted" }
}
