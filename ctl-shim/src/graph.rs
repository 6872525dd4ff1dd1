//! The graph that `needs` make: who waits for whom, what starts and stops in which order.
//!
//! Units are numbered as in [`Config::units`]. Needs that name no unit of the configuration (attached service
//! specs) are not in the graph. A validated configuration has no cycles; a graph can also be made of needs
//! that have some, to find them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::config::model::Config;

/// Units and their needs, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    needs: Vec<Vec<usize>>,
    dependents: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of a configuration.
    pub fn new(config: &Config) -> Self {
        let numbers: HashMap<&str, usize> = config
            .units
            .iter()
            .enumerate()
            .map(|(number, unit)| (unit.name.as_str(), number))
            .collect();
        Self::from_needs(
            config
                .units
                .iter()
                .map(|unit| {
                    unit.needs
                        .iter()
                        .filter_map(|need| numbers.get(need.as_str()).copied())
                        .collect()
                })
                .collect(),
        )
    }

    /// The graph in which unit `n` needs the units `needs[n]`. Numbers beyond the last unit are dropped.
    pub fn from_needs(mut needs: Vec<Vec<usize>>) -> Self {
        let count = needs.len();
        let mut dependents = vec![Vec::new(); count];
        for (unit, needed) in needs.iter_mut().enumerate() {
            needed.retain(|&need| need < count);
            for &need in needed.iter() {
                dependents[need].push(unit);
            }
        }
        Self { needs, dependents }
    }

    /// How many units there are.
    pub fn len(&self) -> usize {
        self.needs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty()
    }

    /// What `unit` needs directly, in the order of the file. Empty for a number that is no unit.
    pub fn needs(&self, unit: usize) -> &[usize] {
        self.needs.get(unit).map_or(&[], Vec::as_slice)
    }

    /// What needs `unit` directly, in the order of the file. Empty for a number that is no unit.
    pub fn dependents(&self, unit: usize) -> &[usize] {
        self.dependents.get(unit).map_or(&[], Vec::as_slice)
    }

    /// Every unit after all that it needs, in the order of the file where that leaves a choice. Units that are
    /// in a cycle, or need one that is, are left out.
    pub fn start_order(&self) -> Vec<usize> {
        peel(&self.needs, &self.dependents)
    }

    /// Every unit after all that need it; the same for the other direction.
    pub fn stop_order(&self) -> Vec<usize> {
        peel(&self.dependents, &self.needs)
    }

    /// The stop order in layers: units of one layer can be stopped together, once the layers before are gone.
    pub fn stop_layers(&self) -> Vec<Vec<usize>> {
        let mut layer_of = vec![0; self.len()];
        let mut layers: Vec<Vec<usize>> = Vec::new();
        for unit in self.stop_order() {
            let layer = self
                .dependents(unit)
                .iter()
                .map(|&dependent| layer_of[dependent] + 1)
                .max()
                .unwrap_or(0);
            layer_of[unit] = layer;
            if layers.len() <= layer {
                layers.resize_with(layer + 1, Vec::new);
            }
            layers[layer].push(unit);
        }
        layers
    }

    /// Every unit that `unit` needs, directly or through others, in start order.
    pub fn all_needs(&self, unit: usize) -> Vec<usize> {
        let mut is_needed = vec![false; self.len()];
        let mut open = self.needs(unit).to_vec();
        while let Some(next) = open.pop() {
            if !std::mem::replace(&mut is_needed[next], true) {
                open.extend_from_slice(self.needs(next));
            }
        }
        self.start_order()
            .into_iter()
            .filter(|&other| is_needed[other])
            .collect()
    }

    /// One cycle for every knot of units that need each other: a path `[a, b, c]` where `a` needs `b`, `b` needs
    /// `c` and `c` needs `a`; the shortest through the unit of the knot that comes first in the file. Empty for a graph
    /// without cycles. A unit that needs itself is a cycle of one.
    pub fn cycles(&self) -> Vec<Vec<usize>> {
        if self.start_order().len() == self.len() {
            return Vec::new();
        }
        let knots = self.knots();
        let mut knot_is_done = vec![false; self.len()];
        let mut cycles = Vec::new();
        for unit in 0..self.len() {
            let knot = knots[unit];
            if !std::mem::replace(&mut knot_is_done[knot], true)
                && let Some(cycle) = self.shortest_cycle(unit, &knots)
            {
                cycles.push(cycle);
            }
        }
        cycles
    }

    /// The shortest way from `start` back to itself inside its knot.
    fn shortest_cycle(&self, start: usize, knots: &[usize]) -> Option<Vec<usize>> {
        let mut came_from: HashMap<usize, usize> = HashMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(unit) = open.pop_front() {
            for &need in self.needs(unit) {
                if need == start {
                    let mut cycle = vec![unit];
                    let mut last = unit;
                    while last != start {
                        last = *came_from.get(&last)?;
                        cycle.push(last);
                    }
                    cycle.reverse();
                    return Some(cycle);
                }
                if knots[need] == knots[start] && !came_from.contains_key(&need) {
                    came_from.insert(need, unit);
                    open.push_back(need);
                }
            }
        }
        None
    }

    /// For each unit the number of its strongly connected component. Kosaraju's two passes, without recursion: the
    /// graph may be thousands of units deep.
    fn knots(&self) -> Vec<usize> {
        let mut is_seen = vec![false; self.len()];
        let mut finished = Vec::with_capacity(self.len());
        for root in 0..self.len() {
            if std::mem::replace(&mut is_seen[root], true) {
                continue;
            }
            let mut path = vec![(root, 0)];
            while let Some((unit, next)) = path.last_mut() {
                match self.needs[*unit].get(*next) {
                    Some(&need) => {
                        *next += 1;
                        if !std::mem::replace(&mut is_seen[need], true) {
                            path.push((need, 0));
                        }
                    }
                    None => {
                        finished.push(*unit);
                        path.pop();
                    }
                }
            }
        }
        let mut knots = vec![usize::MAX; self.len()];
        for (number, &root) in finished.iter().rev().enumerate() {
            if knots[root] != usize::MAX {
                continue;
            }
            let mut open = vec![root];
            while let Some(unit) = open.pop() {
                if knots[unit] == usize::MAX {
                    knots[unit] = number;
                    open.extend(
                        self.dependents[unit]
                            .iter()
                            .filter(|&&other| knots[other] == usize::MAX),
                    );
                }
            }
        }
        knots
    }
}

/// The longest that an orderly stop of everything can take: the largest sum of stop timeouts along a chain of
/// needs, before any margin. A task counts too: one that is run again may be under way beside its dependents.
pub fn longest_stop(config: &Config) -> Duration {
    let graph = Graph::new(config);
    let mut longest = vec![Duration::ZERO; graph.len()];
    for unit in graph.stop_order() {
        let before = graph
            .dependents(unit)
            .iter()
            .map(|&dependent| longest[dependent])
            .max()
            .unwrap_or_default();
        longest[unit] = before.saturating_add(config.units[unit].stop_timeout());
    }
    longest.into_iter().max().unwrap_or_default()
}

/// Units in an order in which each comes after all its `before`; `after` is the same relation turned round.
fn peel(before: &[Vec<usize>], after: &[Vec<usize>]) -> Vec<usize> {
    let mut missing: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut open: std::collections::BinaryHeap<_> = (0..before.len())
        .filter(|&unit| missing[unit] == 0)
        .map(std::cmp::Reverse)
        .collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(std::cmp::Reverse(unit)) = open.pop() {
        order.push(unit);
        for &next in &after[unit] {
            missing[next] -= 1;
            if missing[next] == 0 {
                open.push(std::cmp::Reverse(next));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{LoadOptions, load};

    fn config(source: &str) -> Config {
        load(source, &LoadOptions::default()).config.expect("a good file")
    }

    #[test]
    fn a_configuration_becomes_a_graph() {
        let config = config(
            "services:\n  web: {command: x, needs: [migrate, db, rigbox-svc-q]}\n  db: {command: x}\n\
             tasks:\n  install: {command: x}\n  migrate: {command: x, needs: [install, db]}\n",
        );
        let names = |units: &[usize]| -> Vec<String> {
            units
                .iter()
                .map(|&unit| config.units[unit].name.clone())
                .collect()
        };
        let graph = Graph::new(&config);
        assert_eq!(graph.len(), 4);
        assert_eq!(names(graph.needs(0)), ["migrate", "db"]);
        assert_eq!(names(graph.dependents(1)), ["web", "migrate"]);
        assert_eq!(names(&graph.start_order()), ["db", "install", "migrate", "web"]);
        assert_eq!(names(&graph.stop_order()), ["web", "migrate", "db", "install"]);
        assert_eq!(names(&graph.all_needs(0)), ["db", "install", "migrate"]);
        assert_eq!(graph.stop_layers(), [vec![0], vec![3], vec![1, 2]]);
        assert_eq!(graph.cycles(), Vec::<Vec<usize>>::new());
        assert_eq!((graph.needs(9), graph.dependents(9)), (&[][..], &[][..]));
    }

    #[test]
    fn the_longest_stop_follows_the_slowest_chain() {
        let config = config(
            "services:\n  a: {command: x, stop_timeout_ms: 1000, needs: [b]}\n  b: {command: x, stop_timeout_ms: 2000}\n  \
             c: {command: x, stop_timeout_ms: 2500}\n",
        );
        assert_eq!(longest_stop(&config), Duration::from_millis(3000));
        assert_eq!(longest_stop(&Config::default()), Duration::ZERO);
    }

    #[test]
    fn a_task_in_a_chain_counts_as_long_as_it_may_take() {
        let config = config(
            "services:\n  a: {command: x, stop_timeout_ms: 1, needs: [t]}\n  b: {command: x, stop_timeout_ms: 2}\n\
             tasks: {t: {command: x, needs: [b]}}\n",
        );
        assert_eq!(longest_stop(&config), Duration::from_millis(10_003));
    }

    #[test]
    fn each_knot_gives_one_cycle() {
        // 0 -> 1 -> 2 -> 0 with a shortcut 1 -> 0; 3 needs itself; 4 only needs a knot.
        let graph = Graph::from_needs(vec![vec![1], vec![2, 0], vec![0], vec![3], vec![0]]);
        assert_eq!(graph.cycles(), [vec![0, 1], vec![3]]);
        assert_eq!(graph.start_order(), Vec::<usize>::new());
    }

    fn any_needs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        (0..12_usize).prop_flat_map(|count| {
            prop::collection::vec(prop::collection::vec(0..count.max(1) + 1, 0..4), count)
        })
    }

    proptest! {
        #[test]
        fn orders_respect_needs(mut needs in any_needs()) {
            for (unit, needed) in needs.iter_mut().enumerate() {
                needed.retain(|&need| need < unit);
            }
            let graph = Graph::from_needs(needs);
            let position = |order: &[usize], unit| order.iter().position(|&other| other == unit);
            let (start, stop, layers) = (graph.start_order(), graph.stop_order(), graph.stop_layers());
            prop_assert_eq!((start.len(), stop.len(), layers.concat().len()), (graph.len(), graph.len(), graph.len()));
            for unit in 0..graph.len() {
                for &need in graph.needs(unit) {
                    prop_assert!(graph.dependents(need).contains(&unit));
                    prop_assert!(position(&start, need) < position(&start, unit));
                    prop_assert!(position(&stop, unit) < position(&stop, need));
                    let layer = |unit| layers.iter().position(|layer| layer.contains(&unit));
                    prop_assert!(layer(unit) < layer(need));
                }
            }
            prop_assert!(graph.cycles().is_empty());
        }

        #[test]
        fn cycles_are_found_and_closed(needs in any_needs()) {
            let graph = Graph::from_needs(needs);
            let cycles = graph.cycles();
            prop_assert_eq!(cycles.is_empty(), graph.start_order().len() == graph.len());
            let mut seen = std::collections::HashSet::new();
            for cycle in cycles {
                for (index, &unit) in cycle.iter().enumerate() {
                    prop_assert!(graph.needs(unit).contains(&cycle[(index + 1) % cycle.len()]));
                    prop_assert!(seen.insert(unit), "a unit in two cycles");
                }
            }
        }
    }
}
