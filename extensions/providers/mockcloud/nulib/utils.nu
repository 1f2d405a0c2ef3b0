# The API of the cloud: one request, and what is read from its answers.

use drp

# The address and the key that settings give.
def connection [] {
    let api = (drp setting api)
    {
        url: ($api.base_url | str trim --right --char "/"),
        key: (drp setting auth.api_key),
        timeout: (($api.timeout? | default 30) * 1sec),
        retries: ($api.retries? | default 3),
    }
}

# Makes one segment of a path of any text.
export def segment [text: string] {
    $text | url encode --all
}

# Asks the API and gives the body of its answer. What can be repeated without harm (`--again`) is tried again when
# the service is busy, away, or its answer is lost.
export def ask [
    method: string         # get, post, put or delete
    path: string           # below the address of the API; every variable part is a `segment`
    body: any = {}         # sent as JSON
    --again                # repeating does no harm
    --once-key: string     # asks the API to carry it out once however often it is sent
    --absent: any          # the answer when there is no such thing; without it that is an error
] {
    let api = (connection)
    let tries = (if $again { $api.retries + 1 } else { 1 })
    mut headers = { Authorization: $"Bearer ($api.key)" }
    if ($once_key | is-not-empty) { $headers = ($headers | insert Idempotency-Key $once_key) }
    let headers = $headers
    mut last: record = {}
    for attempt in 1..$tries {
        if $attempt > 1 { sleep ($attempt * 100ms) }
        let answer = (send $method $"($api.url)($path)" $headers $api.timeout $body)
        if ($answer.status in 200..299) { return $answer.body }
        if $answer.status == 404 and $absent != null { return $absent }
        $last = $answer
        if $answer.status not-in [0 429 502 503 504] { break }
    }
    refuse $method $path $last
}

def send [method: string, url: string, headers: record, limit: duration, body: any] {
    try {
        let answer = match $method {
            "get" => { http get --full --allow-errors --max-time $limit --headers $headers $url }
            "delete" => { http delete --full --allow-errors --max-time $limit --headers $headers $url }
            "put" => { http put --full --allow-errors --max-time $limit --headers $headers --content-type application/json $url $body }
            _ => { http post --full --allow-errors --max-time $limit --headers $headers --content-type application/json $url $body }
        }
        { status: $answer.status, body: $answer.body }
    } catch {|e|
        { status: 0, body: { error: { message: $e.msg } } }
    }
}

# Turns a refusal into an error that says whose fault it is.
def refuse [method: string, path: string, answer: record] {
    let said = (try { $answer.body.error.message } catch { "it gave no reason" })
    let unsure = $method != "get" and $answer.status in [0 502 503 504]
    let help = match $answer.status {
        _ if $unsure => "the service did not say whether it did this: look with list-servers before it is asked again"
        0 => "check the setting api.base_url, and that the service is up"
        401 => "check the setting auth.api_key"
        429 | 502 | 503 | 504 => "the service has too much to do, or trouble: try again later"
        _ => "correct the request"
    }
    let code = (if $answer.status in 400..599 { $answer.status } else { 502 })
    drp fail $"the cloud refused ($method) ($path): ($said)" --code $code --hint $help
}

# A server as the provider interface shows it.
export def shown [server: record] {
    {
        server_id: $server.id,
        hostname: $server.hostname,
        status: $server.status,
        plan: $server.plan,
        zone: $server.zone,
        os: $server.os,
        ip_addresses: $server.ip_addresses,
        tags: $server.tags,
    }
}

# How one logs in to a server.
export def access [server: record] {
    let address = ($server.ip_addresses | first | default null)
    if $address == null {
        drp fail $"server ($server.id) has no address yet: it is ($server.status)" --code 409 --hint "try again when it is running"
    }
    { host: $address, port: 22, user: "root", command: $"ssh root@($address)" }
}

# Waits until the server has this status. Gives the server.
export def await-status [server_id: string, wanted: string, limit: duration] {
    let end = (date now) + $limit
    loop {
        let server = (ask get $"/servers/(segment $server_id)" --again)
        if $server.status == $wanted { return $server }
        if $server.status == "error" {
            drp fail $"server ($server_id) failed" --hint "delete it, and create it again"
        }
        if (date now) > $end {
            drp fail $"server ($server_id) is still ($server.status) after ($limit)" --code 504 --hint "look again with get-server-info"
        }
        sleep 200ms
    }
}
