//! Credit transfers: what the party was told, what the bank did, what we recorded, and the money on
//! the debtors' accounts.

use ledger::memory::Tables;
use ledger::{ClaimKey, postings};
use payments::{Currency, State, Text};

use crate::setup::{DEBTORS, DEPOSIT, PARTY};
use crate::world::World;

impl World {
    pub(super) fn judge_transfers(&mut self, tables: &Tables) {
        let mut wrong: Vec<(String, String)> = Vec::new();
        let mut spent = vec![0; DEBTORS.len()];
        let party = payments::AcquirerId::new(PARTY).expect("a short name");
        for ordered in &self.party.book {
            let facts = &ordered.facts;
            let uetr = facts.uetr.to_string();
            let claim = tables.claims.get(&ClaimKey::uetr(&party, &facts.uetr));
            let payment = claim.and_then(|claim| claim.payment).and_then(|id| tables.payments.get(&id));
            let recorded = payment.is_some_and(|payment| payment.standing.state == State::Executed);
            let at_bank = self.bank.book.get(&uetr).is_some_and(|executed| !executed.rejected);
            if ordered.executed != Some(recorded) || recorded != at_bank {
                let told = ordered.executed;
                wrong.push((
                    format!("transfer {uetr}: the party was told {told:?}, recorded {recorded}, at the bank {at_bank}"),
                    uetr.clone(),
                ));
            }
            if let Some(executed) = self.bank.book.get(&uetr)
                && (executed.facts.amount != facts.amount || executed.facts.debtor_account != facts.debtor_account)
            {
                wrong.push((format!("transfer {uetr}: the bank got another one"), uetr.clone()));
            }
            if recorded && let Some(at) = DEBTORS.iter().position(|debtor| facts.debtor_account.as_str() == *debtor) {
                spent[at] += facts.amount.minor();
            }
        }
        if let Some(uetr) = self.bank.book.keys().find(|uetr| !self.party.book.iter().any(|it| it.facts.uetr.as_str() == *uetr)) {
            wrong.push((format!("transfer {uetr}: nobody ordered it"), uetr.clone()));
        }
        for (debtor, spent) in DEBTORS.iter().zip(spent) {
            let code = postings::customer(&Text::new(debtor).unwrap_or_default());
            let account = tables.accounts.values().find(|account| account.code == code && account.currency == Currency::EUR);
            let Some(account) = account else { continue };
            let (left, held) = (account.balances.net_credit(), account.balances.pending_debit);
            if (left, held) != (DEPOSIT - spent, 0) {
                wrong.push((format!("{debtor} has {left} and {held} on hold, not {}", DEPOSIT - spent), (*debtor).to_owned()));
            }
        }
        for (what, about) in wrong {
            self.object(what, &[about]);
        }
    }
}
