# Ours: what the scripts share that run commands of an extension. Extensions use the module `drp`.

# Writes what the body gives, or what it fails with, as one JSON document to a named pipe.
export def answer [pipe: string, body: closure]: nothing -> nothing {
    let text = try {
        let value = (do $body)
        {ok: (plain $value)} | to json --raw
    } catch {|error|
        {error: (report $error)} | to json --raw --serialize
    }
    $text | save --force --raw $pipe
}

# The exported commands of a module that is in scope under this name and whose commands are in scope too.
export def commands [module: string]: nothing -> record {
    let module = (scope modules | where name == $module | first)
    let known = (scope commands | where type == "custom")
    let commands = ($module.commands | each {|command|
        let found = ($known | where decl_id == $command.decl_id | first)
        {
            name: $command.name
            description: ($found.description? | default "")
            extra: ($found.extra_description? | default "")
            signature: ($found.signatures | values | first | each {|input| simple $input })
        }
    })
    {description: ($module.description? | default ""), extra: ($module.extra_description? | default ""), commands: $commands}
}

# An input of a signature; of its default only what JSON has words for.
def simple [input: record]: nothing -> record {
    let default = $input.parameter_default?
    let default = if ($default | describe) in ["int" "float" "string" "bool"] { $default }
    $input | reject --optional completion | upsert parameter_default $default
}

# The commands in scope that are tests, and those that run before and after them.
export def tests []: nothing -> list<any> {
    scope commands | where type == "custom" | each {|command|
        {name: $command.name, attributes: ($command.attributes? | default [] | get --optional name)}
    } | where {|command|
        ($command.name starts-with "test_") or ($command.name starts-with "test ") or ($command.attributes | any {|name|
            $name in ["test" "ignore" "before-all" "before-each" "after-all" "after-each"]
        })
    }
}

# Runs one test between what comes before and after it. The document says what `drp` shows and where the answer goes.
export def test [
    document: string
    before: list<closure>
    body: closure
    after: list<closure>
]: nothing -> nothing {
    let document = (open --raw $document | from json)
    with-env {DRP: $document.drp} {
        answer $document.result {
            let context = ($before | reduce --fold {} {|step, context|
                let given = ($context | do $step)
                if ($given | describe) =~ "^record" { $context | merge $given } else { $context }
            })
            let outcome = try { $context | do $body | ignore; null } catch {|error| report $error }
            $after | each {|step| $context | do $step | ignore } | ignore
            {failed: $outcome}
        }
    }
}

# What an error says, as data.
def report [error: any]: nothing -> record {
    let details = if ($error.details? | is-not-empty) {
        $error.details
    } else if (($error.json? | describe) == "string") {
        $error.json | from json
    }
    {msg: ($error.msg? | default ""), details: $details, rendered: $error.rendered?, exit_code: $error.exit_code?}
}

# The value with binary data as Base64; all else has a form in JSON of its own.
def plain [value: any]: nothing -> any {
    if ($value | describe) =~ 'binary|any|oneof' { deep $value } else { $value }
}

def deep [value: any]: nothing -> any {
    let type = ($value | describe)
    if $type == "binary" {
        $value | encode base64
    } else if $type starts-with "record" {
        $value | columns | reduce --fold {} {|name, out| $out | insert $name (deep ($value | get $name)) }
    } else if ($type starts-with "list") or ($type starts-with "table") {
        $value | each --keep-empty {|item| deep $item }
    } else {
        $value
    }
}
