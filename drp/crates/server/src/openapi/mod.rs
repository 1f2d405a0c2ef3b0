//! The OpenAPI 3.1 document of the API, made from the table of routes and the models.

mod document;
mod operation;
mod types;

pub(crate) use document::document;
pub(crate) use types::Sample;
pub(crate) use operation::{
    any, view_query,
    Operation, Shape, eg, header, list_query, op, params_query, switch, text, ttl,
};

#[cfg(test)]
mod tests;
