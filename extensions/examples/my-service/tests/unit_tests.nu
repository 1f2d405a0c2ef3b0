# Unit tests: nothing is installed.

use std/assert
use ../nulib/mod.nu *

export def test_check_mode_changes_nothing [] {
    let said = (install { workers: 2 } --check)
    assert $said.check_mode
    assert $said.would_install
    assert equal $said.version "latest"
}

export def test_info_names_the_service [] {
    assert equal (taskserv-info).name "my-service"
}
