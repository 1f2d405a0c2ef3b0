# Tests that install something. Take `@ignore` away on a host that is there for it.

use std/assert
use std/testing *
use ../nulib/mod.nu *

@ignore
export def test_install_and_remove [] {
    let done = (install { workers: 2 } --wait)
    assert $done.success
    assert equal (status).status "running"
    uninstall
    assert equal (status).status "absent"
}
