//! Business days: the capture date is fixed when a payment is accepted; a day that was cut is closed
//! once nothing of it is in flight, and never changes after that.

use indexmap::IndexMap;
use ledger::{Command, Refusal};
use payments::{BusinessDate, Now};

use crate::api::{Effect, Note, Order, OrderOutcome};
use crate::engine::{Engine, Out, Pending};

/// The days as the engine sees them.
#[derive(Debug)]
pub(crate) struct Days {
    /// The day that new payments belong to.
    pub(crate) open: BusinessDate,
    /// Days that were cut and are not closed yet.
    closing: Vec<BusinessDate>,
    /// Cases in flight per day.
    in_flight: IndexMap<BusinessDate, usize>,
}

impl Default for Days {
    fn default() -> Self {
        Self { open: payments::Wall(0).date(), closing: Vec::new(), in_flight: IndexMap::new() }
    }
}

impl Engine {
    /// Goes on with the day of the record, or opens the first one.
    pub(crate) fn resume_days(&mut self, now: Now, open: Option<BusinessDate>, closing: Option<BusinessDate>, out: Out<'_>) {
        match open {
            Some(date) => self.days.open = date,
            None => {
                self.days.open = now.wall.date();
                let mut command = Command::at(now.wall);
                command.day_opened = Some(self.days.open);
                self.commit(command, Pending::Nothing, out);
            }
        }
        self.days.closing.extend(closing);
    }

    /// An operator or the schedule cuts over.
    pub(crate) fn cut_over(&mut self, now: Now, date: BusinessDate, out: Out<'_>) {
        if date <= self.days.open {
            let what = "a cut-over to a day that is not later than the open one was refused";
            out.push(Effect::Note(Note::Alarm { what, payment: None }));
            let (order, outcome) = (Order::CutOver(date), OrderOutcome::Refused(Refusal::Day(date)));
            return out.push(Effect::Note(Note::Ordered { order, outcome }));
        }
        let mut command = Command::at(now.wall);
        command.day_opened = Some(date);
        self.commit(command, Pending::DayOpened(date), out);
    }

    pub(crate) fn day_opened(&mut self, now: Now, date: BusinessDate, out: Out<'_>) {
        let cut = std::mem::replace(&mut self.days.open, date);
        self.days.closing.push(cut);
        out.push(Effect::Note(Note::DayOpened(date)));
        out.push(Effect::Note(Note::Ordered { order: Order::CutOver(date), outcome: OrderOutcome::Durable }));
        self.close_days(now, out);
    }

    /// A payment of this day is in flight.
    pub(crate) fn hold_day(&mut self, day: BusinessDate) {
        *self.days.in_flight.entry(day).or_default() += 1;
    }

    /// One less.
    pub(crate) fn release_day(&mut self, now: Now, day: BusinessDate, out: Out<'_>) {
        if let Some(count) = self.days.in_flight.get_mut(&day) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.days.in_flight.swap_remove(&day);
                self.close_days(now, out);
            }
        }
    }

    /// Closes every cut day of which nothing is in flight.
    pub(crate) fn close_days(&mut self, now: Now, out: Out<'_>) {
        let days = std::mem::take(&mut self.days.closing);
        for day in days {
            if self.days.in_flight.contains_key(&day) {
                self.days.closing.push(day);
            } else {
                let mut command = Command::at(now.wall);
                command.day_closed = Some(day);
                self.commit(command, Pending::DayClosed(day), out);
            }
        }
    }
}
