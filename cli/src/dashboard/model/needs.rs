//! Who needs whom, as a tree: what blocks what, and why.

use std::collections::{BTreeMap, HashMap, HashSet};

use agentbox_ctl::report::{ServiceState, TaskState, UnitState};

use super::super::plain::clean;
use super::BoxView;
use super::units::{UnitRow, has_failed, is_at_rest, is_well};

/// Most lines. A box can declare as many needs as it likes.
const LINES: usize = 2_000;
/// Deepest branch.
const DEPTH: usize = 32;
/// Most blocked units that are told one by one, and most units of a chain.
const BLOCKED: usize = 6;
const CHAIN: usize = 12;

/// How a unit is, seen by what needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It is there.
    Well,
    /// It is on its way.
    Coming,
    /// Nothing happens until somebody starts it.
    Rest,
    /// It has failed.
    Failed,
    /// The box has no such unit.
    Unknown,
}

/// One line of the tree, or about a blocked unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedLine {
    /// Branches before it.
    pub prefix: String,
    /// How the unit is.
    pub mark: Mark,
    /// Its name.
    pub name: String,
    /// Its state, where the box has it.
    pub state: Option<UnitState>,
    /// What there is to say.
    pub note: String,
}

/// How a unit in this state is.
pub fn mark(state: UnitState) -> Mark {
    if is_well(state) {
        return Mark::Well;
    }
    if has_failed(state) {
        return Mark::Failed;
    }
    match state {
        _ if is_at_rest(state) => Mark::Rest,
        UnitState::Service(ServiceState::Stopping) | UnitState::Task(TaskState::Stopped) => Mark::Rest,
        _ => Mark::Coming,
    }
}

/// The lines about a box: first why its blocked units wait, then who needs whom.
pub fn tree(view: &BoxView) -> Vec<NeedLine> {
    let units = Units::new(view);
    let mut lines = units.blocked();
    if !lines.is_empty() {
        lines.push(NeedLine {
            prefix: String::new(),
            mark: Mark::Well,
            name: String::new(),
            state: None,
            note: String::new(),
        });
    }
    units.branches(&mut lines);
    lines
}

struct Units<'a> {
    rows: &'a [UnitRow],
    by_name: HashMap<&'a str, &'a UnitRow>,
    /// In the order of the file.
    needs: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Units<'a> {
    fn new(view: &'a BoxView) -> Self {
        let rows = view.rows();
        let known = match &view.details.needs {
            Some(Ok(needs)) => Some(needs),
            _ => None,
        };
        let needs = rows.iter().map(|row| {
            let written = known.and_then(|needs| needs.get(&row.name));
            // What a unit waits for it needs, whatever the file says by now.
            let mut all: Vec<&str> =
                written.map_or_else(Vec::new, |needs| needs.units.iter().map(String::as_str).collect());
            for need in &row.blocked_on {
                if !all.contains(&need.as_str()) {
                    all.push(need);
                }
            }
            (row.name.as_str(), all)
        });
        Self {
            rows,
            by_name: rows.iter().map(|row| (row.name.as_str(), row)).collect(),
            needs: needs.collect(),
        }
    }

    fn needs(&self, name: &str) -> &[&'a str] {
        self.needs.get(name).map_or(&[], Vec::as_slice)
    }

    /// Why each unit that waits does so: the ends of the chains of needs that hold it.
    fn blocked(&self) -> Vec<NeedLine> {
        let waiting: Vec<&UnitRow> = self
            .rows
            .iter()
            .filter(|row| !row.blocked_on.is_empty())
            .collect();
        let mut lines: Vec<NeedLine> = waiting.iter().take(BLOCKED).map(|row| self.blame(row)).collect();
        if waiting.len() > BLOCKED {
            lines.push(NeedLine {
                prefix: String::new(),
                mark: Mark::Coming,
                name: format!("{} more", waiting.len() - BLOCKED),
                state: None,
                note: "wait too".to_owned(),
            });
        }
        lines
    }

    fn blame(&self, row: &UnitRow) -> NeedLine {
        let mut roots: BTreeMap<Vec<&str>, Mark> = BTreeMap::new();
        for need in row.blocked_on.iter().take(BLOCKED) {
            let mut chain = vec![need.as_str()];
            // Of several that block a link, the worst is to blame.
            while let Some(next) = chain
                .last()
                .and_then(|last| self.by_name.get(last))
                .and_then(|row| row.blocked_on.iter().max_by_key(|need| self.mark(need)))
                .filter(|next| chain.len() < CHAIN && !chain.contains(&next.as_str()))
            {
                chain.push(next);
            }
            let end = chain.last().copied().unwrap_or_default();
            roots.insert(chain, self.mark(end));
        }
        let mark = roots.values().max().copied().unwrap_or(Mark::Coming);
        let chains = roots.keys().map(|chain| {
            let names: Vec<String> = chain.iter().map(|name| clean(name)).collect();
            let end = chain.last().and_then(|name| self.by_name.get(name));
            let why = match end {
                None => "there is no such unit".to_owned(),
                Some(row) if row.note().is_empty() => row.state.to_string(),
                Some(row) => format!("{}, {}", row.state, row.note()),
            };
            format!("{} ({why})", names.join(" → "))
        });
        NeedLine {
            prefix: String::new(),
            mark,
            name: clean(&row.name),
            state: None,
            note: format!("waits for {}", chains.collect::<Vec<_>>().join(", ")),
        }
    }

    fn mark(&self, name: &str) -> Mark {
        self.by_name
            .get(name)
            .map_or(Mark::Unknown, |row| mark(row.state))
    }

    /// A tree from every unit that nobody needs; what was shown before is not shown again with all it needs. Without
    /// recursion, and only so deep: the file is the box's.
    fn branches(&self, lines: &mut Vec<NeedLine>) {
        let needed: HashSet<&str> = self.needs.values().flatten().copied().collect();
        let roots = self.rows.iter().filter(|row| !needed.contains(row.name.as_str()));
        // Where needs run in a circle, none of its units is a root.
        let all = roots.chain(self.rows).map(|row| row.name.as_str());
        let mut shown: HashSet<&str> = HashSet::new();
        for root in all {
            if shown.contains(root) {
                continue;
            }
            let mut open = vec![(root, String::new(), String::new(), 0)];
            while let Some((name, prefix, below, depth)) = open.pop() {
                if lines.len() >= LINES {
                    return;
                }
                let needs = self.needs(name);
                let again = !shown.insert(name) && !needs.is_empty();
                let row = self.by_name.get(name);
                let note = match row {
                    None => "no unit of this box".to_owned(),
                    Some(_) if again => "as above".to_owned(),
                    Some(row) => row.note(),
                };
                lines.push(NeedLine {
                    prefix,
                    mark: self.mark(name),
                    name: clean(name),
                    state: row.map(|row| row.state),
                    note,
                });
                if again || depth >= DEPTH {
                    continue;
                }
                for (index, need) in needs.iter().enumerate().rev() {
                    let last = index + 1 == needs.len();
                    let (branch, rest) = if last {
                        ("└─ ", "   ")
                    } else {
                        ("├─ ", "│  ")
                    };
                    let under = format!("{below}{rest}");
                    open.push((need, format!("{below}{branch}"), under, depth + 1));
                }
            }
        }
    }
}
