//! Why a message may leave.

use ledger::{ClaimRecord, Committed, Epoch, OpenLane, Seq};
use payments::ResponseCode;
use payments::outgoing::{Outgoing, Response};
use payments::request::CardKind;

/// A commit is durable. Its fields are private and it is minted from [`Committed`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    at: Seq,
    epoch: Epoch,
}

impl Durable {
    /// For each command of a durable batch.
    pub(crate) fn mint(committed: &Committed) -> impl Iterator<Item = Durable> + '_ {
        committed.seqs().iter().map(|at| Durable { at: *at, epoch: committed.epoch() })
    }

    /// Which command.
    pub fn at(&self) -> Seq {
        self.at
    }

    /// Under which epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

/// Something was read back from the record under the current epoch. Its field is private: it is minted from
/// what a lookup or the snapshot gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    epoch: Epoch,
}

impl Stored {
    /// A claim that was taken: whoever asks again is told what it says.
    pub(crate) fn claim(_read: &ClaimRecord, epoch: Epoch) -> Self {
        Self { epoch }
    }

    /// A message that an earlier process owed.
    pub(crate) fn lane(_read: &OpenLane, epoch: Epoch) -> Self {
        Self { epoch }
    }

    /// Under which epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

/// Why a message may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// What it rests on is durable.
    Durable(Durable),
    /// It was read back from the record: a stored answer, an owed message.
    Stored(Stored),
    /// It moves no money: the list stands in this module.
    Unclaimed(Unclaimed),
}

/// That a message may leave without a trace in the record. Private field: only the two functions of
/// this module make one, by a table; its tests stand below, and in `tests/rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclaimed(());

/// Messages that move no money: 0800 and 0810, a balance enquiry, a status enquiry.
pub(crate) fn unclaimed_send(message: &Outgoing, kind: Option<CardKind>) -> Option<Proof> {
    let harmless = match message {
        Outgoing::Network(_) | Outgoing::Managed(_) | Outgoing::StatusRequest(_) => true,
        Outgoing::Card(_) => kind == Some(CardKind::Balance),
        Outgoing::Advice(_) | Outgoing::Reversal(_) | Outgoing::CreditTransfer(_) => false,
    };
    harmless.then_some(Proof::Unclaimed(Unclaimed(())))
}

/// Answers of which nothing was kept or sent: 0810, the answer to a balance enquiry, refusals with
/// 30, 91, 94 or 96, and a status that is only being asked for.
pub(crate) fn unclaimed_reply(response: &Response, kind: Option<CardKind>) -> Option<Proof> {
    let harmless = match response {
        Response::Network(_) => true,
        Response::Card(card) => kind == Some(CardKind::Balance) || is_bare_refusal(card.answer.code),
        Response::Transfer(transfer) => matches!(transfer.status.status.as_str(), "PDNG" | "RJCT"),
    };
    harmless.then_some(Proof::Unclaimed(Unclaimed(())))
}

fn is_bare_refusal(code: ResponseCode) -> bool {
    [ResponseCode::FORMAT_ERROR, ResponseCode::UNAVAILABLE, ResponseCode::CONFLICT, ResponseCode::MALFUNCTION].contains(&code)
}

#[cfg(test)]
mod tests {
    use payments::answer::TransferStatus;
    use payments::outgoing::{
        AdviceOut, CardOut, CardResponse, Egress, MessageSystem, NetworkOut, ReversalOut, TransferResponse,
    };
    use payments::request::{Head, NetworkFunction, Passthrough, TransferFacts};
    use payments::{Amount, Answer, Currency, Evidence, ProcessingCode, Rrn, Stan, Text, Wall};

    use super::*;

    const EVERY_KIND: [CardKind; 4] = [CardKind::Purchase, CardKind::Authorization, CardKind::Refund, CardKind::Balance];

    fn stan() -> Stan {
        Stan::new(1).expect("a STAN")
    }

    fn egress() -> Egress {
        Egress {
            link: Text::EMPTY,
            route: Text::EMPTY,
            system: MessageSystem::Dual,
            attempt: 1,
            mti: Text::literal("0100"),
            stan: stan(),
            transmission: Wall(0).transmission(),
            local: Wall(0).local(),
            institution: Text::EMPTY,
            forwarding: None,
            rrn: Rrn::new(b"000000000001").expect("a DE37"),
            processing_code: ProcessingCode::new(b"000000").expect("a DE3"),
            amount: Amount::zero(Currency::EUR),
            terminal: Text::EMPTY,
            merchant: Text::EMPTY,
        }
    }

    fn facts() -> TransferFacts {
        TransferFacts {
            message_id: Text::EMPTY,
            instruction_id: Text::EMPTY,
            end_to_end_id: Text::EMPTY,
            transaction_id: Text::EMPTY,
            uetr: Text::EMPTY,
            amount: Amount::zero(Currency::EUR),
            settlement_date: Wall(0).date(),
            debtor_agent: Text::EMPTY,
            creditor_agent: Text::EMPTY,
            debtor_account: Text::EMPTY,
            creditor_account: Text::EMPTY,
            debtor_name: String::new(),
            creditor_name: String::new(),
            remittance: String::new(),
        }
    }

    fn card_response(code: ResponseCode) -> Response {
        let Egress { stan, local, rrn, processing_code, amount, .. } = egress();
        let head = Head {
            acquirer: Text::EMPTY,
            mti: Text::literal("0200"),
            stan,
            local,
            transmission: None,
            institution: Text::EMPTY,
            forwarding: None,
            rrn: None,
            terminal: Text::EMPTY,
            merchant: Text::EMPTY,
        };
        let answer = Answer::code(code);
        Response::Card(Box::new(CardResponse { head, processing_code, amount, rrn: Some(rrn), answer }))
    }

    fn transfer_response(status: &'static str) -> Response {
        let status = TransferStatus { status: Text::literal(status), reason: Text::EMPTY };
        Response::Transfer(Box::new(TransferResponse { message_id: Text::EMPTY, facts: facts(), status, created: Wall(0) }))
    }

    #[test]
    fn nothing_that_moves_money_leaves_without_a_claim() {
        let (transmission, created) = (Wall(0).transmission(), Wall(0));
        let card = Outgoing::Card(Box::new(CardOut {
            egress: egress(),
            evidence: Evidence::default(),
            pin: false,
            passthrough: Passthrough::default(),
        }));
        let moving = [
            Outgoing::Advice(Box::new(AdviceOut { egress: egress(), approval: None, transmission })),
            Outgoing::Reversal(Box::new(ReversalOut {
                mti: Text::literal("0420"),
                transmission,
                original: egress(),
                reason: ResponseCode::TIMEOUT,
                approval: None,
                final_amount: None,
            })),
            Outgoing::CreditTransfer(Box::new(payments::outgoing::TransferOut {
                message_id: Text::EMPTY,
                facts: facts(),
                created,
            })),
        ];
        let network = NetworkOut { transmission, stan: stan(), institution: Text::EMPTY, function: NetworkFunction::Echo };
        assert!(unclaimed_send(&Outgoing::Network(network), None).is_some());
        for kind in EVERY_KIND.map(Some).into_iter().chain([None]) {
            assert_eq!(unclaimed_send(&card, kind).is_some(), kind == Some(CardKind::Balance), "{kind:?}");
            assert!(moving.iter().all(|message| unclaimed_send(message, kind).is_none()), "{kind:?}");
        }
    }

    #[test]
    fn of_all_codes_only_four_refusals_are_told_without_a_claim() {
        let characters: Vec<u8> = (b'0'..=b'9').chain(b'A'..=b'Z').collect();
        let codes = characters.iter().flat_map(|first| characters.iter().map(|second| [*first, *second]));
        let codes: Vec<ResponseCode> = codes.map(|code| ResponseCode::new(&code).expect("a DE39")).collect();
        for kind in EVERY_KIND {
            let bare = codes.iter().filter(|code| unclaimed_reply(&card_response(**code), Some(kind)).is_some());
            let bare: Vec<&str> = bare.map(ResponseCode::as_str).collect();
            if kind == CardKind::Balance {
                assert_eq!(bare.len(), codes.len());
            } else {
                assert_eq!(bare, ["30", "91", "94", "96"], "{kind:?}");
            }
        }
        let told = |status| unclaimed_reply(&transfer_response(status), None).is_some();
        assert_eq!(["PDNG", "RJCT", "ACSC", "ACCC", "ACSP"].map(told), [true, true, false, false, false]);
    }
}
