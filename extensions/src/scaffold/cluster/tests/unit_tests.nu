# Unit tests: nothing is deployed.

use std/assert

const HERE = path self .

export def test_the_manifests_agree [] {
    let metadata = (open ($HERE | path join ".." metadata.toml))
    let module = (open ($HERE | path join ".." manifest.toml))
    assert equal $metadata.extension.name $module.name
    assert equal $metadata.extension.version $module.version
}

export def test_it_is_a_cluster [] {
    assert equal (open ($HERE | path join ".." metadata.toml)).extension.type "cluster"
}
