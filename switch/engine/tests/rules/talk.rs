//! What terminals ask and networks answer, in the engine's own words.

use engine::{ConnId, Event, Operator};
use ledger::{ClaimKey, Found, Lookup, postings};
use payments::answer::TransferStatus;
use payments::outgoing::{CardAnswer, Egress, Incoming, Outgoing, TransferAnswer};
use payments::request::{
    CardKind, CardRequest, Completion, CreditTransfer, Head, OriginalKey, Passthrough, Reversal, StatusEnquiry, TransferFacts,
};
use payments::{Amount, Answer, CardRef, Currency, Evidence, ProcessingCode, Request, ResponseCode, Rrn, Stan, Text};

use crate::tables::{ACQUIRER, BANK, Bin, INSTITUTION, MERCHANT};
use crate::till::{Left, SHARD, Till};

/// DE38 of every approval that has one.
pub(crate) const DE38: &str = "AB12CD";
/// Whose account pays the transfers.
pub(crate) const DEBTOR: Text<34> = Text::literal("DEBTOR-1");

pub(crate) fn cents(minor: i64) -> Amount {
    Amount::new(minor, Currency::EUR).expect("not below zero")
}

fn code(code: &str) -> ResponseCode {
    ResponseCode::new(code.as_bytes()).expect("a DE39")
}

impl Till {
    /// A sale, captured by the host.
    pub(crate) fn purchase(&mut self, bin: Bin, minor: i64) -> CardRequest {
        self.ask(CardKind::Purchase, "0200", "000000", bin, minor)
    }

    /// Funds set aside.
    pub(crate) fn authorization(&mut self, bin: Bin, minor: i64) -> CardRequest {
        self.ask(CardKind::Authorization, "0100", "000000", bin, minor)
    }

    pub(crate) fn balance(&mut self, bin: Bin) -> CardRequest {
        self.ask(CardKind::Balance, "0100", "310000", bin, 0)
    }

    /// A sale whose request gets lost on its way to us.
    pub(crate) fn lost_purchase(&mut self, bin: Bin, minor: i64) -> CardRequest {
        self.make(CardKind::Purchase, "0200", "000000", bin, minor)
    }

    fn ask(&mut self, kind: CardKind, mti: &'static str, processing_code: &str, bin: Bin, minor: i64) -> CardRequest {
        let request = self.make(kind, mti, processing_code, bin, minor);
        self.request(Request::Card(Box::new(request.clone())));
        request
    }

    fn make(&mut self, kind: CardKind, mti: &'static str, processing_code: &str, bin: Bin, minor: i64) -> CardRequest {
        CardRequest {
            head: self.head(mti),
            kind,
            processing_code: ProcessingCode::new(processing_code.as_bytes()).expect("six digits"),
            amount: cents(minor),
            card: CardRef {
                token: [7; 16],
                first_six: Text::literal(bin),
                last_four: Text::literal("0011"),
                sealed: vec![7; 24],
            },
            well_formed: true,
            pin: None,
            evidence: Evidence::default(),
            passthrough: Passthrough::default(),
        }
    }

    /// The same request again: a repeat by its MTI, or a duplicate.
    pub(crate) fn again(&mut self, request: &CardRequest, mti: &'static str) {
        let head = Head { mti: Text::literal(mti), ..request.head };
        self.request(Request::Card(Box::new(CardRequest { head, ..request.clone() })));
    }

    /// 0400 or 0420 for a request, with this DE4.
    pub(crate) fn take_back(&mut self, of: &CardRequest, mti: &'static str, amount: Amount) {
        let original = OriginalKey { mti: of.head.mti, stan: of.head.stan, local: of.head.local };
        let head = Head { local: of.head.local, ..self.head(mti) };
        let advice = mti == "0420";
        let reversal = Reversal { head, processing_code: of.processing_code, amount, original, final_amount: None, advice };
        self.request(Request::Reversal(Box::new(reversal)));
    }

    /// 0220 for an authorization.
    pub(crate) fn complete(&mut self, of: &CardRequest, minor: i64) {
        self.complete_as(of, minor, of.processing_code.as_str());
    }

    /// As [`Till::complete`], with another DE3.
    pub(crate) fn complete_as(&mut self, of: &CardRequest, minor: i64, processing_code: &str) {
        let found = self.store.lookup_now(SHARD, &Lookup::Claim(ClaimKey::card(&of.head))).expect("the store is there");
        let Found::Claim(Some(claim)) = found else { panic!("the authorization is not in the record") };
        let head = Head { rrn: claim.payment.map(|payment| payment.facts.rrn), ..self.head("0220") };
        let processing_code = ProcessingCode::new(processing_code.as_bytes()).expect("six digits");
        self.request(Request::Completion(Box::new(Completion { processing_code, ..completion(head, of, minor) })));
    }

    /// 0220 for something that was authorized elsewhere, or by voice.
    pub(crate) fn complete_unknown(&mut self, of: &CardRequest, minor: i64) -> Completion {
        let head = Head { rrn: Some(Rrn::new(b"VOICE0000001").expect("a DE37")), ..self.head("0220") };
        let completion = completion(head, of, minor);
        self.request(Request::Completion(Box::new(completion.clone())));
        completion
    }

    fn head(&mut self, mti: &'static str) -> Head {
        self.stan += 1;
        Head {
            acquirer: ACQUIRER,
            mti: Text::literal(mti),
            stan: Stan::new(self.stan).expect("a STAN"),
            local: self.now().wall.local(),
            transmission: None,
            institution: INSTITUTION,
            forwarding: None,
            rrn: None,
            terminal: self.terminal,
            merchant: MERCHANT,
        }
    }

    pub(crate) fn request(&mut self, request: Request) {
        let signed_off = self.signed_off;
        self.step(Event::Request { from: ConnId(1), link: Text::literal("tills"), request, carried: None, signed_off });
    }

    /// Approved in full.
    pub(crate) fn network_approves(&mut self, left: &Left) {
        self.network_answers(left, "00", |answer| answer.approval = Some(Text::literal(DE38)));
    }

    /// Approved for less than was asked.
    pub(crate) fn network_approves_part(&mut self, left: &Left, minor: i64) {
        self.network_answers(left, "10", |answer| {
            answer.approval = Some(Text::literal(DE38));
            answer.amount = Some(cents(minor));
        });
    }

    /// Any DE39, without DE38.
    pub(crate) fn network_says(&mut self, left: &Left, code: &str) {
        self.network_answers(left, code, |_| {});
    }

    fn network_answers(&mut self, left: &Left, de39: &str, with: impl FnOnce(&mut Answer)) {
        let (mti, egress): (&str, &Egress) = match &left.message {
            Outgoing::Card(out) if out.egress.mti.as_str() == "0200" => ("0210", &out.egress),
            Outgoing::Card(out) => ("0110", &out.egress),
            Outgoing::Advice(out) => ("0230", &out.egress),
            Outgoing::Reversal(out) => ("0430", &out.original),
            other => panic!("no card network answers {other:?}"),
        };
        let mut answer = Answer::code(code(de39));
        with(&mut answer);
        let answer = CardAnswer {
            mti: Text::new(mti).expect("four digits"),
            stan: egress.stan,
            transmission: None,
            rrn: Some(egress.rrn),
            terminal: Some(egress.terminal),
            processing_code: None,
            answer,
        };
        self.step(Event::Answer { link: left.link, answer: Incoming::Card(Box::new(answer)) });
    }

    /// Money on the debtor's account.
    pub(crate) fn deposit(&mut self, minor: i64) {
        let (reference, account) = (Text::literal("deposit-1"), postings::customer(&DEBTOR));
        self.step(Event::Operator(Operator::Deposit { reference, account, amount: cents(minor) }));
    }

    /// pacs.008 of an instructing party.
    pub(crate) fn transfer(&mut self, minor: i64) -> TransferFacts {
        let facts = TransferFacts {
            message_id: Text::literal("PARTY-MESSAGE-1"),
            instruction_id: Text::EMPTY,
            end_to_end_id: Text::literal("END-TO-END-1"),
            transaction_id: Text::literal("TRANSACTION-1"),
            uetr: Text::literal("8a562c67-ca16-48ba-b074-65581be6f001"),
            amount: cents(minor),
            settlement_date: self.now().wall.date(),
            debtor_agent: Text::literal("PRTYDEFF"),
            creditor_agent: Text::literal("BANKFRPP"),
            debtor_account: DEBTOR,
            creditor_account: Text::literal("CREDITOR-1"),
            debtor_name: "Debtor".into(),
            creditor_name: "Creditor".into(),
            remittance: String::new(),
        };
        self.transfer_again(&facts);
        facts
    }

    /// The same pacs.008 again.
    pub(crate) fn transfer_again(&mut self, facts: &TransferFacts) {
        self.request(Request::CreditTransfer(Box::new(CreditTransfer { acquirer: ACQUIRER, facts: facts.clone() })));
    }

    /// pacs.028 of the instructing party.
    pub(crate) fn enquire(&mut self, facts: &TransferFacts) {
        self.request(Request::StatusEnquiry(Box::new(StatusEnquiry {
            acquirer: ACQUIRER,
            message_id: Text::literal("PARTY-ENQUIRY-1"),
            original_message_id: facts.message_id,
            end_to_end_id: facts.end_to_end_id,
            transaction_id: facts.transaction_id,
            uetr: facts.uetr,
        })));
    }

    /// pacs.002 of the bank about a transfer: `ACSC`, `RJCT` with a reason, `PDNG`.
    pub(crate) fn bank_says(&mut self, left: &Left, status: &'static str, reason: &'static str) {
        let (original_message_id, facts) = match &left.message {
            Outgoing::CreditTransfer(out) => (out.message_id, &out.facts),
            Outgoing::StatusRequest(out) => (out.original_message_id, &out.facts),
            other => panic!("no bank answers {other:?}"),
        };
        let mut answer = Answer::code(code(if status == "ACSC" { "00" } else { "05" }));
        answer.transfer = Some(TransferStatus { status: Text::literal(status), reason: Text::literal(reason) });
        let answer = TransferAnswer {
            original_message_id,
            end_to_end_id: facts.end_to_end_id,
            transaction_id: facts.transaction_id,
            uetr: facts.uetr,
            answer,
        };
        self.step(Event::Answer { link: BANK, answer: Incoming::Transfer(Box::new(answer)) });
    }
}

/// 0220 of the card of `of`, without DE38.
fn completion(head: Head, of: &CardRequest, minor: i64) -> Completion {
    Completion {
        head,
        processing_code: of.processing_code,
        amount: cents(minor),
        approval: None,
        card: Some(of.card.clone()),
        evidence: Evidence::default(),
    }
}
