//! Payments and their steps, as an engine would write them: what the laws and tests are fed with.

use payments::outgoing::{Egress, MessageSystem};
use payments::request::{Head, TransferFacts};
use payments::{
    AcquirerId, Amount, Answer, ApprovalCode, BusinessDate, CardRef, CardSequence, Cause, Currency, Evidence, LinkId, MerchantId,
    PaymentId, ProcessingCode, ResponseCode, Rrn, Stan, State, TerminalId, Text, Wall,
};

use crate::accounts::AccountCode;
use crate::claim::{BodyHash, ClaimKey};
use crate::command::{
    Capture, CaptureKind, Clearing, Command, EvidenceRow, HoldWrite, LaneEnd, LaneItem, LaneKind, LaneWrite, Outbox, Payment,
    PaymentKind, PaymentWrite, Standing, TakenClaim,
};
use crate::postings;

/// The network of the samples.
pub const NETWORK: LinkId = LinkId::literal("NET1");
/// The bank of the samples.
pub const BANK: LinkId = LinkId::literal("BANK1");
/// The acquirer of the samples.
pub const ACQUIRER: AcquirerId = AcquirerId::literal("ACQ1");
/// The merchant of the samples.
pub const MERCHANT: MerchantId = MerchantId::literal("M0001");
/// The terminal of the samples.
pub const TERMINAL: TerminalId = TerminalId::literal("TERM0001");
/// Engine time of the first payment.
pub const START: Wall = Wall(1_795_000_000_000_000);

/// The business day that is `later` days after the first one.
pub fn day(later: i32) -> BusinessDate {
    BusinessDate::from_days(20_778_i32.saturating_add(later)).unwrap_or_else(|_| START.date())
}

/// An amount; a negative one is nothing.
pub fn amount(minor: i64, currency: Currency) -> Amount {
    Amount::new(minor, currency).unwrap_or(Amount::zero(currency))
}

/// Euro.
pub fn euro(minor: i64) -> Amount {
    amount(minor, Currency::EUR)
}

/// The id of payment `n`: version 7, rising with `n`.
pub fn id(n: u32) -> PaymentId {
    let ms = START.unix_ms().saturating_add(u64::from(n));
    PaymentId(uuid::Uuid::from_u128((u128::from(ms) << 80) | (0x7 << 76) | (0x8 << 60) | u128::from(n)))
}

/// The account of customer `n`.
pub fn customer(n: u32) -> AccountCode {
    postings::customer(&Text::new(&format!("DE{n:020}")).unwrap_or_default())
}

/// The claim of payment `n`.
pub fn claim_key(n: u32) -> ClaimKey {
    ClaimKey::operator(&format!("sample {n}"))
}

/// DE37 of payment `n`.
pub fn rrn(n: u32) -> Rrn {
    Rrn::new(format!("{:012}", u64::from(n)).as_bytes()).unwrap_or_else(|_| unreachable!("twelve digits"))
}

fn text<const N: usize>(text: &str) -> Text<N> {
    Text::new(text).unwrap_or_default()
}

fn stan(n: u32) -> Stan {
    Stan::new(n % 999_999 + 1).unwrap_or_else(|_| unreachable!("1 to 999999"))
}

fn code(code: &str) -> ProcessingCode {
    ProcessingCode::new(code.as_bytes()).unwrap_or_else(|_| unreachable!("six digits"))
}

/// The request of payment `n` as it is sent on its attempt.
pub fn egress(n: u32, attempt: u8, amount: Amount) -> Egress {
    Egress {
        link: NETWORK,
        route: Text::literal("default"),
        system: MessageSystem::Dual,
        attempt,
        mti: Text::literal("0100"),
        stan: stan(n),
        transmission: START.transmission(),
        local: START.local(),
        institution: Text::literal("00000000001"),
        forwarding: None,
        rrn: rrn(n),
        processing_code: code("000000"),
        amount,
        terminal: TERMINAL,
        merchant: MERCHANT,
    }
}

/// The facts of card payment `n`.
pub fn card(n: u32, kind: PaymentKind, amount: Amount) -> Payment {
    let at = Wall(START.0.saturating_add(i64::from(n) * 1000));
    Payment {
        id: id(n),
        kind,
        accepted: at,
        link: LinkId::literal("POS1"),
        acquirer: ACQUIRER,
        claim: claim_key(n),
        rrn: rrn(n),
        amount,
        head: Some(Head {
            acquirer: ACQUIRER,
            mti: Text::literal("0200"),
            stan: stan(n),
            local: at.local(),
            transmission: Some(at.transmission()),
            institution: Text::literal("00000000001"),
            forwarding: None,
            rrn: None,
            terminal: TERMINAL,
            merchant: MERCHANT,
        }),
        processing_code: Some(code("000000")),
        card: Some(CardRef {
            token: [7; 16],
            first_six: Text::literal("541333"),
            last_four: Text::literal("0011"),
            sealed: vec![1, 2, 3, 250],
        }),
        evidence: Some(evidence()),
        transfer: None,
        risk: Text::literal("rules-1 approve"),
        tables: 1,
        egress: Some(egress(n, 1, amount)),
        bank: None,
        send_by: Wall(at.0.saturating_add(2_000_000)),
        answer_by: Wall(at.0.saturating_add(12_000_000)),
        reply_by: Wall(at.0.saturating_add(12_000_000)),
        keys: vec![Text::literal("zpk.NET1")],
        epoch: 1,
    }
}

/// The facts of transfer `n` from customer `from`.
pub fn transfer(n: u32, from: u32, amount: Amount) -> Payment {
    Payment {
        kind: PaymentKind::Transfer,
        head: None,
        processing_code: None,
        card: None,
        evidence: None,
        egress: None,
        bank: Some(BANK),
        transfer: Some(TransferFacts {
            message_id: text(&format!("MSG{n}")),
            instruction_id: Text::EMPTY,
            end_to_end_id: text(&format!("E2E{n}")),
            transaction_id: text(&format!("TX{n}")),
            uetr: text(&id(n).to_string()),
            amount,
            settlement_date: day(0),
            debtor_agent: Text::literal("BANKDEFF"),
            creditor_agent: Text::literal("BANKFRPP"),
            debtor_account: text(&format!("DE{from:020}")),
            creditor_account: text("FR7630006000011234567890189"),
            debtor_name: "Zoë Müller".into(),
            creditor_name: "Ærø \"Quote\" & Søn".into(),
            remittance: "Rechnung\\1\n2".into(),
        }),
        ..card(n, PaymentKind::Transfer, amount)
    }
}

/// Request-side facts with something in every kind of field.
pub fn evidence() -> Evidence {
    Evidence {
        merchant_category: Text::literal("5411"),
        entry_mode: Text::literal("051"),
        condition: Text::literal("00"),
        card_sequence: CardSequence::new(1).ok(),
        acceptor: Text::literal("SHOP            TOWN         DE"),
        emv: vec![(Text::literal("9F26"), "0102030405060708".into()), (Text::literal("95"), "0000008000".into())],
        ..Evidence::default()
    }
}

/// An answer with something in every kind of field.
pub fn approval(amount: Amount) -> Answer {
    Answer {
        approval: Some(approval_code()),
        amount: Some(amount),
        icc: vec![0x91, 0x02, 0x00, 0xFF],
        settlement_date: Text::literal("1121"),
        network_id: Some(Text::literal("N2611210000000017")),
        avs_result: Text::literal("Y"),
        ..Answer::code(ResponseCode::APPROVED)
    }
}

fn approval_code() -> ApprovalCode {
    Text::literal("A12345")
}

/// The standing of a payment that begins.
pub fn begins(state: State) -> Standing {
    Standing::begins(state)
}

/// The standing behind `before`, in another state.
pub fn then(before: &Standing, state: State) -> Standing {
    Standing { version: before.version.saturating_add(1), state, ..*before }
}

/// COMMIT A: claim and payment, in state `Sent`.
pub fn accept(facts: Payment) -> Command {
    let claim = TakenClaim { key: facts.claim, body: body(&facts), payment: Some(facts.id), on: day(0) };
    let stan = facts.egress.as_ref().map(|egress| (egress.link, egress.stan));
    Command {
        claim: Some(claim),
        stan,
        payment: Some(PaymentWrite::Open {
            facts: Box::new(facts.clone()),
            cause: Cause::Accepted,
            standing: begins(State::Sent),
        }),
        ..Command::at(facts.accepted)
    }
}

/// What a claim's body is compared by.
pub fn body(facts: &Payment) -> BodyHash {
    BodyHash::of("sample", facts.amount, b"token")
}

/// A transfer's COMMIT A: the debtor's money is held.
pub fn accept_transfer(facts: Payment, from: u32) -> Command {
    let hold = HoldWrite::Place { payment: facts.id, account: customer(from), amount: facts.amount };
    Command { hold: Some(hold), ..accept(facts) }
}

/// A change without anything else.
pub fn change(facts: &Payment, cause: Cause, standing: Standing) -> Command {
    let payment = PaymentWrite::Change { id: facts.id, cause, standing, egress: None };
    Command { payment: Some(payment), ..Command::at(Wall(facts.accepted.0.saturating_add(500))) }
}

/// COMMIT B of a captured sale (or refund): answer, journal, item, evidence, event.
pub fn captured(facts: &Payment, before: &Standing, cause: Cause, amount: Amount, date: BusinessDate) -> Command {
    let kind = if facts.kind == PaymentKind::Refund { CaptureKind::Refund } else { CaptureKind::Sale };
    let approved = before.approved.max(amount.minor().min(facts.amount.minor()));
    let standing = Standing {
        approved,
        captured: before.captured.saturating_add(amount.minor()),
        captures: before.captures.saturating_add(1),
        capture_date: Some(date),
        approval: Some(approval_code()),
        code: Some(ResponseCode::APPROVED),
        ..then(before, State::Captured)
    };
    let answer = approval(amount);
    let mut journals = vec![posting(facts, kind, None, amount, date)];
    let excess = standing.captured.saturating_sub(approved);
    if excess > 0 {
        let excess = self::amount(excess, amount.currency());
        journals.push(postings::exposure(facts.id, date, (&ACQUIRER, &MERCHANT), excess));
    }
    Command {
        answers: vec![(facts.claim, answer.clone())],
        journals,
        capture: Some(item(facts, &standing, kind, amount, date)),
        evidence: Some(EvidenceRow { payment: facts.id, request: evidence(), answer }),
        outbox: Some(Outbox::new(Text::literal("payment.captured"), facts.id)),
        ..change(facts, cause, standing)
    }
}

/// An approved authorization that waits for its completion.
pub fn approved(facts: &Payment, before: &Standing) -> Command {
    let standing = Standing { approved: facts.amount.minor(), approval: Some(approval_code()), ..then(before, State::Approved) };
    Command { answers: vec![(facts.claim, approval(facts.amount))], ..change(facts, Cause::Approval, standing) }
}

/// The issuer approved what is being taken back.
pub fn approved_late(facts: &Payment, before: &Standing) -> Command {
    let standing = Standing { approval: Some(approval_code()), approved_late: true, ..then(before, State::Reversing) };
    change(facts, Cause::LateApproval, standing)
}

/// A decline by the issuer; a transfer's hold is released.
pub fn declined(facts: &Payment, before: &Standing) -> Command {
    let code = ResponseCode::DO_NOT_HONOUR;
    let standing = Standing { code: Some(code), ..then(before, State::Declined) };
    Command { answers: vec![(facts.claim, Answer::code(code))], hold: release(facts), ..change(facts, Cause::Decline, standing) }
}

/// R: silence. A card owes its reversal, a transfer its enquiry.
pub fn timed_out(facts: &Payment, before: &Standing, lane: i16) -> Command {
    let transfer = facts.kind == PaymentKind::Transfer;
    let (state, kind) = if transfer { (State::Enquiring, LaneKind::Enquiry) } else { (State::Reversing, LaneKind::Reversal) };
    let code = ResponseCode::TIMEOUT;
    Command {
        answers: vec![(facts.claim, Answer::code(code))],
        lanes: vec![owed(facts, lane, kind)],
        ..change(facts, Cause::Timeout, Standing { code: Some(code), ..then(before, state) })
    }
}

/// A captured payment is reversed by its acquirer while its day is open: the item is taken out, and
/// the network is owed the reversal.
pub fn reversed_by_acquirer(facts: &Payment, before: &Standing, lane: i16, date: BusinessDate) -> Command {
    let amount = self::amount(before.captured, facts.amount.currency());
    let standing = Standing { captured: 0, captures: before.captures.saturating_add(1), ..then(before, State::Reversing) };
    let taken = if facts.kind == PaymentKind::Refund { CaptureKind::Refund } else { CaptureKind::Sale };
    Command {
        journals: vec![posting(facts, CaptureKind::Void, Some(taken), amount, date)],
        capture: Some(item(facts, &standing, CaptureKind::Void, amount, date)),
        lanes: vec![owed(facts, lane, LaneKind::Reversal)],
        ..change(facts, Cause::AcquirerReversal, standing)
    }
}

/// The network acknowledged the reversal.
pub fn acknowledged(facts: &Payment, before: &Standing, lane: i16) -> Command {
    let end = LaneWrite::End { payment: facts.id, number: lane, end: LaneEnd::Acknowledged, code: Some(ResponseCode::APPROVED) };
    let standing = Standing { approved: 0, ..then(before, State::Reversed) };
    Command { lanes: vec![end], ..change(facts, Cause::ReversalAcknowledged, standing) }
}

/// The network refused the reversal, and will again.
pub fn refused_for_good(facts: &Payment, before: &Standing, lane: i16) -> Command {
    let code = Some(ResponseCode::INVALID_TRANSACTION);
    let end = LaneWrite::End { payment: facts.id, number: lane, end: LaneEnd::Dead, code };
    Command { lanes: vec![end], ..change(facts, Cause::DeadLetter, then(before, State::Reversing)) }
}

/// The bank executed the transfer: the hold becomes a debit, an enquiry ends.
pub fn executed(facts: &Payment, before: &Standing, from: u32, lane: Option<i16>) -> Command {
    let minor = facts.amount.minor();
    let standing = Standing { approved: minor, captured: minor, ..then(before, State::Executed) };
    let end = |number| LaneWrite::End { payment: facts.id, number, end: LaneEnd::Acknowledged, code: None };
    Command {
        hold: release(facts),
        journals: vec![postings::transfer(facts.id, day(0), customer(from), &BANK, facts.amount)],
        lanes: lane.map(end).into_iter().collect(),
        answers: vec![(facts.claim, Answer::code(ResponseCode::APPROVED))],
        ..change(facts, Cause::Approval, standing)
    }
}

/// An operator puts money on a customer's account.
pub fn deposited(n: u32, to: u32, amount: Amount) -> Command {
    let key = ClaimKey::operator(&format!("deposit {n}"));
    let claim = TakenClaim { key, body: BodyHash::of("deposit", amount, b""), payment: None, on: day(0) };
    Command { claim: Some(claim), journals: vec![postings::deposit(day(0), customer(to), amount)], ..Command::at(START) }
}

/// A reversal whose original was never seen plants its claim.
pub fn tombstone(n: u32) -> Command {
    let key = claim_key(n);
    let claim = TakenClaim { key, body: BodyHash([0; 16]), payment: None, on: day(0) };
    let answer = Answer::code(ResponseCode::APPROVED);
    Command { tombstone: Some(claim), answers: vec![(key, answer)], ..Command::at(START) }
}

fn release(facts: &Payment) -> Option<HoldWrite> {
    let from = facts.transfer.as_ref()?.debtor_account;
    let account = postings::customer(&from);
    Some(HoldWrite::Release { payment: facts.id, account, amount: facts.amount })
}

fn posting(
    facts: &Payment,
    kind: CaptureKind,
    takes_back: Option<CaptureKind>,
    amount: Amount,
    date: BusinessDate,
) -> crate::Journal {
    let scheme = (&NETWORK, Clearing::Presentment);
    postings::capture(facts.id, date, kind, takes_back, scheme, (&ACQUIRER, &MERCHANT), amount)
}

fn item(facts: &Payment, standing: &Standing, kind: CaptureKind, amount: Amount, date: BusinessDate) -> Capture {
    let (payment, number, clearing, network) = (facts.id, standing.captures, Clearing::Presentment, NETWORK);
    Capture { seq: 0, payment, number, date, kind, clearing, network, amount }
}

pub(super) fn owed(facts: &Payment, number: i16, kind: LaneKind) -> LaneWrite {
    LaneWrite::Owe(Box::new(LaneItem {
        payment: facts.id,
        number,
        link: if kind == LaneKind::Enquiry { BANK } else { NETWORK },
        kind,
        not_before: facts.answer_by,
        egress: facts.egress.clone(),
        reason: Some(ResponseCode::TIMEOUT),
        approval: None,
        final_amount: None,
    }))
}
