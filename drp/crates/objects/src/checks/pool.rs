//! The rules of pools and of machines in them (wire-protocol §2.4).

use super::{Report, Subject};
use crate::names::NameRule;

/// Where a machine stands in its pool.
const STATUSES: [&str; 10] = [
    "Joining",
    "HoldJoin",
    "Free",
    "Building",
    "HoldBuild",
    "InUse",
    "Destroying",
    "HoldDestroy",
    "Leaving",
    "HoldLeave",
];

impl Subject<'_> {
    pub(super) fn pool(&self, report: &mut Report) {
        for field in ["EnterActions", "ExitActions", "AllocateActions", "ReleaseActions", "AutoFill"] {
            if self.object.get(field).is_some_and(|value| !value.is_object() && !value.is_null()) {
                report.fatal.push(format!("{}: {field} must be an object", self.key));
            }
        }
        let parent = self.text("ParentPool");
        if parent == self.key {
            report.fatal.push(format!("{}: Pool {parent} is its own parent", self.key));
        } else if !parent.is_empty() && parent != "default" && !self.state.exists("pools", parent) {
            report.dangling.push(format!("{}: Pool {parent} does not exist", self.key));
        }
    }

    pub(super) fn in_pool(&self, report: &mut Report) {
        NameRule::Name.check(self.key, "Pool", self.text("Pool"), &mut report.fatal);
        let status = self.text("PoolStatus");
        if !STATUSES.contains(&status) {
            report.fatal.push(format!("{}: Invalid PoolStatus `{status}`", self.key));
        }
    }
}
