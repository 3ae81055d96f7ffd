//! Which edge is hit in which round, and when: from the seed alone.

use std::fmt;

use serde::Serialize;
use switch::faults::Point;

use super::IN_FLIGHT;

/// Requests that the switch has in flight when the counting begins: more than have to be there at the
/// kill, since some are answered in between.
const BUSY: usize = IN_FLIGHT * 3 / 2;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The switch.
    Kill,
    /// PostgreSQL.
    KillStore,
    /// Both.
    KillBoth,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 3] = [Action::Kill, Action::KillStore, Action::KillBoth];

    /// Its name in a fault.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::KillStore => "kill-store",
            Self::KillBoth => "kill-both",
        }
    }

    /// Whether the switch has to be started again.
    pub fn kills_switch(self) -> bool {
        self != Self::KillStore
    }
}

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The edge.
    pub point: Point,
    /// At which time that it is reached.
    pub count: u64,
    /// What is killed there.
    pub action: Action,
    /// Requests in flight without which a time does not count.
    pub busy: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}:{}", self.point.name(), self.count, self.action.name(), self.busy)
    }
}

/// What is drilled.
#[derive(Debug, Clone)]
pub struct Options {
    /// Kills; 27 are every edge with every action.
    pub rounds: usize,
    /// Of the edges' counts and the terminals' conversations.
    pub seed: u64,
    /// Conversations of the terminals in each round.
    pub conversations: u64,
    /// Break the promise on purpose, and kill where that costs money.
    pub early_ack: bool,
    /// Only these edges, in turn; all when empty.
    pub only: Vec<Point>,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: Point::ALL.len() * Action::ALL.len(), seed: 1, conversations: 500, early_ack: false, only: Vec::new() }
    }
}

/// The kills of a drill, in order: the edges in turn, and a new action each time round.
pub fn plan(options: &Options) -> Vec<Fault> {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let edges = match options.only.as_slice() {
        // What is promised too early is lost when both halves die before it is true.
        [] if options.early_ack => vec![Point::BeforeB, Point::BeforeA],
        [] => Point::ALL.to_vec(),
        some => some.to_vec(),
    };
    let mut planned = Vec::with_capacity(options.rounds);
    for round in 0..options.rounds {
        let Some(point) = edges.get(round % edges.len()).copied() else { break };
        // Moved on by one at each edge, so that a few rounds already show all actions.
        let turn = round / edges.len() + round % edges.len();
        let action = match Action::ALL.get(turn % Action::ALL.len()) {
            Some(action) if !options.early_ack => *action,
            _ => Action::KillBoth,
        };
        let range = match point {
            // Held for a while each, so there are few of them, and every one has approvals.
            _ if options.early_ack => 3..7,
            // One of these is a batch. The slower the machine, the fewer and larger they are: a round of a short
            // drill has two dozens in all.
            Point::BeforeA | Point::AfterA | Point::BeforeB | Point::AfterB => 5..15,
            Point::MidFrame | Point::AnswerRead | Point::MidReply => 100..300,
            Point::ReversalSent | Point::Acknowledged => 5..20,
        };
        // A promise that is broken for a while at every batch keeps the traffic low.
        let busy = if options.early_ack { 0 } else { BUSY };
        planned.push(Fault { point, count: rng.u64(range), action, busy });
    }
    planned
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_full_run_has_every_edge_with_every_action() {
        let planned = plan(&Options::default());
        let pairs: BTreeSet<(&str, Action)> = planned.iter().map(|fault| (fault.point.name(), fault.action)).collect();
        assert_eq!((planned.len(), pairs.len()), (27, 27));
        assert_eq!(plan(&Options::default()), planned);
        assert_ne!(plan(&Options { seed: 2, ..Options::default() }), planned);
    }

    #[test]
    fn three_rounds_have_every_action() {
        let planned = plan(&Options { rounds: 3, ..Options::default() });
        assert_eq!(planned.iter().map(|fault| fault.action).collect::<Vec<_>>(), Action::ALL);
    }
}
