//! Operators who wait for what came of their orders. The engine tells of each order once, so of several who
//! gave the same one each hears of one: two are never told that both had done it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use engine::{Order, OrderOutcome};
use ledger::Refusal;
use tokio::sync::oneshot;

/// Who waits in a shard.
#[derive(Default)]
pub(crate) struct Orders {
    waiting: Mutex<HashMap<Order, VecDeque<oneshot::Sender<OrderOutcome>>>>,
}

impl Orders {
    /// Waits for an order. To be called before it is given.
    pub(crate) fn wait(&self, order: Order) -> oneshot::Receiver<OrderOutcome> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // An order that nobody waits for any more is forgotten here, so that the table does not grow. One who
        // went away keeps the place while others wait, since what is told next belongs there.
        waiting.retain(|_, some| some.iter().any(|one| !one.is_closed()));
        waiting.entry(order).or_default().push_back(tell);
        told
    }

    /// Tells the one who has waited longest for an order.
    pub(crate) fn tell(&self, order: Order, outcome: OrderOutcome) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(some) = waiting.get_mut(&order) else { return };
        let first = some.pop_front();
        if some.is_empty() {
            waiting.remove(&order);
        }
        if let Some(first) = first {
            // One who went away learns it from the record when asking again.
            let _ = first.send(outcome);
        }
    }
}

/// Why an order was refused, for the operator.
pub(crate) fn words(why: &Refusal) -> String {
    match why {
        Refusal::ClaimTaken(_) => "the reference was used before for something else".to_owned(),
        Refusal::Floor(account) => format!("account {account} would fall below its floor"),
        Refusal::Overflow => "a sum would not fit".to_owned(),
        Refusal::Unbalanced => "there is nothing to post: an amount is zero".to_owned(),
        Refusal::Day(date) => {
            format!("business day {date} cannot be opened or posted to now; a day before it may not be closed yet")
        }
        Refusal::Late => "it came too late".to_owned(),
        Refusal::Version(_) | Refusal::Illegal(_) | Refusal::Duplicate => {
            "somebody else was faster; look at it again with `switchyard trace`".to_owned()
        }
        Refusal::Link(link) => format!("link {link} is not configured"),
    }
}

#[cfg(test)]
mod tests {
    use ledger::ClaimKey;

    use super::*;

    #[test]
    fn each_who_waits_is_told_of_one_order_and_who_went_away_is_forgotten() {
        let orders = Orders::default();
        let (one, other) = (Order::Post(ClaimKey::operator("one")), Order::Post(ClaimKey::operator("other")));
        drop(orders.wait(other));
        let (mut first, mut second) = (orders.wait(one), orders.wait(one));
        assert_eq!(orders.waiting.lock().unwrap().len(), 1);
        orders.tell(one, OrderOutcome::Durable);
        assert_eq!(first.try_recv(), Ok(OrderOutcome::Durable));
        assert!(second.try_recv().is_err());
        orders.tell(one, OrderOutcome::Refused(Refusal::Overflow));
        assert_eq!(second.try_recv(), Ok(OrderOutcome::Refused(Refusal::Overflow)));
        assert!(orders.waiting.lock().unwrap().is_empty());
        orders.tell(one, OrderOutcome::Durable);
    }

    #[test]
    fn what_is_told_of_the_order_of_one_who_went_away_is_not_told_to_the_next() {
        let orders = Orders::default();
        let order = Order::Post(ClaimKey::operator("one"));
        let (gone, mut next) = (orders.wait(order), orders.wait(order));
        drop(gone);
        orders.tell(order, OrderOutcome::Durable);
        assert!(next.try_recv().is_err());
        orders.tell(order, OrderOutcome::TriedNow);
        assert_eq!(next.try_recv(), Ok(OrderOutcome::TriedNow));
    }
}
