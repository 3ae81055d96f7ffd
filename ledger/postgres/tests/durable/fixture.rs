//! Commands as the engine makes them, for cards and a customer's account that are nobody's.

use ledger::command::{EvidenceRow, HoldWrite, PaymentWrite, Standing, TakenClaim};
use ledger::{
    Batch, BodyHash, Book, Capture, CaptureKind, ClaimKey, Clearing, Command, Fence, LaneItem, LaneKind, LaneWrite, NodeId,
    Payment, PaymentKind, Seq, Staged, postings,
};
use payments::evidence::EMV_TAGS;
use payments::outgoing::{Egress, MessageSystem};
use payments::request::Head;
use payments::{
    AcquirerId, Amount, Answer, ApprovalCode, BusinessDate, CardRef, CardSequence, Cause, Currency, Evidence, LinkId,
    LocalDateTime, MerchantId, PaymentId, ProcessingCode, ResponseCode, Rrn, Shard, Stan, State, Text, Wall,
};

pub(crate) const SHARD: Shard = Shard(3);
pub(crate) const ME: NodeId = NodeId(uuid::Uuid::from_u128(1));
pub(crate) const OTHER: NodeId = NodeId(uuid::Uuid::from_u128(2));
pub(crate) const NOW: Wall = Wall(1_795_000_000_000_000);

pub(crate) fn text<const N: usize>(text: &str) -> Text<N> {
    Text::new(text).unwrap()
}

pub(crate) fn day() -> BusinessDate {
    NOW.date()
}

pub(crate) fn euro(minor: i64) -> Amount {
    Amount::new(minor, Currency::EUR).unwrap()
}

pub(crate) fn id(number: u64) -> PaymentId {
    // Version 7, as the engine makes them: the time leads.
    let time = u128::from(NOW.unix_ms() + number / 4096) << 80;
    PaymentId(uuid::Uuid::from_u128(time | 0x7000_8000_0000_0000_0000 | u128::from(number)))
}

pub(crate) fn rrn(number: u64) -> Rrn {
    Rrn::new(format!("{number:012}").as_bytes()).unwrap()
}

pub(crate) fn key(number: u64) -> ClaimKey {
    ClaimKey::operator(&number.to_string())
}

pub(crate) fn body() -> BodyHash {
    BodyHash::of("purchase", euro(1250), b"card")
}

pub(crate) fn network() -> LinkId {
    text("net1")
}

pub(crate) fn merchant(number: u64) -> MerchantId {
    text(&format!("M{:04}", number % 7))
}

pub(crate) fn acquirer() -> AcquirerId {
    text("ACQ1")
}

pub(crate) fn egress(number: u64, link: &LinkId) -> Egress {
    Egress {
        link: *link,
        route: text("visa-credit"),
        system: MessageSystem::Dual,
        attempt: 1,
        mti: text("0100"),
        stan: Stan::new(u32::try_from(number % 900_000).unwrap() + 1).unwrap(),
        transmission: NOW.transmission(),
        local: NOW.local(),
        institution: text("00000000001"),
        forwarding: None,
        rrn: rrn(number),
        processing_code: ProcessingCode::new(b"000000").unwrap(),
        amount: euro(1250),
        terminal: text("TERM0001"),
        merchant: merchant(number),
    }
}

pub(crate) fn evidence() -> Evidence {
    Evidence {
        merchant_category: text("5411"),
        entry_mode: text("051"),
        condition: text("00"),
        pos_data: text("00000000003000000000"),
        eci: Text::EMPTY,
        card_sequence: Some(CardSequence::new(1).unwrap()),
        acceptor: text("CORNER SHOP           LISBON       PT"),
        emv: EMV_TAGS.iter().map(|tag| (text(tag), "0123456789ABCDEF".to_owned())).collect(),
    }
}

pub(crate) fn facts(number: u64) -> Payment {
    Payment {
        id: id(number),
        kind: PaymentKind::Purchase,
        accepted: NOW,
        link: text("pos"),
        acquirer: acquirer(),
        claim: key(number),
        rrn: rrn(number),
        amount: euro(1250),
        head: Some(Head {
            acquirer: acquirer(),
            mti: text("0200"),
            stan: Stan::new(u32::try_from(number % 900_000).unwrap() + 1).unwrap(),
            local: LocalDateTime::parse(b"101112", b"1121").unwrap(),
            transmission: Some(NOW.transmission()),
            institution: text("00000000001"),
            forwarding: None,
            rrn: Some(rrn(number)),
            terminal: text("TERM0001"),
            merchant: merchant(number),
        }),
        processing_code: Some(ProcessingCode::new(b"000000").unwrap()),
        card: Some(CardRef { token: [7; 16], first_six: text("999999"), last_four: text("0000"), sealed: vec![0xA5; 72] }),
        evidence: Some(evidence()),
        transfer: None,
        risk: text("rules-1 pass"),
        tables: 1,
        egress: Some(egress(number, &network())),
        bank: None,
        send_by: Wall(NOW.0 + 2_000_000),
        answer_by: Wall(NOW.0 + 12_000_000),
        reply_by: Wall(NOW.0 + 12_000_000),
        keys: vec![text("zpk-net1"), text("tpk-TERM0001")],
        epoch: 1,
    }
}

pub(crate) fn standing(version: i32, state: State) -> Standing {
    Standing { version, capture_date: Some(day()), ..Standing::begins(state) }
}

/// COMMIT A of a sale.
pub(crate) fn begin(number: u64) -> Command {
    let facts = facts(number);
    let claim = TakenClaim { key: facts.claim, body: body(), payment: Some(facts.id), on: day() };
    let stan = facts.egress.as_ref().map(|egress| (egress.link, egress.stan));
    Command {
        payment: Some(PaymentWrite::Open { facts: Box::new(facts), cause: Cause::Accepted, standing: standing(1, State::Sent) }),
        claim: Some(claim),
        stan,
        ..Command::at(NOW)
    }
}

pub(crate) fn approval() -> ApprovalCode {
    text("A1B2C3")
}

pub(crate) fn approved(number: u64) -> Answer {
    Answer {
        approval: Some(approval()),
        amount: Some(euro(1250)),
        icc: vec![0x91, 0x0A, 1, 2, 3],
        settlement_date: text("1121"),
        network_id: Some(text(&format!("N{number:015}"))),
        avs_result: text("Y"),
        cvv_result: text("M"),
        authentication_result: text("2"),
        ..Answer::code(ResponseCode::APPROVED)
    }
}

/// COMMIT B of a sale: approved and captured.
pub(crate) fn capture(number: u64) -> Command {
    let answer = approved(number);
    let journal = postings::capture(
        id(number),
        day(),
        CaptureKind::Sale,
        None,
        (&network(), Clearing::Presentment),
        (&acquirer(), &merchant(number)),
        euro(1250),
    );
    Command {
        payment: Some(PaymentWrite::Change {
            id: id(number),
            cause: Cause::Capture,
            standing: Standing {
                approved: 1250,
                captured: 1250,
                captures: 1,
                approval: Some(approval()),
                code: Some(ResponseCode::APPROVED),
                ..standing(2, State::Captured)
            },
            egress: None,
        }),
        answers: vec![(key(number), answer.clone())],
        journals: vec![journal],
        capture: Some(Capture {
            seq: 0,
            payment: id(number),
            number: 1,
            date: day(),
            kind: CaptureKind::Sale,
            clearing: Clearing::Presentment,
            network: network(),
            amount: euro(1250),
        }),
        evidence: Some(EvidenceRow { payment: id(number), request: evidence(), answer }),
        outbox: Some(ledger::Outbox::new(text("payment.captured"), id(number))),
        ..Command::at(NOW)
    }
}

/// COMMIT R: nobody answered.
pub(crate) fn time_out(number: u64) -> Command {
    let standing = Standing { code: Some(ResponseCode::UNAVAILABLE), ..standing(2, State::Reversing) };
    Command {
        payment: Some(PaymentWrite::Change { id: id(number), cause: Cause::Timeout, standing, egress: None }),
        answers: vec![(key(number), Answer::code(ResponseCode::UNAVAILABLE))],
        lanes: vec![LaneWrite::Owe(Box::new(lane(number, 1)))],
        ..Command::at(NOW)
    }
}

pub(crate) fn lane(payment: u64, number: i16) -> LaneItem {
    LaneItem {
        payment: id(payment),
        number,
        link: network(),
        kind: LaneKind::Reversal,
        not_before: Wall(NOW.0 + 60_000_000),
        egress: Some(egress(payment, &network())),
        reason: Some(ResponseCode::TIMEOUT),
        approval: None,
        final_amount: None,
    }
}

/// The network acknowledged the reversal.
pub(crate) fn acknowledge(number: u64) -> Command {
    let standing = Standing { code: Some(ResponseCode::UNAVAILABLE), ..standing(3, State::Reversed) };
    Command {
        payment: Some(PaymentWrite::Change { id: id(number), cause: Cause::ReversalAcknowledged, standing, egress: None }),
        lanes: vec![LaneWrite::End {
            payment: id(number),
            number: 1,
            end: ledger::LaneEnd::Acknowledged,
            code: Some(ResponseCode::APPROVED),
        }],
        ..Command::at(NOW)
    }
}

/// Money put on a customer's account.
pub(crate) fn deposit(reference: u64, minor: i64) -> Command {
    Command {
        claim: Some(TakenClaim { key: key(reference), body: body(), payment: None, on: day() }),
        journals: vec![postings::deposit(day(), postings::customer(&text("PT50-1")), euro(minor))],
        ..Command::at(NOW)
    }
}

/// A hold on that account.
pub(crate) fn hold(payment: u64, minor: i64) -> Command {
    let account = postings::customer(&text("PT50-1"));
    Command { hold: Some(HoldWrite::Place { payment: id(payment), account, amount: euro(minor) }), ..Command::at(NOW) }
}

pub(crate) fn open_day() -> Command {
    Command { day_opened: Some(day()), ..Command::at(NOW) }
}

/// Stages commands and asserts that the book took them all.
pub(crate) fn stage(book: &Book, fence: &Fence, commands: impl IntoIterator<Item = Command>) -> Staged {
    let numbered = (1..).map(Seq).zip(commands).collect();
    let staged = book.stage(fence, numbered);
    assert_eq!(staged.refused, []);
    staged
}

/// A batch that a book would never build: the same block without the book's own checks, by a book
/// that does not know what is stored.
pub(crate) fn blind(head: (ledger::BlockNo, ledger::Hash), fence: &Fence, commands: Vec<Command>) -> Batch {
    let mut snapshot = ledger::Snapshot::empty();
    snapshot.head = head;
    stage(&Book::open(fence.shard, &snapshot), fence, commands).batch
}
