//! Who may begin now.

/// How far a component is, as far as others care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It waits.
    Waiting,
    /// It is being worked on.
    Running,
    /// It is there and well.
    Done,
    /// It failed.
    Failed,
}

/// Those that may begin, in their order: each has what it needs, and no more than `most` run at once. After a failure
/// nobody begins. `needs[n]` are the positions that `n` waits for.
pub(crate) fn startable(turns: &[Turn], needs: &[Vec<usize>], most: usize) -> Vec<usize> {
    if turns.contains(&Turn::Failed) {
        return Vec::new();
    }
    let running = turns.iter().filter(|turn| **turn == Turn::Running).count();
    let free = (0..turns.len()).filter(|at| {
        turns[*at] == Turn::Waiting && needs[*at].iter().all(|on| turns.get(*on) == Some(&Turn::Done))
    });
    free.take(most.saturating_sub(running)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Turn, startable};
    use proptest::prelude::*;

    #[test]
    fn nobody_begins_after_a_failure_nor_above_the_bound() {
        let needs = vec![vec![], vec![], vec![], vec![0, 1]];
        let mut turns = vec![Turn::Waiting; 4];
        assert_eq!(startable(&turns, &needs, 2), [0, 1]);
        turns[0] = Turn::Running;
        assert_eq!(startable(&turns, &needs, 2), [1]);
        turns[1] = Turn::Done;
        assert_eq!(startable(&turns, &needs, 9), [2]);
        turns[0] = Turn::Done;
        assert_eq!(startable(&turns, &needs, 9), [2, 3]);
        turns[2] = Turn::Failed;
        assert!(startable(&turns, &needs, 9).is_empty());
    }

    proptest! {
        /// Whoever ends when: nobody begins before what it needs, no more than the bound run, and all get done.
        #[test]
        fn everything_gets_done_in_order(
            edges in proptest::collection::vec((1_usize..10, 0_usize..10), 0..25),
            most in 1_usize..5,
            ends in proptest::collection::vec(0_usize..100, 10),
        ) {
            let needs: Vec<Vec<usize>> = (0..10)
                .map(|at| edges.iter().filter(|(from, on)| *from == at && on < from).map(|(_, on)| *on).collect())
                .collect();
            let mut turns = [Turn::Waiting; 10];
            for end in ends {
                for at in startable(&turns, &needs, most) {
                    prop_assert!(needs[at].iter().all(|on| turns[*on] == Turn::Done));
                    turns[at] = Turn::Running;
                }
                let running: Vec<usize> = (0..10).filter(|at| turns[*at] == Turn::Running).collect();
                prop_assert!(!running.is_empty() && running.len() <= most);
                turns[running[end % running.len()]] = Turn::Done;
            }
            prop_assert!(turns.iter().all(|turn| *turn == Turn::Done));
        }
    }
}
