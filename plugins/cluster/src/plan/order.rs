//! The order of components: by dependency, and by the definition where that leaves a choice.

use super::PlanError;
use super::definition::{Cluster, MOST};
use drp_plugin_sdk::protocol::JsonMap;
use std::collections::HashMap;

/// A component that is to be deployed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) r#type: String,
    pub(crate) version: String,
    /// Names as the definition writes those components.
    pub(crate) dependencies: Vec<String>,
    pub(crate) config: JsonMap,
    pub(crate) replicas: u64,
    /// 0: it waits for nobody; else one more than the highest it waits for.
    pub(crate) level: usize,
}

/// Components in the order in which they are deployed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) components: Vec<Planned>,
}

impl Plan {
    /// Names by level: those of one level do not wait for each other.
    pub(crate) fn levels(&self) -> Vec<Vec<&str>> {
        let mut levels: Vec<Vec<&str>> = Vec::new();
        for component in &self.components {
            levels.resize(levels.len().max(component.level + 1), Vec::new());
            levels[component.level].push(&component.name);
        }
        levels
    }
}

/// Drops what is disabled and orders the rest.
pub(crate) fn plan(cluster: &Cluster) -> Result<Plan, PlanError> {
    let all = &cluster.components;
    if all.len() > MOST {
        return Err(PlanError::TooMany(all.len()));
    }
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (position, component) in all.iter().enumerate() {
        if positions.insert(component.name.replace('_', "-"), position).is_some() {
            return Err(PlanError::Twice(component.name.clone()));
        }
    }
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(all.len());
    for component in all {
        let mut needed = Vec::new();
        for on in &component.dependencies {
            let missing = || PlanError::Missing { component: component.name.clone(), on: on.clone() };
            let position = *positions.get(&on.replace('_', "-")).ok_or_else(missing)?;
            if component.enabled && !all[position].enabled {
                return Err(PlanError::Disabled { component: component.name.clone(), on: on.clone() });
            }
            if !needed.contains(&position) {
                needed.push(position);
            }
        }
        needs.push(needed);
    }
    let enabled: Vec<usize> = (0..all.len()).filter(|at| all[*at].enabled).collect();
    if enabled.is_empty() {
        return Err(PlanError::Empty);
    }
    let levels = levels(&enabled, &needs).map_err(|from| {
        let circle = circle(from, &needs);
        PlanError::Cycle(circle.into_iter().map(|at| all[at].name.clone()).collect())
    })?;
    let mut order = enabled;
    order.sort_by_key(|at| (levels[at], *at));
    let planned = |at: usize| {
        let component = &all[at];
        Planned {
            name: component.name.clone(),
            r#type: component.r#type.clone(),
            version: component.version.clone(),
            dependencies: needs[at].iter().map(|on| all[*on].name.clone()).collect(),
            config: component.config.clone(),
            replicas: component.resources.replicas,
            level: levels[&at],
        }
    };
    Ok(Plan { components: order.into_iter().map(planned).collect() })
}

/// The level of each; `Err`: one that never gets one.
fn levels(enabled: &[usize], needs: &[Vec<usize>]) -> Result<HashMap<usize, usize>, usize> {
    let mut levels: HashMap<usize, usize> = HashMap::new();
    let mut left = enabled.to_vec();
    for level in 0.. {
        let (now, later): (Vec<usize>, Vec<usize>) =
            left.iter().partition(|at| needs[**at].iter().all(|on| levels.contains_key(on)));
        match (now.is_empty(), later.first()) {
            (true, None) => break,
            (true, Some(stuck)) => return Err(*stuck),
            _ => {}
        }
        levels.extend(now.into_iter().map(|at| (at, level)));
        left = later;
    }
    Ok(levels)
}

/// The circle that one of them waits for, its first name also the last. It begins with the one that the definition
/// names first, so that a definition always gives the same words.
fn circle(from: usize, needs: &[Vec<usize>]) -> Vec<usize> {
    // Every one that has no level waits for another that has none, so the way ends in a circle.
    let mut stuck = vec![true; needs.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for at in 0..needs.len() {
            if stuck[at] && needs[at].iter().all(|on| !stuck[*on]) {
                stuck[at] = false;
                changed = true;
            }
        }
    }
    let mut way = vec![from];
    loop {
        let last = way[way.len() - 1];
        let Some(next) = needs[last].iter().copied().find(|on| stuck[*on]) else { return way };
        if let Some(start) = way.iter().position(|at| *at == next) {
            let mut circle = way.split_off(start);
            let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
            circle.rotate_left(first);
            circle.push(circle[0]);
            return circle;
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, plan};
    use crate::plan::{Cluster, PlanError, same_name};
    use drp_plugin_sdk::{Value, json};
    use proptest::prelude::*;

    fn cluster(components: &[(&str, bool, &[&str])]) -> Cluster {
        let components: Vec<Value> = components
            .iter()
            .map(|(name, enabled, on)| {
                json!({"name": name, "type": "taskserv", "enabled": enabled, "dependencies": on})
            })
            .collect();
        Cluster::read(&json!({"name": "c", "components": components})).unwrap()
    }

    fn position(plan: &Plan, name: &str) -> Option<usize> {
        plan.components.iter().position(|component| same_name(&component.name, name))
    }

    fn order(components: &[(&str, bool, &[&str])]) -> Result<String, PlanError> {
        let plan = plan(&cluster(components))?;
        let levels: Vec<String> = plan.levels().into_iter().map(|level| level.join(",")).collect();
        Ok(levels.join(" | "))
    }

    #[test]
    fn levels_follow_dependencies_and_then_the_definition() {
        let diamond: &[(&str, bool, &[&str])] =
            &[("d", true, &["b", "c"]), ("c", true, &["a"]), ("b", true, &["a"]), ("a", true, &[])];
        assert_eq!(order(diamond).unwrap(), "a | c,b | d");
        let underscore: &[(&str, bool, &[&str])] =
            &[("my-db", true, &[]), ("web", true, &["my_db", "my-db"])];
        assert_eq!(order(underscore).unwrap(), "my-db | web");
        assert_eq!(position(&plan(&cluster(underscore)).unwrap(), "my_db"), Some(0));
        assert_eq!(
            order(&[("a", false, &["b"]), ("b", true, &[])]).unwrap(),
            "b",
            "disabled ones wait for nobody"
        );
    }

    #[test]
    fn what_cannot_be_planned_is_named() {
        for (components, words) in [
            (&[("a", true, &["b"][..]), ("b", true, &["a"])][..], "in a circle: a -> b -> a"),
            (&[("a", true, &["a"])], "in a circle: a -> a"),
            (
                &[
                    ("x", true, &["c"]),
                    ("a", true, &[]),
                    ("b", true, &["d", "a"]),
                    ("c", true, &["b"]),
                    ("d", true, &["c"]),
                ],
                "in a circle: b -> d -> c -> b",
            ),
            (&[("a", true, &["z"])], "a depends on z, which is no component"),
            (&[("a", true, &["b"]), ("b", false, &[])], "a depends on b, which is disabled"),
            (&[("a-b", true, &[]), ("a_b", true, &[])], "two components named a_b"),
            (&[("a", false, &[])], "no component to deploy"),
            (&[], "no component to deploy"),
        ] {
            let error = order(components).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let many: Vec<String> = (0..501).map(|n| format!("c{n}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), true, &[][..])).collect();
        assert_eq!(order(&many), Err(PlanError::TooMany(501)));
    }

    proptest! {
        /// Any graph: either every component stands behind all it waits for, or a real circle is named.
        #[test]
        fn every_order_is_sound_and_every_circle_is_one(
            edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..30),
        ) {
            let names: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
            let on = |at: usize| -> Vec<&str> {
                edges.iter().filter(|(from, _)| *from == at).map(|(_, to)| names[*to].as_str()).collect()
            };
            let all: Vec<Vec<&str>> = (0..12).map(on).collect();
            let components: Vec<_> =
                (0..12).map(|at| (names[at].as_str(), true, all[at].as_slice())).collect();
            let cluster = cluster(&components);
            let outcome = plan(&cluster);
            prop_assert_eq!(&outcome, &plan(&cluster), "the same definition, the same plan");
            match outcome {
                Ok(plan) => {
                    prop_assert_eq!(plan.components.len(), 12);
                    for (at, component) in plan.components.iter().enumerate() {
                        for on in &component.dependencies {
                            let before = position(&plan, on).unwrap();
                            prop_assert!(before < at && plan.components[before].level < component.level);
                        }
                    }
                }
                Err(PlanError::Cycle(circle)) => {
                    prop_assert!(circle.len() > 1 && circle.first() == circle.last());
                    for pair in circle.windows(2) {
                        let from = names.iter().position(|name| *name == pair[0]).unwrap();
                        prop_assert!(all[from].contains(&pair[1].as_str()), "{} -> {}", pair[0], pair[1]);
                    }
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
