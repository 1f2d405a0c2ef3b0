# The service: requests, and what is read from answers.

use std/log
use drp

# One request with the key that settings give. Gives the body of the answer.
export def api [method: string, path: string, body: any = {}] {
    let url = $"(drp setting api.base_url)($path)"
    let headers = { Authorization: $"Bearer (drp setting auth.api_key)" }
    let limit = (drp setting api.timeout --default 30) * 1sec
    let answer = match $method {
        "get" => { http get --full --allow-errors --max-time $limit --headers $headers $url }
        "delete" => { http delete --full --allow-errors --max-time $limit --headers $headers $url }
        "put" => { http put --full --allow-errors --max-time $limit --headers $headers --content-type application/json $url $body }
        _ => { http post --full --allow-errors --max-time $limit --headers $headers --content-type application/json $url $body }
    }
    if $answer.status not-in 200..299 {
        let said = (try { $answer.body.error.message } catch { "no reason given" })
        drp fail $"The API answered ($answer.status): ($said)" --code $answer.status --hint "check the request and the settings api and auth"
    }
    $answer.body
}

# A server as the interface shows it.
export def shown [server: record] {
    $server | select id hostname status plan zone ip_addresses | rename server_id
}

# One server.
export def server [server_id: string] {
    shown (api get $"/servers/($server_id | url encode --all)")
}

# How one logs in.
export def access [server: record] {
    let address = ($server.ip_addresses | append null | first)
    if $address == null { drp fail $"Server ($server.server_id) has no address yet" --code 409 }
    { host: $address, port: 22, user: "root" }
}

# Waits until a server has this status, ten minutes at most.
export def wait-for [server_id: string, status: string] {
    for attempt in 1..600 {
        let server = (server $server_id)
        if $server.status == $status { return $server }
        if $server.status == "error" { drp fail $"Server ($server_id) failed" }
        if $attempt mod 10 == 1 { log info $"Server status: ($server.status), waiting..." }
        sleep 1sec
    }
    drp fail $"Server ($server_id) did not get to ($status)" --code 504
}
