//! The values of one index over all objects that show, kept in order while they come and go.

use crate::{index::IndexValue, query::Test};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

/// The objects with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Keys {
    /// Most values of unique indexes have one holder: a set would take ten times the memory.
    One(Arc<str>),
    Many(BTreeSet<Arc<str>>),
}

impl Keys {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(keys) => keys.len(),
        }
    }

    fn iter(&self) -> Box<dyn DoubleEndedIterator<Item = &Arc<str>> + '_> {
        match self {
            Self::One(key) => Box::new(std::iter::once(key)),
            Self::Many(keys) => Box::new(keys.iter()),
        }
    }

    fn insert(&mut self, key: &Arc<str>) {
        match self {
            Self::One(one) if one == key => {}
            Self::One(one) => *self = Self::Many([Arc::clone(one), Arc::clone(key)].into()),
            Self::Many(keys) => drop(keys.insert(Arc::clone(key))),
        }
    }

    /// Takes a key out; whether any is left.
    fn remove(&mut self, key: &str) -> bool {
        match self {
            Self::One(one) => **one != *key,
            Self::Many(keys) => {
                keys.remove(key);
                if let (1, Some(last)) = (keys.len(), keys.first()) {
                    *self = Self::One(Arc::clone(last));
                    return true;
                }
                !keys.is_empty()
            }
        }
    }
}

/// Values of one index in order, each with the keys of the objects that have it. An object stands under each element
/// of a list.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    values: BTreeMap<IndexValue, Keys>,
}

impl Ordered {
    /// An object's value has changed; none for what was not there before, or is gone.
    pub(crate) fn moved(
        &mut self,
        old: Option<&(IndexValue, Arc<str>)>,
        new: Option<&(IndexValue, Arc<str>)>,
    ) {
        if let Some((value, key)) = old {
            each(value, |value| {
                if let Some(keys) = self.values.get_mut(value)
                    && !keys.remove(key)
                {
                    self.values.remove(value);
                }
            });
        }
        if let Some((value, key)) = new {
            each(value, |value| match self.values.get_mut(value) {
                Some(keys) => keys.insert(key),
                None => drop(self.values.insert(value.clone(), Keys::One(Arc::clone(key)))),
            });
        }
    }

    /// All keys in the order of their values, those of one value in their own order.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &Arc<str>> {
        self.values.values().flat_map(Keys::iter)
    }

    /// The keys of the objects that pass any of the tests, in key order. None when more than `most` do, or a test
    /// names no part of the order: then looking at each object is as good.
    pub(crate) fn passing(&self, tests: &[Test<IndexValue>], most: usize) -> Option<Vec<Arc<str>>> {
        let mut found: Vec<Arc<str>> = Vec::new();
        let mut take = |keys: &Keys| {
            let fits = found.len() + keys.len() <= most;
            if fits {
                found.extend(keys.iter().cloned());
            }
            fits
        };
        for test in tests {
            let single: &[IndexValue] = match test {
                Test::Eq(value) => std::slice::from_ref(value),
                Test::In(values) => values,
                _ => &[],
            };
            if !single.iter().filter_map(|value| self.values.get(value)).all(&mut take) {
                return None;
            }
            let range = match test {
                Test::Eq(_) | Test::In(_) => continue,
                Test::Lt(value) => (Bound::Unbounded, Bound::Excluded(value)),
                Test::Lte(value) => (Bound::Unbounded, Bound::Included(value)),
                Test::Gt(value) => (Bound::Excluded(value), Bound::Unbounded),
                Test::Gte(value) => (Bound::Included(value), Bound::Unbounded),
                Test::Between(low, high) if low <= high => (Bound::Included(low), Bound::Included(high)),
                Test::Between(..) => continue,
                Test::Ne(_) | Test::Except(..) | Test::Nin(_) | Test::Re(_) => return None,
            };
            if !self.values.range(range).all(|(_, keys)| take(keys)) {
                return None;
            }
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }
}

/// The values an object stands under.
fn each(value: &IndexValue, mut visit: impl FnMut(&IndexValue)) {
    match value {
        IndexValue::List(list) => {
            for element in list {
                visit(&IndexValue::Text(Arc::clone(element)));
            }
        }
        other => visit(other),
    }
}

#[cfg(test)]
mod tests {
    use super::Ordered;
    use crate::{index::IndexValue, query::Test};
    use std::sync::Arc;

    fn text(text: &str) -> IndexValue {
        IndexValue::Text(text.into())
    }

    fn put(ordered: &mut Ordered, key: &str, old: Option<IndexValue>, new: Option<IndexValue>) {
        let key: Arc<str> = key.into();
        let with = |value: Option<IndexValue>| value.map(|value| (value, Arc::clone(&key)));
        ordered.moved(with(old).as_ref(), with(new).as_ref());
    }

    fn joined(keys: Option<Vec<Arc<str>>>) -> Option<String> {
        keys.map(|keys| keys.join(" "))
    }

    #[test]
    fn ranges_of_values_give_keys() {
        let mut ordered = Ordered::default();
        for (key, value) in [("3", "c"), ("1", "a"), ("2", "b"), ("4", "b"), ("5", "b")] {
            put(&mut ordered, key, None, Some(text(value)));
        }
        assert_eq!(ordered.keys().map(|k| &**k).collect::<Vec<_>>().join(" "), "1 2 4 5 3");
        assert_eq!(ordered.keys().rev().map(|k| &**k).collect::<Vec<_>>().join(" "), "3 5 4 2 1");
        for (tests, want) in [
            (vec![Test::Eq(text("b"))], "2 4 5"),
            (vec![Test::Eq(text("x"))], ""),
            (vec![Test::In(vec![text("c"), text("a"), text("c")])], "1 3"),
            (vec![Test::Lt(text("b"))], "1"),
            (vec![Test::Lte(text("b"))], "1 2 4 5"),
            (vec![Test::Gt(text("b"))], "3"),
            (vec![Test::Gte(text("b"))], "2 3 4 5"),
            (vec![Test::Between(text("a"), text("b"))], "1 2 4 5"),
            (vec![Test::Between(text("b"), text("a"))], ""),
            (vec![Test::Eq(text("a")), Test::Gte(text("c"))], "1 3"),
        ] {
            assert_eq!(joined(ordered.passing(&tests, 9)).as_deref(), Some(want), "{tests:?}");
        }
        assert_eq!(ordered.passing(&[Test::Eq(text("b"))], 2), None);
        assert_eq!(ordered.passing(&[Test::Gte(text("a"))], 4), None);
        for test in [Test::Ne(text("b")), Test::Except(text("a"), text("b")), Test::Nin(vec![])] {
            assert_eq!(ordered.passing(&[test], 9), None);
        }
    }

    #[test]
    fn what_moves_or_goes_is_not_left_behind() {
        let mut ordered = Ordered::default();
        let list = |names: &[&str]| Some(IndexValue::List(names.iter().map(|n| (*n).into()).collect()));
        put(&mut ordered, "1", None, list(&["a", "b"]));
        put(&mut ordered, "2", None, list(&["b"]));
        put(&mut ordered, "1", list(&["a", "b"]), list(&["c"]));
        assert_eq!(joined(ordered.passing(&[Test::Eq(text("b"))], 9)).as_deref(), Some("2"));
        assert_eq!(joined(ordered.passing(&[Test::Eq(text("c"))], 9)).as_deref(), Some("1"));
        put(&mut ordered, "1", list(&["c"]), None);
        put(&mut ordered, "2", list(&["b"]), None);
        assert!(ordered.values.is_empty());
    }
}
