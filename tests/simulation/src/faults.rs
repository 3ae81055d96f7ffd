//! What goes wrong besides messages: crashes, pauses, leases, links, stores, clocks, operators.

use engine::{Event, Operator};
use ledger::postings;
use payments::{Amount, BusinessDate, Currency, Text};

use crate::clock::{MS, SEC};
use crate::counters::Count;
use crate::queue::{Trouble, What};
use crate::setup::{DEBTORS, DEPOSIT, SHARD, tables};
use crate::world::World;

/// Where a process may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    BeforeCommit,
    AfterCommit,
    AfterSend,
    AfterReversal,
    AtAnswer,
    AtAcknowledgement,
    AtReply,
}

impl Edge {
    const ALL: [Edge; 7] = [
        Edge::BeforeCommit,
        Edge::AfterCommit,
        Edge::AfterSend,
        Edge::AfterReversal,
        Edge::AtAnswer,
        Edge::AtAcknowledgement,
        Edge::AtReply,
    ];

    fn counted(self) -> Count {
        match self {
            Self::BeforeCommit => Count::CrashedBeforeCommit,
            Self::AfterCommit => Count::CrashedAfterCommit,
            Self::AfterSend => Count::CrashedAfterSend,
            Self::AfterReversal => Count::CrashedAfterReversal,
            Self::AtAnswer => Count::CrashedAtAnswer,
            Self::AtAcknowledgement => Count::CrashedAtAcknowledgement,
            Self::AtReply => Count::CrashedAtReply,
        }
    }
}

impl World {
    /// Spreads the plan's troubles over the history.
    pub(crate) fn plan_troubles(&mut self) {
        let plan = self.plan.clone();
        let kinds = [
            (plan.crashes, Trouble::Crash),
            (plan.pauses, Trouble::Pause),
            (plan.leases, Trouble::LoseLease),
            (plan.cuts, Trouble::CutLink),
            (plan.half_open, Trouble::HalfOpen),
            (plan.store_crashes, Trouble::CrashStore),
            (plan.stalls, Trouble::Stall),
            (plan.jumps, Trouble::JumpClock),
            (plan.swaps, Trouble::Swap),
            (plan.cut_overs, Trouble::CutOver),
            (plan.drains, Trouble::Drain),
            (plan.sign_offs, Trouble::SignOff),
        ];
        for (count, trouble) in kinds {
            for _ in 0..count {
                let at = self.dice.between(3 * SEC, plan.traffic);
                self.queue.push(at, What::Trouble(trouble));
            }
        }
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        let orderly = matches!(
            trouble,
            Trouble::StoreBack | Trouble::Drained { .. } | Trouble::Left { .. } | Trouble::SignOn { .. } | Trouble::CutOver
        );
        if self.calm && !orderly {
            return;
        }
        self.trace.tell(self.now, || format!("trouble: {trouble:?}"));
        match trouble {
            Trouble::Crash => self.crash(),
            Trouble::Pause => self.pause(),
            Trouble::LoseLease => self.lose_lease(),
            Trouble::CutLink => self.cut_some_line(false),
            Trouble::HalfOpen => self.cut_some_line(true),
            Trouble::CrashStore => {
                self.counters.add(Count::StoreCrashes);
                let lost = self.store.crash();
                if lost > 0 {
                    self.trace.tell(self.now, || format!("{lost} blocks lost"));
                    // Whoever wrote them cannot go on behind what is left.
                    self.crash_now();
                }
                self.store.set_reachable(false);
                let at = self.now + self.dice.between(500, 9_000) * MS;
                self.queue.push(at, What::Trouble(Trouble::StoreBack));
            }
            Trouble::StoreBack => self.store.set_reachable(true),
            Trouble::Stall => {
                self.counters.add(Count::StoreStalls);
                self.stalled_until = self.now + self.dice.between(500, 9_000) * MS;
            }
            Trouble::JumpClock => {
                self.counters.add(Count::ClockJumps);
                let jump = self.dice.pick(&[-3_600, 3_600, -5, 5, -86_400, 7_200]) * 1_000_000;
                self.wall_offset_us = self.wall_offset_us.saturating_add(jump).clamp(-90_000_000_000, 90_000_000_000);
                let offset = self.wall_offset_us;
                if let Some(n) = self.serving {
                    self.nodes[n].wall_offset_us = offset;
                }
            }
            Trouble::Swap => {
                self.counters.add(Count::Reconfigured);
                self.version += 1;
                let tables = tables(&self.plan, self.version);
                if let Some(n) = self.serving {
                    self.soon(n, Event::Config(tables));
                }
            }
            Trouble::CutOver => self.cut_over(),
            Trouble::Drain => {
                if let Some(n) = self.serving.filter(|n| !self.nodes[*n].paused) {
                    self.counters.add(Count::Drains);
                    self.soon(n, Event::Operator(Operator::Drain));
                    self.queue.push(self.now + SEC, What::Trouble(Trouble::Drained { node: n }));
                }
            }
            Trouble::Drained { node: n } => {
                let Some(in_flight) = self.nodes[n].engine.as_ref().map(engine::Engine::in_flight) else { return };
                if in_flight > 0 {
                    return self.queue.push(self.now + SEC, What::Trouble(Trouble::Drained { node: n }));
                }
                self.soon(n, Event::Operator(Operator::SignOff));
                self.queue.push(self.now + 500 * MS, What::Trouble(Trouble::Left { node: n }));
            }
            Trouble::SignOff => self.sign_off(),
            Trouble::SignOn { link } => self.sign_on(link),
            Trouble::Left { node: n } => {
                if self.serving == Some(n) {
                    self.kill_node(n, "drained");
                    let at = self.now + self.dice.between(200, 2_000) * MS;
                    self.queue.push(at, What::Open);
                }
            }
        }
    }

    /// The process ends: at once, or at the next such edge.
    fn crash(&mut self) {
        match self.dice.index(Edge::ALL.len() * 2) {
            index if index < Edge::ALL.len() => self.armed = Some(Edge::ALL[index]),
            _ => self.crash_now(),
        }
    }

    /// Whether the process ends here.
    pub(crate) fn crashes_at(&mut self, n: usize, edge: Edge) -> bool {
        if self.armed != Some(edge) || self.calm || self.serving != Some(n) {
            return false;
        }
        self.counters.add(edge.counted());
        self.crash_now();
        true
    }

    fn crash_now(&mut self) {
        self.armed = None;
        let Some(n) = self.serving else { return };
        self.counters.add(Count::NodeCrashes);
        if let Some(committing) = self.nodes[n].committing.as_ref()
            && !committing.at_store
            && !committing.staged.batch.items.is_empty()
            && self.dice.chance(500)
        {
            // On its way to the store, it arrives all the same. Whatever the store says to it, nobody is
            // left to hear it.
            let committing = self.nodes[n].committing.as_ref();
            let _ = committing.map(|committing| self.store.commit_now(&self.nodes[n].fence, &committing.staged.batch));
        }
        self.kill_node(n, "crashed");
        let at = self.now + self.dice.between(1_000, 12_000) * MS;
        self.queue.push(at, What::Open);
    }

    /// The process stands still, with messages that are ready to be written.
    fn pause(&mut self) {
        let Some(n) = self.serving.filter(|n| !self.nodes[*n].paused) else { return };
        self.counters.add(Count::Pauses);
        let length = if self.dice.chance(500) { self.dice.between(100, 2_500) } else { self.dice.between(2_500, 20_000) };
        self.nodes[n].paused = true;
        self.queue.push(self.now + length * MS, What::Resume { node: n });
        // A lease of three seconds; the next owner waits for it, the longest `send_by`, and a margin.
        if length > 3_000 {
            self.nodes[n].lease_until = Some(self.now + 3 * SEC);
            self.queue.push(self.now + 7 * SEC, What::Open);
        }
    }

    pub(crate) fn resume(&mut self, n: usize) {
        let Some(node) = self.nodes.get_mut(n) else { return };
        node.paused = false;
        let waiting = std::mem::take(&mut node.deferred);
        self.trace.tell(self.now, || format!("node {n} goes on with {} things that waited", waiting.len()));
        for what in waiting {
            self.queue.push(self.now, what);
        }
        self.rewake(n);
    }

    /// The node cannot renew its lease: it works on until it ends.
    fn lose_lease(&mut self) {
        let Some(n) = self.serving.filter(|n| !self.nodes[*n].paused && self.nodes[*n].lease_until.is_none()) else { return };
        self.counters.add(Count::LeasesLost);
        let until = self.now + 3 * SEC;
        self.nodes[n].lease_until = Some(until);
        self.queue.push(until, What::LeaseEnds { node: n });
        self.queue.push(self.now + 7 * SEC, What::Open);
    }

    pub(crate) fn lease_ends(&mut self, n: usize) {
        self.kill_node(n, "its lease is gone");
    }

    /// The business day is cut over in mid traffic.
    pub(crate) fn cut_over(&mut self) {
        let Some(n) = self.serving else { return };
        let Some(engine) = self.nodes[n].engine.as_ref() else { return };
        let date = engine.business_date().next();
        if engine.in_flight() > 0 {
            self.counters.add(Count::CutWithTraffic);
        }
        self.soon(n, Event::Operator(Operator::CutOver { date }));
    }

    /// A day is closed: what it captured may never change again.
    pub(crate) fn freeze(&mut self, date: BusinessDate) {
        let items = self.captures_of(date);
        self.closed.insert(date, items);
    }

    pub(crate) fn captures_of(&self, date: BusinessDate) -> Vec<String> {
        self.store.read(SHARD, |tables| {
            tables.captures.values().filter(|item| item.date == date).map(|item| format!("{item:?}")).collect()
        })
    }

    /// Money on the debtors' accounts, once each: told again by every new owner.
    pub(crate) fn deposits(&mut self, n: usize) {
        for debtor in DEBTORS {
            let account = postings::customer(&Text::new(debtor).unwrap_or_default());
            let amount = Amount::new(DEPOSIT, Currency::EUR).expect("a positive amount");
            let reference = Text::new(&format!("deposit/{debtor}")).unwrap_or_default();
            self.soon(n, Event::Operator(Operator::Deposit { reference, account, amount }));
        }
    }
}
