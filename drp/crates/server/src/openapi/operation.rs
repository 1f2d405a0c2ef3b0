//! What is said of one operation: summary, parameters, bodies, answers, examples.

use super::types::Sample;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Makes a schema with the document's generator.
pub(crate) type Make = fn(&mut SchemaGenerator) -> Schema;

/// What a body looks like.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// JSON of a fixed schema.
    Json(Make),
    /// One object of the route's type.
    Object,
    /// A list of objects of the route's type.
    Objects,
    /// Bytes.
    Octets,
    /// A pack of an extension, or the folder that holds one.
    Pack,
    /// Text of that content type.
    Text(&'static str),
    /// Whatever a plugin says, in whatever content type.
    Anything,
    /// Nothing, with a JSON content type all the same.
    Nothing,
}

/// A parameter in the query string or a header.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) place: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) schema: Value,
}

/// One method of a route.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// Becomes the operation id; `<prefix>_` stands before it where types are spelled out.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) notes: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Shape>,
    /// HEAD is served too.
    pub(crate) head: bool,
    /// The body may be left out.
    pub(crate) optional_body: bool,
    pub(crate) answers: Vec<(u16, Shape)>,
    pub(crate) fails: Vec<u16>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) examples: Vec<Example>,
}

/// Starts the description of an operation: its id and one line.
pub(crate) fn op(id: &'static str, summary: &'static str) -> Operation {
    Operation {
        method: "",
        id,
        summary,
        notes: "",
        parameters: Vec::new(),
        body: None,
        head: true,
        optional_body: false,
        answers: Vec::new(),
        fails: Vec::new(),
        headers: Vec::new(),
        examples: Vec::new(),
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Operation {
    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// More than the summary says.
    pub(crate) fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// The JSON body.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Shape::Json(schema_of::<T>));
        self
    }

    /// A body of that shape.
    pub(crate) fn takes_shape(mut self, shape: Shape) -> Self {
        self.body = Some(shape);
        self
    }

    /// No body at all is fine too.
    pub(crate) fn body_is_optional(mut self) -> Self {
        self.optional_body = true;
        self
    }

    /// HEAD is not served.
    pub(crate) fn no_head(mut self) -> Self {
        self.head = false;
        self
    }

    /// A good answer with JSON.
    pub(crate) fn gives<T: JsonSchema>(self, status: u16) -> Self {
        self.gives_shape(status, Shape::Json(schema_of::<T>))
    }

    /// A good answer of that shape.
    pub(crate) fn gives_shape(mut self, status: u16, shape: Shape) -> Self {
        self.answers.push((status, shape));
        self
    }

    /// Statuses of errors beyond those that are documented of themselves.
    pub(crate) fn fails(mut self, statuses: &[u16]) -> Self {
        self.fails.extend_from_slice(statuses);
        self
    }

    /// A parameter in the query string or a header.
    pub(crate) fn query(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Several parameters.
    pub(crate) fn queries(mut self, parameters: Vec<Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A header of good answers.
    pub(crate) fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.headers.push((name, about));
        self
    }

    /// The three headers of lists (wire-protocol §3.5).
    pub(crate) fn counted(self) -> Self {
        self.header("X-DRP-LIST-TOTAL-COUNT", "Objects that the caller may see")
            .header("X-DRP-LIST-FILTER-COUNT", "Objects that match, before `offset` and `limit`")
            .header("X-DRP-LIST-COUNT", "Objects in this answer")
    }

    /// The entity tag of one object.
    pub(crate) fn tagged(self) -> Self {
        self.header("ETag", "Changes with the object; give it back as `If-None-Match`")
    }

    pub(crate) fn example(mut self, example: Example) -> Self {
        self.examples.push(example);
        self
    }
}

/// When an example runs within its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    First,
    Middle,
    Last,
}

/// A body of an example.
#[derive(Clone)]
pub(crate) enum Sent {
    Nothing,
    Json(Value),
    /// Of the sample object of the route's type.
    Of(fn(&Sample) -> Value),
    Bytes(&'static str),
}

/// A request that works, and what comes back.
#[derive(Clone)]
pub(crate) struct Example {
    /// Below `/api/v3` (whole for open routes). `{type}` and `{id}` stand for the sample object.
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Sent,
    pub(crate) status: u16,
    /// What the answer holds at least.
    pub(crate) answer: Value,
    pub(crate) when: When,
    pub(crate) local: bool,
}

/// Starts an example: its path with the query string. It expects 200 until told otherwise.
pub(crate) fn eg(path: &'static str) -> Example {
    Example {
        path,
        headers: Vec::new(),
        body: Sent::Nothing,
        status: 200,
        answer: Value::Null,
        when: When::Middle,
        local: false,
    }
}

impl Example {
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Sent::Json(body);
        self
    }

    pub(crate) fn body_of(mut self, body: fn(&Sample) -> Value) -> Self {
        self.body = Sent::Of(body);
        self
    }

    pub(crate) fn bytes(mut self, text: &'static str) -> Self {
        self.body = Sent::Bytes(text);
        self
    }

    pub(crate) fn with(mut self, header: &'static str, value: &'static str) -> Self {
        self.headers.push((header, value));
        self
    }

    pub(crate) fn expect(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Members that the answer has; others may be there too.
    pub(crate) fn answer(mut self, answer: Value) -> Self {
        self.answer = answer;
        self
    }

    pub(crate) fn first(mut self) -> Self {
        self.when = When::First;
        self
    }

    pub(crate) fn last(mut self) -> Self {
        self.when = When::Last;
        self
    }

    pub(crate) fn over_socket(mut self) -> Self {
        self.local = true;
        self
    }
}

/// Free text in the query string.
pub(crate) fn text(name: &'static str, about: &'static str) -> Parameter {
    Parameter { place: "query", name, about, schema: json!({"type": "string"}) }
}

/// A switch in the query string.
pub(crate) fn switch(name: &'static str, about: &'static str) -> Parameter {
    Parameter { place: "query", name, about, schema: json!({"type": "boolean"}) }
}

/// A whole number in the query string.
pub(crate) fn number(name: &'static str, about: &'static str) -> Parameter {
    Parameter { place: "query", name, about, schema: json!({"type": "integer", "minimum": 0}) }
}

/// A header of the request.
pub(crate) fn header(name: &'static str, about: &'static str) -> Parameter {
    Parameter { place: "header", name, about, schema: json!({"type": "string", "maxLength": 4096}) }
}

/// How long a token lives.
pub(crate) fn ttl() -> Parameter {
    let schema = json!({"type": "string", "pattern": "^([0-9]{1,9}|[0-9]{1,6}(s|m|h|d|w|y)|never)$"});
    let about = "Whole seconds, or a duration such as `2h`, `3y` or `never`";
    Parameter { place: "query", name: "ttl", about, schema }
}

/// The controls of lists (wire-protocol §3.5).
pub(crate) fn list_query() -> Vec<Parameter> {
    let mut all = vec![
        text("sort", "Index to sort by; the key when absent"),
        switch("reverse", "The other way round"),
        number("offset", "Leave out so many"),
        number("limit", "Give at most so many"),
    ];
    all.extend(view_query());
    all
}

/// What changes how objects are shown (wire-protocol §3.5).
pub(crate) fn view_query() -> Vec<Parameter> {
    vec![
        text("slim", "Comma list of `Meta` and `Params`, which are then empty"),
        text("params", "Comma list of the params to show"),
        switch("decode", "Open secure params; needs the claim `getSecure`"),
        switch("aggregate", "With the params of profiles, stage and the `global` profile"),
        switch("compose", "As `aggregate`, with maps and lists of all of them put together"),
    ]
}

/// What changes how params are shown (wire-protocol §3.7).
pub(crate) fn params_query() -> Vec<Parameter> {
    view_query().split_off(1)
}

/// Any JSON value.
pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"description": "Any JSON value"})
}
