# Files, systemd and health of the service.

use drp

# A path below the root that settings name.
export def place [path: string] {
    drp setting root --default "/" | path join $path
}

# What must be there before anything is installed.
export def check-requirements [] {
    let program = (drp setting systemctl --default "systemctl")
    let missing = (if (which $program | is-empty) { [$program] } else { [] })
    { met: ($missing | is-empty), missing: $missing }
}

# Tells systemd something of the service. The words are arguments of their own: nothing is put together for a shell.
export def systemctl [verb: string] {
    let unit = (if $verb == "daemon-reload" { [] } else { ["my-service.service"] })
    let done = (^(drp setting systemctl --default "systemctl") $verb ...$unit | complete)
    if $done.exit_code != 0 {
        drp fail $"systemctl ($verb) failed: ($done.stderr | str trim)" --code 502
    }
}

# What systemd says: active, inactive, failed, unknown.
export def systemctl-word [] {
    let said = (do { ^(drp setting systemctl --default "systemctl") is-active my-service.service } | complete)
    $said.stdout | str trim | if ($in | is-empty) { "unknown" } else { $in }
}

export def available-versions [] {
    http get --max-time 30sec $"(drp setting source)/versions.json"
}

# Fetches the program of a version into the scratch folder.
export def download-binary [version: string] {
    if $version not-in (available-versions) {
        drp fail $"There is no version ($version) of my-service" --code 404 --hint "see get-available-versions"
    }
    let file = (drp scratch | path join "my-service")
    http get --raw --max-time 10min $"(drp setting source)/($version)/my-service" | save --force --raw $file
    $file
}

# Puts it in its place in one step, so that a running service never finds half of it.
export def install-binary [file: string, version: string] {
    let folder = (place "usr/local/bin")
    mkdir $folder
    cp $file ($folder | path join ".my-service.new")
    ^chmod 0755 ($folder | path join ".my-service.new")
    mv --force ($folder | path join ".my-service.new") ($folder | path join "my-service")
    $version | save --force ($folder | path join "my-service.version")
}

# The version that is installed, or nothing.
export def installed-version [] {
    let note = (place "usr/local/bin/my-service.version")
    if ($note | path exists) { open --raw $note | str trim } else { null }
}

export def must-be-installed [] {
    if (installed-version) == null { drp fail "my-service is not installed" --code 409 --hint "install it first" }
}

export def write-config [config: record] {
    mkdir (place "etc/my-service") (place "var/lib/my-service")
    { port: (drp setting port --default 8080) } | merge $config | to yaml | save --force (place "etc/my-service/config.yaml")
}

export def write-unit [] {
    let folder = (place "etc/systemd/system")
    mkdir $folder
    [
        "[Unit]"
        "Description=Custom application service"
        "[Service]"
        $"ExecStart=(place 'usr/local/bin/my-service') (place 'etc/my-service/config.yaml')"
        "Restart=on-failure"
        "[Install]"
        "WantedBy=multi-user.target"
        ""
    ] | str join "\n" | save --force ($folder | path join "my-service.service")
}

# Whether it answers now.
export def check-health [] {
    let last_check = (date now | format date "%+")
    try {
        http get --max-time 5sec (drp setting health --default "http://127.0.0.1:9090/health") | ignore
        { healthy: true, status: "ok", last_check: $last_check }
    } catch {
        { healthy: false, error: "Health endpoint not responding", last_check: $last_check }
    }
}

# Waits until it answers, ten seconds at most.
export def await-health [] {
    for _ in 1..40 {
        let health = (check-health)
        if $health.healthy { return $health }
        sleep 250ms
    }
    check-health
}
