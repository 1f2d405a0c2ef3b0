//! The table of routes: what the daemon dispatches by, and what its OpenAPI document (`/openapi.json`) is made of. A
//! request that the table does not know reaches no handler, so there is no route without documentation.
//!
//! To add a route, write one entry in the file of its area below `routes/map/`:
//!
//! ```text
//! Route::new("/lamps/{name}/{path*}", to!(call, at => lamps::route(call, &at.all())))   // await is added
//!     .tag("lamps")                       // groups it in the document; its examples run together, in order
//!     .get(op("lamps_show", "Shows a lamp").gives::<Lamp>(200).query(text("colour", "Only of this colour")))
//!     .post(op("lamps_light", "Lights a lamp").takes::<LampBody>().gives::<Lamp>(201).fails(&[409])
//!         .example(eg("/lamps/hall/x").body(json!({"On": true})).expect(201).answer(json!({"On": true}))))
//! ```
//!
//! * Templates are below `/api/v3`, but for those that begin with `/api/v1`: `{name}` is one segment, `{name*}` one or more. The first that fits wins; the routes
//!   of objects (`/{type}…`) come last. A method that is not listed is answered 405; HEAD comes with GET, but
//!   for `.no_head()`.
//! * `at` holds what the template's braces took, in order: `at.one(0)`, `at.all()`.
//! * 401, 403, 429, 500 and 503 are documented of themselves; so are 404 where the template has braces and 400, 413 with
//!   a JSON body. Everything else a handler can answer stands in `gives…` and `fails`.
//! * Every operation has an example, which a test plays against a real daemon in the order: groups as listed, in them
//!   `.first()`, then the table's order, then `.last()`. The request of `eg` may be plain GET; `.over_socket()` uses the
//!   local socket. Examples of one group may build on each other; leave nothing behind that others list.
//! * Then `DRP_BLESS=1 cargo test -p drp-server openapi` writes `docs/reference/openapi.json`; look at what changed.

use crate::app::App;
use crate::http::{Answer, Call, method_not_allowed};
use crate::openapi::Operation;
use http::{Method, request::Parts};
use std::future::Future;
use std::pin::Pin;

/// The methods that routes of the daemon take.
const USUAL: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Serves a call whose path fitted.
pub(crate) type Handler = fn(Call, At) -> Pin<Box<dyn Future<Output = Answer> + Send>>;
/// Serves whoever comes, without credentials.
pub(crate) type OpenHandler = fn(&App, &Parts) -> Answer;

/// Makes a [`Handler`] of a call to an async function.
macro_rules! to {
    ($call:ident, $at:pat => $serve:expr) => {
        |$call, $at| Box::pin(async move { $serve.await })
    };
}
/// Makes a [`Handler`] of a call to a function that is not async.
macro_rules! at_once {
    ($call:ident, $at:pat => $serve:expr) => {
        |$call, $at| Box::pin(async move { $serve })
    };
}
pub(crate) use {at_once, to};

/// Who serves a route.
#[derive(Clone, Copy)]
pub(crate) enum Serve {
    /// After authentication.
    Call(Handler),
    /// Anybody; the template is of the whole path.
    Open(OpenHandler),
}

/// Which types of objects a `/{type}…` route is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Types {
    All,
    WithParams,
    WithActions,
}

/// One path and what can be done with it.
pub(crate) struct Route {
    pub(crate) template: &'static str,
    pub(crate) parts: Vec<Part>,
    pub(crate) serve: Serve,
    /// The types that `{type}` stands for.
    pub(crate) types: Option<Types>,
    /// The document spells these types out one by one, with their own schemas.
    pub(crate) spelled: bool,
    pub(crate) tag: &'static str,
    pub(crate) operations: Vec<Operation>,
    /// Whatever the method, the handler gets it.
    pub(crate) any_method: bool,
    /// Methods that go to the handler too and are documented by the route of all types.
    also: &'static [&'static str],
    /// Another way to that template, which has the documentation.
    pub(crate) same_as: Option<&'static str>,
}

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Word(&'static str),
    One(&'static str),
    Rest(&'static str),
}

/// What the braces of a template took, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct At(Vec<String>);

impl At {
    /// All of it.
    pub(crate) fn all(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// What is at that place, empty when there is none.
    pub(crate) fn one(&self, place: usize) -> &str {
        self.0.get(place).map_or("", String::as_str)
    }

    /// What is from that place on, as one text with slashes.
    pub(crate) fn from(&self, place: usize) -> String {
        self.0.get(place..).unwrap_or_default().join("/")
    }
}

impl Route {
    /// A route below `/api/v3`, or of `/api/v1`, whose templates say so.
    pub(crate) fn new(template: &'static str, handler: Handler) -> Self {
        Self::serve(template, Serve::Call(handler))
    }

    /// A route for everybody; the template is of the whole path. GET and HEAD only.
    pub(crate) fn open(template: &'static str, handler: OpenHandler) -> Self {
        Self::serve(template, Serve::Open(handler)).tag("daemon")
    }

    fn serve(template: &'static str, serve: Serve) -> Self {
        let part = |text: &'static str| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            None => Part::Word(text),
            Some(name) => name.strip_suffix('*').map_or(Part::One(name), Part::Rest),
        };
        let parts = template.split('/').filter(|text| !text.is_empty()).map(part).collect();
        Self {
            template,
            parts,
            serve,
            types: None,
            spelled: false,
            tag: "",
            operations: Vec::new(),
            any_method: false,
            also: &[],
            same_as: None,
        }
    }

    /// `{type}` is one of these types.
    pub(crate) fn types(mut self, types: Types) -> Self {
        self.types = Some(types);
        self
    }

    /// `{type}` is one of these types, each of which the document spells out.
    pub(crate) fn each(mut self, types: Types) -> Self {
        self.spelled = true;
        self.types(types)
    }

    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// The handler gets these too, which the route of all types documents.
    pub(crate) fn also(mut self, methods: &'static [&'static str]) -> Self {
        self.also = methods;
        self
    }

    /// The handler gets any method, not only the documented ones.
    pub(crate) fn any_method(mut self) -> Self {
        self.any_method = true;
        self
    }

    /// Another way to that template: the same methods, documented there.
    pub(crate) fn same_as(mut self, template: &'static str) -> Self {
        self.same_as = Some(template);
        self
    }

    pub(crate) fn get(self, operation: Operation) -> Self {
        self.on("get", operation)
    }

    pub(crate) fn post(self, operation: Operation) -> Self {
        self.on("post", operation)
    }

    pub(crate) fn put(self, operation: Operation) -> Self {
        self.on("put", operation)
    }

    pub(crate) fn patch(self, operation: Operation) -> Self {
        self.on("patch", operation)
    }

    pub(crate) fn delete(self, operation: Operation) -> Self {
        self.on("delete", operation)
    }

    fn on(mut self, method: &'static str, operation: Operation) -> Self {
        self.operations.push(operation.method(method));
        self
    }

    /// What stands before the template in a path.
    pub(crate) fn base(&self) -> &'static str {
        match self.serve {
            Serve::Open(_) => "",
            Serve::Call(_) if self.template.starts_with("/api/v1/") => "",
            Serve::Call(_) => "/api/v3",
        }
    }

    /// HEAD comes with GET.
    fn takes(&self, method: &Method) -> bool {
        let has = |name: &str| self.operations.iter().any(|op| op.method.eq_ignore_ascii_case(name));
        self.any_method
            || self.also.contains(&method.as_str())
            || has(method.as_str())
            || (*method == Method::HEAD && self.operations.iter().any(|op| op.method == "get" && op.head))
    }

    /// What the template takes of a path, when it fits.
    fn fit(&self, path: &[&str], is_type: &impl Fn(&str, Types) -> bool) -> Option<At> {
        let mut at = Vec::new();
        let mut rest = path;
        for part in &self.parts {
            let (first, tail) = rest.split_first()?;
            match part {
                Part::Word(word) if word == first => {}
                Part::Word(_) => return None,
                Part::One("type") if !self.types.is_none_or(|types| is_type(first, types)) => return None,
                Part::One(_) => at.push((*first).to_owned()),
                Part::Rest(_) => {
                    at.extend(rest.iter().map(|text| (*text).to_owned()));
                    return Some(At(at));
                }
            }
            rest = tail;
        }
        rest.is_empty().then_some(At(at))
    }
}

/// All routes, in the order in which they are tried.
pub(crate) struct Table {
    pub(crate) routes: Vec<Route>,
}

impl Table {
    /// The route of a path below `/api/v3`.
    pub(crate) fn find(&self, path: &[&str], is_type: impl Fn(&str, Types) -> bool) -> Option<(&Route, At)> {
        let mut calls = self.routes.iter().filter(|route| matches!(route.serve, Serve::Call(_)));
        calls.find_map(|route| Some((route, route.fit(path, &is_type)?)))
    }

    /// Whether a method goes through to the route's handler.
    pub(crate) fn takes(&self, route: &Route, method: &Method) -> bool {
        self.documented(route).takes(method)
    }

    /// The answer to a method that a route does not take, which names those that it takes (RFC 9110 §15.5.6).
    pub(crate) fn refuse(&self, route: &Route, method: &Method, url: &str) -> Answer {
        let route = self.documented(route);
        let taken: Vec<&str> =
            USUAL.iter().filter(|method| route.takes(method)).map(Method::as_str).collect();
        Ok(method_not_allowed(method, url).into_reply().with("allow", &taken.join(", ")))
    }

    fn documented<'a>(&'a self, route: &'a Route) -> &'a Route {
        let other = route.same_as.and_then(|same| self.routes.iter().find(|other| other.template == same));
        other.unwrap_or(route)
    }

    /// The route of a whole path that needs no credentials.
    pub(crate) fn open(&self, path: &[&str]) -> Option<&Route> {
        let mut open = self.routes.iter().filter(|route| matches!(route.serve, Serve::Open(_)));
        open.find(|route| route.fit(path, &|_, _| false).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::op;

    fn table() -> Table {
        let nobody: Handler = at_once!(call, _ => call.no_route());
        Table {
            routes: vec![
                Route::new("/lamps/{name}", nobody).get(op("a", "")),
                Route::new("/files/{path*}", nobody).post(op("b", "")),
                Route::new("/{type}/{id}/params/{key*}", nobody).types(Types::WithParams).get(op("c", "")),
                Route::open("/livez", |_, _| Err(crate::http::no_route(&Method::GET, ""))),
            ],
        }
    }

    #[test]
    fn the_first_template_that_fits_wins() {
        let table = table();
        let is_type = |name: &str, types| name == "machines" && types == Types::WithParams;
        let find = |path: &str| {
            let path: Vec<&str> = path.split('/').collect();
            table.find(&path, is_type).map(|(route, at)| (route.template, at.0.join("|")))
        };
        assert_eq!(find("lamps/a"), Some(("/lamps/{name}", "a".to_owned())));
        assert_eq!(find("lamps"), None);
        assert_eq!(find("lamps/a/b"), None);
        assert_eq!(find("files"), None);
        assert_eq!(find("files/a/b"), Some(("/files/{path*}", "a|b".to_owned())));
        let found = find("machines/x/params/ipmi/mode");
        assert_eq!(found, Some(("/{type}/{id}/params/{key*}", "machines|x|ipmi|mode".to_owned())));
        assert_eq!(find("tasks/x/params/y"), None);
        assert!(table.open(&["livez"]).is_some() && table.open(&["lamps", "a"]).is_none());
    }

    #[test]
    fn head_comes_with_get() {
        let table = table();
        assert!(table.routes[0].takes(&Method::HEAD) && !table.routes[0].takes(&Method::POST));
        assert!(!table.routes[1].takes(&Method::HEAD));
    }
}
