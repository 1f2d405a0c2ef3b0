//! The document: paths from the table, schemas from the models, answers that all operations share.

use super::operation::{Example, Operation, Parameter, Sent, Shape, When};
use super::types::{Sample, raw_object, samples};
use crate::routes::{Part, Route, Serve, Table, Types};
use drp_protocol::Error;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The document of a table of routes. It is the same for every daemon of a version.
pub(crate) fn document(table: &Table) -> Value {
    let mut writer = Writer {
        // OpenAPI 3.1 speaks JSON Schema 2020-12 as it is.
        generator: SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
            .into_generator(),
        samples: samples(),
        paths: BTreeMap::new(),
        parameters: BTreeMap::new(),
        headers: BTreeMap::new(),
        examples: Vec::new(),
        inputs: BTreeSet::new(),
        tags: Vec::new(),
    };
    let error = writer.generator.subschema_for::<Error>();
    for (place, route) in table.routes.iter().enumerate() {
        writer.route(place, route);
    }
    writer.finish(&error.to_value())
}

struct Writer {
    generator: SchemaGenerator,
    samples: Vec<Sample>,
    paths: BTreeMap<String, Map<String, Value>>,
    parameters: BTreeMap<String, Value>,
    headers: BTreeMap<String, Value>,
    /// Where the example is (path, method, place), and what orders it.
    examples: Vec<(Order, String, &'static str, Value)>,
    /// Models that are sent by clients.
    inputs: BTreeSet<String>,
    tags: Vec<String>,
}

/// Group, phase, place in the table, place in the operation.
type Order = (usize, When, usize, usize);

impl Writer {
    fn route(&mut self, place: usize, route: &Route) {
        if route.same_as.is_some() {
            return;
        }
        if !route.spelled {
            let path = full_path(route, None);
            return self.path(place, route, &path, None);
        }
        let types: Vec<usize> = (0..self.samples.len())
            .filter(|i| route.types != Some(Types::WithParams) || self.samples[*i].has_params)
            .collect();
        for index in types {
            let path = full_path(route, Some(self.samples[index].prefix));
            self.path(place, route, &path, Some(index));
        }
        let path = full_path(route, None).replace("{type}", "{rawtype}");
        self.path(place, route, &path, None);
    }

    fn path(&mut self, place: usize, route: &Route, path: &str, sample: Option<usize>) {
        let tag = match sample {
            Some(index) => self.samples[index].prefix,
            None if route.spelled => "raw objects",
            None => route.tag,
        };
        if !self.tags.iter().any(|known| known == tag) {
            self.tags.push(tag.to_owned());
        }
        let group = self.tags.iter().position(|known| known == tag).unwrap_or_default();
        for (number, operation) in route.operations.iter().enumerate() {
            // A route of its own has the word before the routes of objects.
            if self.paths.get(path).is_some_and(|known| known.contains_key(operation.method)) {
                continue;
            }
            let described = self.operation(route, operation, tag, sample);
            let item = self.paths.entry(path.to_owned()).or_default();
            if operation.method == "get" && operation.head {
                item.insert("head".to_owned(), head(&described));
            }
            item.insert(operation.method.to_owned(), described);
            if route.spelled && sample.is_none() {
                self.raw_example(place, number, path, operation);
                continue;
            }
            for (nth, example) in operation.examples.iter().enumerate() {
                let sample = sample.map(|index| &self.samples[index]);
                let order = (group, example.when, place * 10 + number, nth);
                let shown = shown(example, route, sample);
                self.examples.push((order, path.to_owned(), operation.method, shown));
            }
        }
    }

    /// Raw types come from plugins; the example is of one that the plugin `incrementer` declares.
    fn raw_example(&mut self, place: usize, number: usize, path: &str, operation: &Operation) {
        let group = self.tags.iter().position(|known| known == "raw objects").unwrap_or_default();
        for (nth, example) in operation.examples.iter().enumerate() {
            let sample = Sample {
                prefix: "typed-cows",
                key: "example-cow",
                has_params: true,
                schema: super::types::raw,
                body: || json!({"Id": "example-cow", "Type": "typed-cows", "Spotted": true}),
            };
            let order = (group, example.when, place * 10 + number, nth);
            let path_of = Route::new("", |call, _| Box::pin(async move { call.no_route() }));
            let shown = shown(example, &path_of, Some(&sample));
            self.examples.push((order, path.to_owned(), operation.method, shown));
        }
    }

    fn operation(&mut self, route: &Route, operation: &Operation, tag: &str, sample: Option<usize>) -> Value {
        let id = match sample {
            Some(index) => format!("{}_{}", self.samples[index].prefix, operation.id),
            None if route.spelled => format!("raw_{}", operation.id),
            None => operation.id.to_owned(),
        };
        let open = matches!(route.serve, Serve::Open(_));
        let mut parameters: Vec<Value> =
            route.parts.iter().filter_map(|part| self.in_path(*part, route, sample)).collect();
        parameters.extend(operation.parameters.iter().map(|parameter| self.parameter(parameter)));
        parameters.push(json!({"$ref": "#/components/parameters/RequestId"}));
        let mut answers = Map::new();
        for (status, shape) in &operation.answers {
            answers.insert(status.to_string(), self.answer(*status, *shape, operation, sample));
        }
        for status in statuses(route, operation, open) {
            let known = answers.contains_key(&status.to_string());
            if !known {
                answers
                    .insert(status.to_string(), json!({"$ref": format!("#/components/responses/E{status}")}));
            }
        }
        let mut out = json!({
            "operationId": id,
            "summary": operation.summary,
            "tags": [tag],
            "parameters": parameters,
            "responses": answers,
        });
        if !operation.notes.is_empty() {
            out["description"] = operation.notes.into();
        }
        if open {
            out["security"] = json!([]);
        }
        if let Some(shape) = operation.body {
            out["requestBody"] = self.body(shape, operation, sample);
        }
        out
    }

    fn in_path(&self, part: Part, route: &Route, sample: Option<usize>) -> Option<Value> {
        let (name, tail) = match part {
            Part::Word(_) => return None,
            Part::One(name) => (name, false),
            Part::Rest(name) => (name, true),
        };
        let mut schema = json!({"type": "string", "minLength": 1, "maxLength": 1024});
        let about = match name {
            "type" if sample.is_some() => return None,
            "type" if route.spelled => {
                return Some(json!({
                    "name": "rawtype", "in": "path", "required": true, "schema": schema,
                    "description": "A type that a plugin declares in its `StoreObjects`",
                }));
            }
            "type" if route.template.starts_with("/api/v1/") => "`provider`, `taskserv` or `cluster`",
            "type" => "A type of objects, as GET `/objects` lists them",
            "id" => "The key of the object, or `<unique index>:<value>` such as `Name:bob`",
            "command" => "The action, as GET `…/actions` lists them",
            "key" => "Name of the param; it may hold slashes",
            "path" => "Path with slashes",
            _ => "Name",
        };
        if name == "key" || name == "path" || tail {
            schema["maxLength"] = 4096.into();
        }
        Some(json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema}))
    }

    /// A parameter in the query string or a header, which operations share when it means the same.
    fn parameter(&mut self, parameter: &Parameter) -> Value {
        let Parameter { place, name, about, schema } = parameter;
        let described = json!({"name": name, "in": place, "description": about, "schema": schema});
        let mut key = name.replace('-', "");
        while self.parameters.get(&key).is_some_and(|known| *known != described) {
            key.push('_');
        }
        let link = json!({"$ref": format!("#/components/parameters/{key}")});
        self.parameters.insert(key, described);
        link
    }

    fn schema(&mut self, shape: Shape, sample: Option<usize>) -> Value {
        let raw: super::operation::Make = super::types::raw;
        let make = sample.map_or(raw, |index| self.samples[index].schema);
        match shape {
            Shape::Json(make) => make(&mut self.generator).to_value(),
            Shape::Object => make(&mut self.generator).to_value(),
            Shape::Objects => json!({"type": "array", "items": make(&mut self.generator).to_value()}),
            // Each of its events is an object of its own (WHATWG HTML §9.2).
            Shape::Text("text/event-stream") => json!({}),
            Shape::Text(_) => json!({"type": "string"}),
            Shape::Octets | Shape::Pack | Shape::Anything | Shape::Nothing => json!({}),
        }
    }

    fn answer(&mut self, status: u16, shape: Shape, operation: &Operation, sample: Option<usize>) -> Value {
        let mut headers = Map::new();
        headers.insert("X-Request-Id".to_owned(), json!({"$ref": "#/components/headers/RequestId"}));
        for (name, about) in &operation.headers {
            let number = name.starts_with("X-DRP-LIST");
            let kind = if number { "integer" } else { "string" };
            let described = json!({"description": about, "schema": {"type": kind}});
            let mut key = name.replace('-', "");
            while self.headers.get(&key).is_some_and(|known| *known != described) {
                key.push('_');
            }
            headers.insert((*name).to_owned(), json!({"$ref": format!("#/components/headers/{key}")}));
            self.headers.insert(key, described);
        }
        let mut out = json!({"description": reason(status), "headers": headers});
        let schema = self.schema(shape, sample);
        let kind = match shape {
            Shape::Nothing => return out,
            Shape::Json(_) | Shape::Object | Shape::Objects => "application/json",
            Shape::Text(kind) => kind,
            Shape::Octets | Shape::Pack | Shape::Anything => "*/*",
        };
        out["content"] = json!({kind: {"schema": schema}});
        out
    }

    fn body(&mut self, shape: Shape, operation: &Operation, sample: Option<usize>) -> Value {
        let mut schema = self.schema(shape, sample);
        self.as_input(&mut schema);
        let mut named = self.generator.subschema_for::<crate::routes::Named>().to_value();
        let content = match shape {
            Shape::Pack => {
                self.as_input(&mut named);
                json!({
                    "application/json": {"schema": named},
                    "application/octet-stream": {"schema": {}},
                    "application/x-tar": {"schema": {}},
                    "application/gzip": {"schema": {}},
                })
            }
            Shape::Octets => json!({
                "application/octet-stream": {"schema": {}},
                "multipart/form-data": {"schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
                }},
            }),
            Shape::Anything => json!({"*/*": {"schema": {}}}),
            _ => json!({"application/json": {"schema": schema}}),
        };
        json!({"required": !operation.optional_body, "content": content})
    }

    /// Clients may leave any field out, so what they send has schemas of its own.
    fn as_input(&mut self, schema: &mut Value) {
        match schema {
            Value::Object(map) => {
                if let Some(Value::String(link)) = map.get_mut("$ref")
                    && let Some(name) = link.strip_prefix("#/components/schemas/").map(str::to_owned)
                {
                    *link = format!("#/components/schemas/{name}Input");
                    self.inputs.insert(name);
                }
                map.values_mut().for_each(|value| self.as_input(value));
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.as_input(value)),
            _ => {}
        }
    }

    fn finish(mut self, error: &Value) -> Value {
        let mut schemas = self.generator.take_definitions(true);
        schemas.insert("RawObject".to_owned(), raw_object());
        let mut done = BTreeSet::new();
        while let Some(name) = self.inputs.iter().find(|name| !done.contains(*name)).cloned() {
            let mut input = schemas.get(&name).cloned().unwrap_or_default();
            if let Some(map) = input.as_object_mut() {
                map.remove("required");
            }
            self.as_input(&mut input);
            schemas.insert(format!("{name}Input"), input);
            done.insert(name);
        }
        self.examples.sort_by_key(|(order, ..)| *order);
        for (step, (_, path, method, mut example)) in
            std::mem::take(&mut self.examples).into_iter().enumerate()
        {
            example["step"] = step.into();
            if let Some(operation) = self.paths.get_mut(&path).and_then(|item| item.get_mut(method)) {
                match operation.get_mut("x-examples").and_then(Value::as_array_mut) {
                    Some(list) => list.push(example),
                    None => operation["x-examples"] = json!([example]),
                }
            }
        }
        let id = "Names the request in logs and in the answer; made when absent or unfit";
        let pattern = "^[A-Za-z0-9._:/+=@-]{1,128}$";
        self.parameters.insert("RequestId".to_owned(), json!({
            "name": "X-Request-Id", "in": "header", "description": id, "schema": {"type": "string", "pattern": pattern},
        }));
        let id = "Names the request in the log lines of the daemon and its plugins";
        self.headers.insert("RequestId".to_owned(), json!({"description": id, "schema": {"type": "string"}}));
        let tags: Vec<Value> = self.tags.iter().map(|name| json!({"name": name})).collect();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "drp",
                "version": env!("CARGO_PKG_VERSION"),
                "summary": "A plugin host compatible with Digital Rebar v4",
                "description": ABOUT,
                "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "security": [{"basic": []}, {"bearer": []}, {"token": []}],
            "tags": tags,
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "responses": errors(error),
                "parameters": self.parameters,
                "headers": self.headers,
                "securitySchemes": {
                    "basic": {"type": "http", "scheme": "basic"},
                    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of GET `/users/<name>/token`"},
                    "token": {"type": "apiKey", "in": "query", "name": "token", "description": "A token, or `user:password`"},
                },
            },
        })
    }
}

const ABOUT: &str = "Beside the statuses of each operation, any request can be answered 400, 414 or 431 without a body \
    when it is no HTTP/1.1 request or its head is too large. A path that is none of these is answered 404 `No route`, a method that a path \
    does not take 405 `Method not allowed`. Filters of lists are query parameters named after an index, `Meta.<key>` or a param \
    (see the API guide). `x-examples` are requests with their answers; a test plays all of them in the order of `step`.";

fn full_path(route: &Route, prefix: Option<&str>) -> String {
    let mut path = route.base().to_owned();
    for part in &route.parts {
        path.push('/');
        match (part, prefix) {
            (Part::Word(word), _) => path.push_str(word),
            (Part::One("type"), Some(prefix)) => path.push_str(prefix),
            (Part::One(name) | Part::Rest(name), _) => path.push_str(&format!("{{{name}}}")),
        }
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The statuses of errors: those of every operation of the kind, and its own.
fn statuses(route: &Route, operation: &Operation, open: bool) -> BTreeSet<u16> {
    let mut all: BTreeSet<u16> = operation.fails.iter().copied().collect();
    if !open {
        all.extend([401, 403, 429, 500, 503]);
    }
    if route.parts.iter().any(|part| !matches!(part, Part::Word(_))) || operation.method == "get" && !open {
        all.insert(404);
    }
    match operation.body {
        None => {}
        Some(Shape::Octets | Shape::Pack) => all.extend([400, 413, 415, 507]),
        Some(_) => all.extend([400, 413]),
    }
    all
}

/// HEAD as GET, without bodies.
fn head(get: &Value) -> Value {
    let mut head = get.clone();
    if let Some(id) = get["operationId"].as_str() {
        head["operationId"] = format!("{id}_head").into();
    }
    if let Some(text) = get["summary"].as_str() {
        head["summary"] = format!("{text}: the headers alone").into();
    }
    if let Some(answers) = head["responses"].as_object_mut() {
        for (status, answer) in answers.iter_mut() {
            if let Some(map) = answer.as_object_mut() {
                map.remove("content");
                if map.contains_key("$ref") {
                    map.insert("$ref".to_owned(), format!("#/components/responses/H{status}").into());
                }
            }
        }
    }
    head
}

fn shown(example: &Example, route: &Route, sample: Option<&Sample>) -> Value {
    let base = route.base();
    let (prefix, key) = sample.map_or(("", ""), |sample| (sample.prefix, sample.key));
    let path = example.path.replace("{type}", prefix).replace("{id}", key);
    let mut out = json!({"path": format!("{base}{path}"), "status": example.status});
    match (&example.body, sample) {
        (Sent::Json(body), _) => out["body"] = body.clone(),
        (Sent::Of(body), Some(sample)) => out["body"] = body(sample),
        (Sent::Bytes(text), _) => out["bytes"] = (*text).into(),
        (Sent::Nothing | Sent::Of(_), _) => {}
    }
    if !example.headers.is_empty() {
        out["headers"] =
            example.headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    }
    if !example.answer.is_null() {
        out["answer"] = example.answer.clone();
    }
    if example.local {
        out["local"] = true.into();
    }
    out
}

/// The answers that operations share.
fn errors(error: &Value) -> Value {
    let mut all = Map::new();
    for status in
        [304, 400, 401, 403, 404, 405, 406, 409, 413, 415, 416, 422, 426, 429, 500, 501, 502, 503, 504, 507]
    {
        let mut answer = json!({
            "description": reason(status),
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
        });
        if !matches!(status, 304 | 401) {
            answer["content"] = json!({"application/json": {"schema": error}});
        }
        if status == 401 {
            answer["headers"]["WWW-Authenticate"] = json!({"schema": {"type": "string"}});
        }
        if matches!(status, 403 | 429) {
            for (name, about) in [
                ("RateLimit-Limit", "Wrong passwords that are let pass in a window"),
                ("RateLimit-Remaining", "How many are left"),
                ("RateLimit-Reset", "Seconds until there are more"),
                ("RateLimit-Policy", "`<limit>;w=<seconds of the window>`"),
            ] {
                let kind = if name == "RateLimit-Policy" { "string" } else { "integer" };
                answer["headers"][name] = json!({"description": about, "schema": {"type": kind}});
            }
        }
        if matches!(status, 429 | 503) {
            answer["headers"]["Retry-After"] =
                json!({"description": "Try again after so many seconds", "schema": {"type": "integer"}});
        }
        let mut bare = answer.clone();
        if let Some(map) = bare.as_object_mut() {
            map.remove("content");
        }
        all.insert(format!("E{status}"), answer);
        all.insert(format!("H{status}"), bare);
    }
    Value::Object(all)
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "The connection is a WebSocket now",
        200 => "Done",
        201 => "Made",
        202 => "Accepted",
        204 => "Done; no body",
        206 => "A part of the file",
        302 => "It is elsewhere",
        304 => "Not changed",
        400 => "The request is wrong: body, content type, params of an action, or a query value",
        401 => "No credentials, or none that can be read",
        403 => "Wrong credentials (no body) or a missing claim (`Cannot access`, `Requires`)",
        404 => "There is no such thing, or the caller may not see it",
        405 => "The path does not take this method",
        406 => "A filter or control of the list is wrong, or the patched object does not decode",
        409 => "It is there already, in use, being written, or a patch does not apply",
        413 => "The body is too large",
        415 => "Uploads are octet streams or multipart forms",
        416 => "No such part of the file",
        422 => "The object is not valid; the messages say what is wrong with it",
        426 => "This path is for WebSockets",
        429 => "Too many wrong passwords; try again later",
        502 => "The plugin gave no usable answer",
        503 => "The daemon or the plugin is starting, stopping or full; try again",
        504 => "The plugin did not answer in time",
        507 => "The disk is full",
        _ => "The daemon made a mistake; its log says more",
    }
}
