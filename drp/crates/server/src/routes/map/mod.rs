//! The entries of the table, by area. How to add one: the top of `routes/table.rs`.

mod content;
mod daemon;
mod extensions;
mod jobs;
mod objects;
mod people;
mod pools;

use super::table::Table;
use std::sync::OnceLock;

/// The one table. Order matters: routes with words of their own come before those of objects.
pub(crate) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let areas = [
            daemon::routes(),
            content::routes(),
            people::routes(),
            jobs::routes(),
            pools::routes(),
            extensions::routes(),
            objects::routes(),
        ];
        Table { routes: areas.into_iter().flatten().collect() }
    })
}
