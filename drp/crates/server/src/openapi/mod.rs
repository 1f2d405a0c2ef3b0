//! The OpenAPI 3.1 document of the API, made from the table of routes and the models.

mod document;
mod operation;
mod types;

pub(crate) use document::document;
pub(crate) use operation::{
    Operation, Shape, any, eg, header, list_query, number, op, params_query, switch, text, ttl, view_query,
};
pub(crate) use types::Sample;

#[cfg(test)]
mod tests;
