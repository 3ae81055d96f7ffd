//! Operators who wait for what came of their orders.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use engine::Order;
use ledger::Refusal;
use tokio::sync::oneshot;

/// What came of an order: durable, or refused and why.
pub(crate) type Outcome = Result<(), Refusal>;

/// Who waits in a shard.
#[derive(Default)]
pub(crate) struct Orders {
    waiting: Mutex<HashMap<Order, Vec<oneshot::Sender<Outcome>>>>,
}

impl Orders {
    /// Waits for an order. To be called before it is given.
    pub(crate) fn wait(&self, order: Order) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who went away are forgotten here, so that the table does not grow.
        waiting.retain(|_, some| {
            some.retain(|one| !one.is_closed());
            !some.is_empty()
        });
        waiting.entry(order).or_default().push(tell);
        told
    }

    /// Tells everybody who waits for an order.
    pub(crate) fn tell(&self, order: Order, refused: Option<Refusal>) {
        let some = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&order);
        for one in some.into_iter().flatten() {
            // One who went away learns it from the record when asking again.
            let _ = one.send(refused.map_or(Ok(()), Err));
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
        Refusal::Version(_) | Refusal::Illegal(_) | Refusal::Duplicate | Refusal::Link(_) => format!("{why:?}"),
    }
}

#[cfg(test)]
mod tests {
    use ledger::ClaimKey;

    use super::*;

    #[test]
    fn everybody_who_waits_is_told_once_and_who_went_away_is_forgotten() {
        let orders = Orders::default();
        let (one, other) = (Order::Post(ClaimKey::operator("one")), Order::Post(ClaimKey::operator("other")));
        drop(orders.wait(other));
        let (mut first, mut second) = (orders.wait(one), orders.wait(one));
        assert_eq!(orders.waiting.lock().unwrap().len(), 1);
        orders.tell(one, Some(Refusal::Overflow));
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Err(Refusal::Overflow)), Ok(Err(Refusal::Overflow))));
        orders.tell(one, None);
        assert!(orders.waiting.lock().unwrap().is_empty());
    }
}
