//! What is to be deployed, and in which order. Nothing here reads or writes anything.

mod definition;
mod merge;
mod order;
mod schedule;

pub(crate) use definition::{Cluster, same_name};
pub(crate) use merge::{MOST_REPLICAS, REPLICAS, merged};
pub(crate) use order::{Plan, Planned, plan};
pub(crate) use schedule::{Turn, startable};

use thiserror::Error;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum PlanError {
    /// The definition does not read as one.
    #[error("the definition of the cluster cannot be read: {0}; `drp ext validate` says where")]
    Definition(String),
    /// `config` names what the definition does not have.
    #[error("config: {at} is not known: {known}")]
    Unknown {
        /// Where in `config`.
        at: String,
        /// What is.
        known: String,
    },
    /// `config` holds something of another kind.
    #[error("config: {at}: {wanted}")]
    Kind {
        /// Where in `config`.
        at: String,
        /// What would do.
        wanted: String,
    },
    /// Two components have one name; `-` and `_` are the same in names.
    #[error("there are two components named {0}")]
    Twice(String),
    /// A dependency that is no component.
    #[error("{component} depends on {on}, which is no component of the cluster")]
    Missing {
        /// Who depends.
        component: String,
        /// On whom.
        on: String,
    },
    /// A dependency that is not deployed.
    #[error("{component} depends on {on}, which is disabled: enable {on} or disable {component} too")]
    Disabled {
        /// Who depends.
        component: String,
        /// On whom.
        on: String,
    },
    /// Components that wait for each other.
    #[error("the components depend on each other in a circle: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// All are disabled, or there is none.
    #[error("there is no component to deploy")]
    Empty,
    /// More than can be sensible.
    #[error("{0} components are too many: {most} at most", most = definition::MOST)]
    TooMany(usize),
}
