# What extensions use of their host: `use drp`, then `drp settings`, `drp progress 40 "half way"` and so on.

# The settings of the extension, by the names of its settings contract. Without those that hold secrets in check mode.
export def settings []: nothing -> record {
    $env.DRP?.settings? | default {}
}

# One setting. Without a value and a default, an error says how to set it.
@example "the address of the API" { drp setting api.base_url }
export def setting [
    path: cell-path # Its path, as `api.base_url`
    --default: any # What it is when it is not set
]: nothing -> any {
    let value = (settings | get --optional $path)
    if $value != null { return $value }
    if $default != null { return $default }
    let field = ($path | split cell-path | first | get value)
    let plugin = ($env.DRP?.plugin? | default "the plugin")
    let why = if (check) { " (settings that hold secrets are not given in check mode)" } else { "" }
    error make --unspanned {
        msg: $"the setting ($path) has no value($why)"
        code: "drp::422"
        help: $"set the param ($plugin)/($field) of the plugin: drp plugins set ($plugin) param ($plugin)/($field) to VALUE"
    }
}

# Whether the command only says what it would do.
export def check []: nothing -> bool {
    $env.DRP?.check? | default false
}

# Says how far the command is, to whoever watches: event `extensions.progress.<plugin>`.
@example "with a percentage" { drp progress 40 "waiting for the server" }
export def progress [
    percent?: number # 0 to 100; nothing when that is not known
    text?: string # What it does now
]: nothing -> nothing {
    send {type: progress, percent: $percent, text: ($text | default "" | str substring 0..999)}
}

# Writes a line to the daemon's log. `std/log` does it too.
export def log [
    level: string # debug, info, warning, error
    text: string # The line
]: nothing -> nothing {
    let level = if $level in [debug info warning error critical] { $level } else { "info" }
    send {type: log, level: $level, text: ($text | str substring 0..999)}
}

# Fails with an HTTP status, so that callers can tell causes apart.
@example "what is not there" { drp fail "no such server" --code 404 --hint "see list-servers" }
export def fail [
    message: string # What went wrong
    --code: int = 500 # 400 to 599
    --hint: string # What to do about it (`--help` is Nushell's own flag)
]: nothing -> any {
    let error = {msg: $message, code: $"drp::($code)"}
    error make --unspanned (if $hint == null { $error } else { $error | insert help $hint })
}

# Fills a Jinja2 template in. Undefined names are errors; the filters `sh`, `tojson`, `toyaml`, `tonu` quote values.
@example "a file of templates/" { drp render config.j2 {port: 80} }
export def render [
    template: string # A file below templates/ of the extension
    context: record = {} # What its names stand for
    --text # The template itself is given, and not its file
]: nothing -> string {
    let program = ($env.DRP?.program? | default "")
    if $program == "" { fail "there is no host to fill templates in" --hint "run it with `drp ext test`" }
    let request = {root: (root), template: $template, text: $text, context: $context}
    let answer = ($request | to json --raw | ^$program --render | from json)
    if $answer.error? != null {
        if $answer.hint? != null { fail $answer.error --code 422 --hint $answer.hint }
        fail $answer.error --code 422
    }
    $answer.rendered
}

# The folder of the extension.
export def root []: nothing -> string {
    $env.DRP?.root? | default $env.PWD
}

# A private folder for files, removed when the command has ended.
export def scratch []: nothing -> string {
    $env.DRP?.scratch? | default $nu.temp-dir
}

# Name, type and version of the extension, the name of its plugin, and the request that is served.
export def extension []: nothing -> record {
    $env.DRP? | default {} | select --optional name type version plugin request
}

# Asks again and again until the closure gives true. `false`: it did not within the time.
@example "wait for a condition" { drp wait-until --every 5sec --within 10min { (date now) > 2030-01-01 } }
export def wait-until [
    condition: closure # Gives true when there is nothing more to wait for
    --every: duration = 2sec # Time between two questions
    --within: duration = 10min # When to give up
    --progress: string # What to say meanwhile
]: nothing -> any {
    let end = (date now) + $within
    # Nushell takes what follows a loop, not what a loop returns, for the output of the command.
    while (do $condition) != true {
        if (date now) + $every > $end { return false }
        if $progress != null {
            let gone = 100 - ((($end - (date now)) / $within) * 100)
            progress ($gone | math round) $progress
        }
        sleep $every
    }
    true
}

# One line to the host. Outside of it (`nu tests/unit.nu`) there is nobody to tell.
def send [message: record]: nothing -> nothing {
    let pipe = ($env.DRP?.control? | default "")
    if $pipe != "" {
        ($message | to json --raw) + "\n" | save --append --raw $pipe
    }
}
