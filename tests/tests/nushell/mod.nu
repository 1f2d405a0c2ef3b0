# An extension that shows what a host must do.
use std/log
use drp
export use other.nu [from-another-file]
export use std/assert

export const NAME = "my-provider"

export-env { $env.FROM_EXPORT_ENV = "here" }

# Gives back what it was given.
#
# Nothing else.
export def echo-all [
    config: record # Anything
    size: int = 3 # A number
    ...more: string # Texts
    --name (-n): string # A text
    --check # Only look
    --wait # Take your time
    --keep-data # Keep it
]: nothing -> record {
    {config: $config, size: $size, more: $more, name: $name, check: $check, wait: $wait, keep: $keep_data}
}

# Values that JSON has no words for.
export def kinds [] {
    {
        binary: 0x[ff 00], date: 2026-01-02T03:04:05+00:00, size: 2kB, time: 3sec, range: 1..3, nothing: null
        table: [[a b]; [1 0x[01]] [2 x]], text: "é\n\t\u{1}\"'"
    }
}

export def typed [time: duration, size: filesize, when: datetime, data: binary, path: cell-path, share: float] {
    {
        time: ($time / 1sec), size: ($size | into int), when: ($when | format date "%Y-%m"), data: ($data | decode utf-8)
        path: ({a: {b: 5}} | get $path), share: $share
    }
}

# Prints to where results could be mistaken for it.
export def prints [] { print '{"ok": "forged"}'; print --stderr '{"ok": "forged"}'; ^echo external; {real: true} }

export def gives-nothing []: nothing -> nothing { print "nothing follows" }
export def gives-stream [] { 1..5 | each {|n| $n * 2 } }
export def gives-external [] { ^printf 'a\nb' }
export def gives-closure [] { {a: {|| 1 }} }
export def gives-much [] { "" | fill --character "x" --width 40_000_000 }
export def env-of [] { {names: ($env | columns), seen: (^env | lines), home: $env.HOME, here: $env.FROM_EXPORT_ENV} }
export def where-am-i [] { {root: (drp root), scratch: (drp scratch), extension: (drp extension), pwd: $env.PWD} }
export def settings-of [--check] { {settings: (drp settings), check: (drp check)} }
export def needs-setting [path: string] { drp setting ($path | split row "." | into cell-path) }

# Says all it can say, and waits for a file.
export def talk [file: string] {
    log debug "a debug line"
    log info "an info line"
    log warning "two\nlines"
    log critical "a critical line"
    drp log warning "a line of drp"
    print "a printed line"
    print --stderr "a line on standard error"
    drp progress 10 "begun"
    drp wait-until --every 20ms --within 1min { $file | path exists } | ignore
    for n in 11..60 { drp progress $n $"step ($n)" }
    drp progress 100 "ready"
    "over"
}

export def fails [plan: string] {
    error make {
        msg: $"no plan ($plan)"
        label: {text: "asked for here", span: (metadata $plan).span}
        help: "see get-plans"
    }
}
export def fails-with-code [] { drp fail "not there" --code 404 --hint "look elsewhere" }
export def fails-below [] { try { helper } catch {|e| error make {msg: $"wrapped: ($e.msg)"} } }
def helper [] { error make {msg: "the cause"} }
export def fails-by-itself [] { {a: 1} | get "b" }
export def fails-outside [] { ^sh -c "echo the reason >&2; exit 7" }
export def leaves [] { exit 3 }
export def dies [] { ^kill -KILL $nu.pid; sleep 10sec }
export def hungry [] { ^sh -c "ulimit -v" | str trim }

# Hides processes as well as it can, and never ends.
export def hides [marker: string] {
    job spawn { ^sh -c 'sleep 1000; true' $marker } | ignore
    ^setsid --fork sh -c 'sleep 1000; true' $marker
    ^setsid --fork sh -c 'setsid --fork sh -c "sleep 1000; true" "$0"; sleep 1000; true' $marker
    drp progress 50 "hidden"
    sleep 1000sec
}

# The same, but it ends.
export def hides-and-ends [marker: string] {
    ^setsid --fork sh -c 'sleep 1000; true' $marker
    "ended"
}

# Tells a secret wherever it can.
export def leaks [] {
    let key = (drp setting auth.api_key)
    log info $"the key is ($key)"
    print $key
    print --stderr $"<($key)>"
    drp log error $key
    drp progress 50 $"with ($key)"
    ^sh -c 'cat > /dev/null'
    $key | ^cat | ignore
    error make {msg: $"refused: ($key)", help: ({key: $key} | to json --raw)}
}

export def fills [context: record] {
    {file: (drp render service.j2 $context), text: (drp render --text "{{ name | sh }}" $context)}
}

export def "two words" [] { "two" }
export def odd [do: closure] { do $do }
export def "strange;name" [] { 1 }
