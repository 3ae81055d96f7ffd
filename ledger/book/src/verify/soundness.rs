//! Whether commands and payments are sound: money by money, state against money. Written on its own,
//! without the book's checks, so that a mistake there does not hide here.

use std::collections::BTreeMap;

use payments::{Currency, State};

use crate::accounts::Side;
use crate::command::{Capture, CaptureKind, Command, HoldWrite, Journal, JournalKind, LaneEnd, LaneKind, PaymentKind, Standing};

/// What is wrong with a journal, if anything.
pub(super) fn journal(journal: &Journal) -> Result<(), String> {
    if journal.lines.len() < 2 {
        return Err(format!("{} lines", journal.lines.len()));
    }
    let mut difference: BTreeMap<Currency, i128> = BTreeMap::new();
    for line in &journal.lines {
        let minor = i128::from(line.amount.minor());
        if minor <= 0 {
            return Err("a line of zero".into());
        }
        let signed = if line.side == Side::Debit { minor } else { -minor };
        *difference.entry(line.amount.currency()).or_default() += signed;
    }
    match difference.into_iter().find(|(_, sum)| *sum != 0) {
        Some((currency, sum)) => Err(format!("debits exceed credits by {sum} {currency}")),
        None => Ok(()),
    }
}

/// Money that is captured or taken back has its journal in the same command.
pub(super) fn capture_is_posted(command: &Command, item: &Capture) -> bool {
    let wanted = match item.kind {
        CaptureKind::Sale => JournalKind::Capture,
        CaptureKind::Refund => JournalKind::Refund,
        CaptureKind::Void | CaptureKind::Credit => JournalKind::Reversal,
    };
    command.journals.iter().any(|journal| {
        journal.kind == wanted && journal.payment == Some(item.payment) && debits(journal) == i128::from(item.amount.minor())
    })
}

/// A hold that ends because the transfer was executed has become a debit of the same account.
pub(super) fn hold_is_posted(command: &Command) -> bool {
    let Some(HoldWrite::Release { payment, account, amount }) = &command.hold else { return true };
    command.journals.iter().any(|journal| {
        journal.kind == JournalKind::Transfer
            && journal.payment == Some(*payment)
            && journal.lines.iter().any(|line| line.account == *account && line.side == Side::Debit && line.amount == *amount)
    })
}

fn debits(journal: &Journal) -> i128 {
    journal.lines.iter().filter(|line| line.side == Side::Debit).map(|line| i128::from(line.amount.minor())).sum()
}

/// How much of what is captured changes by an item.
pub(super) fn moved(item: Option<&Capture>) -> i128 {
    item.map_or(0, |item| match item.kind {
        CaptureKind::Sale | CaptureKind::Refund => i128::from(item.amount.minor()),
        CaptureKind::Void | CaptureKind::Credit => -i128::from(item.amount.minor()),
    })
}

/// What is captured beyond what was approved.
pub(super) fn excess(standing: &Standing) -> i128 {
    (i128::from(standing.captured) - i128::from(standing.approved)).max(0)
}

/// What a payment that does not change any more has to have: wanted and found.
pub(super) fn at_rest(
    kind: Option<PaymentKind>,
    standing: &Standing,
    lanes: &[(LaneKind, Option<LaneEnd>)],
    hold: Option<bool>,
) -> Result<(), (&'static str, String)> {
    // A dead letter is an operator's to solve; until then it counts as owed.
    let owed = |wanted: LaneKind| lanes.iter().any(|(kind, end)| *kind == wanted && *end != Some(LaneEnd::Acknowledged));
    let state = standing.state;
    let shown = || format!("state {state:?}, captured {}, {} capture items", standing.captured, standing.captures);
    match state {
        State::Reversing if !owed(LaneKind::Reversal) => return Err(("an owed reversal", "none".into())),
        State::Enquiring if !owed(LaneKind::Enquiry) => return Err(("an owed enquiry", "none".into())),
        State::Sent | State::Approved | State::Declined | State::Abandoned | State::Enquiring | State::Unmatched
            if standing.captured != 0 =>
        {
            return Err(("nothing captured", shown()));
        }
        State::Executed if standing.captured != 0 && standing.captured != standing.approved => {
            return Err(("all or nothing executed", shown()));
        }
        _ => {}
    }
    let open = matches!(state, State::Sent | State::Enquiring);
    match hold {
        Some(false) if !open && kind == Some(PaymentKind::Transfer) => {
            Err(("a released hold", format!("a hold behind state {state:?}")))
        }
        Some(true) if open => Err(("a hold", format!("a released hold in state {state:?}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::samples::begins;

    #[test]
    fn a_payment_at_rest_has_what_its_state_means() {
        let rest = |state, captured, captures, lanes: &[(LaneKind, Option<LaneEnd>)], hold| {
            let standing = Standing { captured, captures, ..begins(state) };
            at_rest(Some(PaymentKind::Transfer), &standing, lanes, hold).map_err(|(want, _)| want)
        };
        let (acknowledged, dead) = (Some(LaneEnd::Acknowledged), Some(LaneEnd::Dead));
        assert_eq!(rest(State::Reversing, 0, 0, &[], None), Err("an owed reversal"));
        assert_eq!(rest(State::Reversing, 0, 0, &[(LaneKind::Reversal, acknowledged)], None), Err("an owed reversal"));
        assert_eq!(rest(State::Reversing, 0, 0, &[(LaneKind::Reversal, dead)], None), Ok(()));
        assert_eq!(rest(State::Reversing, 0, 0, &[(LaneKind::Advice, None)], None), Err("an owed reversal"));
        assert_eq!(rest(State::Enquiring, 0, 0, &[], Some(false)), Err("an owed enquiry"));
        assert_eq!(rest(State::Enquiring, 0, 0, &[(LaneKind::Enquiry, None)], Some(false)), Ok(()));
        assert_eq!(rest(State::Enquiring, 0, 0, &[(LaneKind::Enquiry, None)], Some(true)), Err("a hold"));
        assert_eq!(rest(State::Executed, 0, 0, &[], Some(false)), Err("a released hold"));
        assert_eq!(rest(State::Captured, 0, 0, &[], None), Ok(()), "released by a completion of zero");
        assert_eq!(rest(State::Executed, 5, 0, &[], Some(true)), Err("all or nothing executed"));
        assert_eq!(rest(State::Declined, 5, 1, &[], None), Err("nothing captured"));
        assert_eq!(rest(State::Unmatched, 5, 1, &[], None), Err("nothing captured"));
    }
}
