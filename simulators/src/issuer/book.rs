//! The issuer's book: what stands of every item, what every request was answered, what is left on
//! every card, and the settlement totals. It changes by applying lines and in no other way.

use std::collections::{BTreeMap, HashMap, HashSet};

use payments::{Currency, LocalDateTime, Stan, Text};

use super::line::{Kind, Line, Note, Record, Standing};
use super::options::MessageSystem;
use crate::wire;

/// Most different DE7 that are remembered of one request and its repeats.
const MAX_TRANSMISSIONS: usize = 16;

/// What makes a request the same one: everything that a repeat keeps, repeats folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// DE32.
    pub acquirer: Text<11>,
    /// DE41.
    pub terminal: Text<8>,
    /// DE42.
    pub merchant: Text<15>,
    /// DE11.
    pub stan: Stan,
    /// DE12 and DE13.
    pub local: LocalDateTime,
    /// MTI of the original (0200 for 0201).
    pub class: Text<4>,
}

impl Key {
    /// The class that an MTI belongs to.
    pub fn class(mti: &str) -> Text<4> {
        let mut class = mti.to_owned();
        if wire::is_repeat(mti) {
            class.truncate(3);
            class.push('0');
        }
        Text::new(&class).unwrap_or_default()
    }

    fn of(line: &Line) -> Self {
        Self {
            acquirer: line.acquirer,
            terminal: line.terminal,
            merchant: line.merchant,
            stan: line.stan,
            local: line.local,
            class: Self::class(line.mti.as_str()),
        }
    }
}

/// An approved item: what the report has a line for.
#[derive(Debug, Clone)]
pub struct Item {
    /// Number of the line that opened it.
    pub n: u64,
    /// DE37.
    pub rrn: Text<12>,
    /// DE63.
    pub network_id: Text<32>,
    /// DE11 as received.
    pub stan: Stan,
    /// What it is now: an authorization becomes a completion.
    pub kind: Kind,
    /// Minor units approved.
    pub approved: i64,
    /// Minor units that stand.
    pub stands: i64,
    /// DE49.
    pub currency: Currency,
    /// The network's date of the approval or completion, `MMDD`.
    pub settlement_date: Text<4>,
    /// The network's date of the last reversal, `MMDD`.
    pub reversal_date: Option<Text<4>>,
    /// Whether messages alone move the money.
    pub captured: bool,
    /// The card's number.
    pub card: Option<u32>,
    /// DE38.
    pub approval: Text<6>,
}

/// A request and what it was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The line that was written for it.
    pub line: Line,
    /// Every DE7 it came with.
    pub transmissions: Vec<Text<10>>,
}

/// The network's totals of one date, kind and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Row {
    /// Items of that date.
    pub count: u64,
    /// Their approved amounts.
    pub amount: i64,
    /// Items reversed on that date.
    pub reversed_count: u64,
    /// What was taken back.
    pub reversed_amount: i64,
}

/// Date `MMDD`, kind, currency.
pub type RowKey = (Text<4>, Kind, Currency);

/// See the module.
#[derive(Debug)]
pub struct Book {
    system: MessageSystem,
    lines: u64,
    items: Vec<Item>,
    by_line: HashMap<u64, usize>,
    by_rrn: HashMap<(Text<12>, Text<8>), usize>,
    answered: HashMap<Key, Answered>,
    tombstones: HashSet<Key>,
    spent: HashMap<u32, i64>,
    totals: BTreeMap<RowKey, Row>,
}

impl Book {
    /// An empty book.
    pub fn new(system: MessageSystem) -> Self {
        Self {
            system,
            lines: 0,
            items: Vec::new(),
            by_line: HashMap::new(),
            by_rrn: HashMap::new(),
            answered: HashMap::new(),
            tombstones: HashSet::new(),
            spent: HashMap::new(),
            totals: BTreeMap::new(),
        }
    }

    /// The number that the next line will have.
    pub fn next_line(&self) -> u64 {
        self.lines + 1
    }

    /// Requests that are remembered.
    pub fn answered_count(&self) -> usize {
        self.answered.len()
    }

    /// What a request was answered.
    pub fn answered(&self, key: &Key) -> Option<&Answered> {
        self.answered.get(key)
    }

    /// Whether a reversal of this request came before it.
    pub fn has_tombstone(&self, key: &Key) -> bool {
        self.tombstones.contains(key)
    }

    /// The item that a line opened.
    pub fn item(&self, n: u64) -> Option<&Item> {
        self.items.get(*self.by_line.get(&n)?)
    }

    /// The latest authorization, completed or not, of an RRN at a terminal.
    pub fn authorization(&self, rrn: Text<12>, terminal: Text<8>) -> Option<&Item> {
        self.items.get(*self.by_rrn.get(&(rrn, terminal))?)
    }

    /// What has been taken from a card, minor units.
    pub fn spent(&self, card: u32) -> i64 {
        self.spent.get(&card).copied().unwrap_or(0)
    }

    /// Items in the order in which they were approved.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The network's totals.
    pub fn totals(&self) -> &BTreeMap<RowKey, Row> {
        &self.totals
    }

    /// Applies a line. `tombstones` says whether unknown reversals are remembered.
    pub fn apply(&mut self, line: &Line, tombstones: bool) {
        self.lines = self.lines.max(line.n);
        match (line.record, line.note) {
            (Record::Note, Some(Note::Repeat)) => {
                if let Some(answered) = self.answered.get_mut(&Key::of(line))
                    && !answered.transmissions.contains(&line.de7)
                    && answered.transmissions.len() < MAX_TRANSMISSIONS
                {
                    answered.transmissions.push(line.de7);
                }
                return;
            }
            (Record::Note, _) => return,
            (Record::Effect, _) => self.effect(line),
            (Record::Answer, Some(Note::UnknownOriginal)) if tombstones => {
                let (mti, stan) = line.original.as_str().split_at_checked(4).unwrap_or_default();
                if let Ok(stan) = Stan::parse(stan.as_bytes()) {
                    self.tombstones.insert(Key { stan, class: Key::class(mti), ..Key::of(line) });
                }
            }
            (Record::Answer, _) => {}
        }
        self.answered.insert(Key::of(line), Answered { line: line.clone(), transmissions: vec![line.de7] });
    }

    fn effect(&mut self, line: &Line) {
        match (line.kind, line.item.and_then(|n| self.by_line.get(&n).copied())) {
            (Kind::Reversal, Some(at)) => self.reverse(at, line),
            (Kind::Completion, Some(at)) => self.complete(at, line),
            (Kind::Reversal | Kind::Balance, None) => {}
            (kind, _) => {
                let single = self.system == MessageSystem::Single;
                let item = Item {
                    n: line.n,
                    rrn: line.rrn,
                    network_id: line.network_id,
                    stan: line.stan,
                    kind,
                    approved: line.approved,
                    stands: line.stands,
                    currency: line.currency,
                    settlement_date: line.settlement_date,
                    reversal_date: None,
                    // Single message: an 0200 or 0220 moves the money, an 0100 waits for its 0220.
                    captured: single && !line.mti.as_str().starts_with("01"),
                    card: line.card,
                    approval: line.de38,
                };
                self.charge(&item, item.stands);
                if item.captured {
                    let row = self.totals.entry((item.settlement_date, kind, item.currency)).or_default();
                    row.count += 1;
                    row.amount += item.approved;
                }
                let at = self.items.len();
                self.by_line.insert(line.n, at);
                if kind == Kind::Authorization {
                    self.by_rrn.insert((line.rrn, line.terminal), at);
                }
                self.items.push(item);
            }
        }
    }

    fn complete(&mut self, at: usize, line: &Line) {
        let Some(mut item) = self.items.get(at).cloned() else { return };
        self.charge(&item, line.stands - item.stands);
        item.kind = Kind::Completion;
        item.approved = line.approved;
        item.stands = line.stands;
        item.settlement_date = line.settlement_date;
        // What was taken back before was taken from an authorization, which no total holds.
        item.reversal_date = None;
        if self.system == MessageSystem::Single {
            item.captured = true;
            let row = self.totals.entry((item.settlement_date, item.kind, item.currency)).or_default();
            row.count += 1;
            row.amount += item.approved;
        }
        self.by_line.insert(line.n, at);
        self.replace(at, item);
    }

    fn reverse(&mut self, at: usize, line: &Line) {
        let Some(mut item) = self.items.get(at).cloned() else { return };
        let taken = item.stands - line.stands;
        self.charge(&item, -taken);
        if item.captured {
            // An item counts once among the reversed, on the date of its last reversal.
            if let Some(date) = item.reversal_date {
                let row = self.totals.entry((date, item.kind, item.currency)).or_default();
                row.reversed_count -= row.reversed_count.min(1);
                row.reversed_amount -= item.approved - item.stands;
            }
            let row = self.totals.entry((line.settlement_date, item.kind, item.currency)).or_default();
            row.reversed_count += 1;
            row.reversed_amount += item.approved - line.stands;
        }
        item.stands = line.stands;
        item.reversal_date = Some(line.settlement_date);
        self.replace(at, item);
    }

    fn replace(&mut self, at: usize, item: Item) {
        if let Some(room) = self.items.get_mut(at) {
            *room = item;
        }
    }

    /// Takes `minor` from the item's card; a refund gives it back.
    fn charge(&mut self, item: &Item, minor: i64) {
        let Some(card) = item.card else { return };
        let spent = self.spent.entry(card).or_default();
        *spent = if item.kind == Kind::Refund { spent.saturating_sub(minor) } else { spent.saturating_add(minor) };
    }
}

impl Item {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        if self.stands > 0 { Standing::Open } else { Standing::Reversed }
    }
}
