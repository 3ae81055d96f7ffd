//! The bank without sockets: envelopes in, book lines and answers out.

use std::collections::HashMap;

use iso20022::{
    Account, Bic, CreditTransfer, Document, Endpoint, Envelope, Limits, OriginalMessage, StatusRequest, TransactionEnquiry, Uetr,
};
use payments::Wall;

use super::accounts::{self, Standing};
use super::counts::Counts;
use super::line::{Line, Record};
use super::options::BankOptions;
use super::reply::{About, report};
use super::rules::{Act, Facts, On, Rule, Rules};
use crate::Error;

/// What to do after the lines are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send an envelope, after so many milliseconds.
    Answer {
        /// The envelope.
        envelope: Vec<u8>,
        /// Delay.
        after_ms: u64,
    },
    /// Close the connection.
    Close,
}

/// What came of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handled {
    /// A line for the book.
    pub line: Option<Line>,
    /// What to do, in order.
    pub actions: Vec<Action>,
}

/// A transfer that is remembered.
#[derive(Debug, Clone)]
struct Kept {
    line: Line,
    /// Enquiries that are still answered with PDNG.
    pending: u32,
    asked: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Bank {
    bic: Bic,
    options: BankOptions,
    rules: Rules,
    kept: HashMap<Uetr, Kept>,
    credited: HashMap<String, i64>,
    counts: Counts,
    lines: u64,
    answers: u64,
    /// Tells answers of this run from those of earlier ones.
    run: u64,
}

impl Bank {
    /// A bank with an empty book. `run` is different for every start, so that its message ids are.
    pub fn new(options: BankOptions, run: u64) -> Result<Self, Error> {
        if options.accounts > accounts::MAX_ACCOUNTS {
            let reason = format!("at most {}", accounts::MAX_ACCOUNTS);
            return Err(Error::BadOption { option: "accounts", reason });
        }
        Ok(Self {
            bic: Bic::new(&options.bic).map_err(|fault| Error::BadOption { option: "bic", reason: fault.to_string() })?,
            rules: Rules::new(options.rules.clone(), options.seed)?,
            kept: HashMap::new(),
            credited: HashMap::new(),
            counts: Counts::default(),
            lines: 0,
            answers: 0,
            run,
            options,
        })
    }

    /// What was counted in this run.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Transfers in the book.
    pub fn transfers(&self) -> impl Iterator<Item = &Line> {
        self.kept.values().map(|kept| &kept.line).filter(|line| line.record == Record::Transfer)
    }

    /// What was credited to an account, minor units of whatever currency.
    pub fn credited(&self, account: &str) -> i64 {
        self.credited.get(account).copied().unwrap_or(0)
    }

    /// Takes a line of an existing book. `false` where it is none.
    pub fn replay(&mut self, line: Line) -> bool {
        let Ok(uetr) = Uetr::new(&line.uetr) else { return false };
        match line.record {
            Record::Transfer | Record::Unknown => self.keep(uetr, line, 0),
            Record::Enquiry | Record::Again => {
                self.lines = self.lines.max(line.n);
                if let Some(kept) = self.kept.get_mut(&uetr).filter(|_| line.record == Record::Enquiry) {
                    kept.asked = true;
                }
            }
        }
        true
    }

    fn keep(&mut self, uetr: Uetr, line: Line, pending: u32) {
        self.lines = self.lines.max(line.n);
        if line.record == Record::Transfer && line.executed() {
            let credited = self.credited.entry(line.creditor_account.clone()).or_default();
            *credited = credited.saturating_add(line.amount_minor);
        }
        let asked = line.record == Record::Unknown;
        self.kept.insert(uetr, Kept { line, pending, asked });
    }

    /// Takes an envelope.
    pub fn receive(&mut self, now: Wall, raw: &[u8]) -> Handled {
        let read = iso20022::read(raw, &Limits::LINK).map(|received| received.value);
        let handled = match read {
            Ok(Envelope { header, document: Document::CreditTransfer(transfer) }) => self.transfer(now, header.from, &transfer),
            Ok(Envelope { header, document: Document::StatusRequest(request) }) => self.enquiry(now, header.from, &request),
            _ => None,
        };
        handled.unwrap_or_else(|| {
            self.counts.unreadable += 1;
            Handled::default()
        })
    }

    fn transfer(&mut self, now: Wall, from: Endpoint, transfer: &CreditTransfer) -> Option<Handled> {
        let uetr = transfer.uetr?;
        self.counts.transfers += 1;
        let about = About {
            original: original(transfer)?,
            instruction_id: transfer.instruction_id.clone(),
            end_to_end_id: Some(transfer.end_to_end_id.clone()),
            transaction_id: transfer.transaction_id.clone(),
            uetr: Some(uetr),
        };
        let mut line = self.line(now, uetr, transfer);
        if let Some(kept) = self.kept.get(&uetr) {
            return self.again(now, from, &about, &line, kept.line.clone());
        }
        let facts = Facts { on: On::Transfer, amount_minor: line.amount_minor, creditor: &line.creditor_account };
        let rule = self.pick(facts);
        let act = rule.as_ref().map(|rule| rule.act);
        if act == Some(Act::Lost) {
            return Some(Handled::default());
        }
        let reason = match &rule {
            Some(rule) if rule.act == Act::Reject => Some(rule.reason().to_owned()),
            _ => self.rejection(&line).map(str::to_owned),
        };
        line.act = act;
        line.status = if reason.is_some() { "RJCT" } else { "ACSC" }.to_owned();
        line.reason = reason.unwrap_or_default();
        match line.executed() {
            true => self.counts.executed += 1,
            false => self.counts.rejected += 1,
        }
        let pending = rule.as_ref().map_or(0, |rule| rule.pending);
        self.keep(uetr, line.clone(), pending);
        let actions = self.answers(now, from, about, &line.status, &line.reason, rule)?;
        Some(Handled { line: Some(line), actions })
    }

    /// A UETR that came before: the first answer stands, and no rule is used.
    fn again(&mut self, now: Wall, from: Endpoint, about: &About, line: &Line, kept: Line) -> Option<Handled> {
        let resent = kept.record != Record::Unknown;
        if resent {
            self.counts.resent += 1;
        } else {
            self.counts.after_enquiry += 1;
        }
        let same = kept.record == Record::Unknown
            || (line.amount_minor, &line.currency, &line.creditor_account)
                == (kept.amount_minor, &kept.currency, &kept.creditor_account);
        let (status, reason) = if same { (kept.status.as_str(), kept.reason.as_str()) } else { ("RJCT", "AM05") };
        self.counts.conflicts += u64::from(!same);
        let envelope = self.envelope(now, from, about, status, reason)?;
        let line = resent.then(|| self.about(now, Record::Again, kept));
        Some(Handled { line, actions: vec![Action::Answer { envelope, after_ms: 0 }] })
    }

    /// A line about a transfer that has its own.
    fn about(&mut self, now: Wall, record: Record, kept: Line) -> Line {
        self.lines += 1;
        Line { n: self.lines, at: now.to_string(), record, ..kept }
    }

    fn line(&self, now: Wall, uetr: Uetr, transfer: &CreditTransfer) -> Line {
        let account = |account: &Option<Account>| account.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
        Line {
            n: self.lines + 1,
            at: now.to_string(),
            record: Record::Transfer,
            message_id: transfer.message_id.as_str().to_owned(),
            end_to_end_id: transfer.end_to_end_id.as_str().to_owned(),
            transaction_id: transfer.transaction_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
            uetr: uetr.as_str().to_owned(),
            amount_minor: transfer.amount.minor(),
            currency: transfer.amount.currency().as_str().to_owned(),
            debtor_account: account(&transfer.debtor_account),
            creditor_account: account(&transfer.creditor_account),
            status: String::new(),
            reason: String::new(),
            act: None,
        }
    }

    /// Why a transfer is rejected without any rule (external status reason codes).
    fn rejection(&self, line: &Line) -> Option<&'static str> {
        let account = accounts::creditor_number(&line.creditor_account, self.options.accounts);
        match account.map(accounts::standing) {
            _ if self.kept.len() >= self.options.max_transfers => Some("AB08"),
            None => Some("AC01"),
            Some(Standing::Closed) => Some("AC04"),
            Some(Standing::Blocked) => Some("AC06"),
            _ if !self.options.currencies.contains(&line.currency) => Some("AM03"),
            _ if line.amount_minor > self.options.limit_minor => Some("AM02"),
            Some(Standing::Open) => None,
        }
    }

    fn pick(&mut self, facts: Facts<'_>) -> Option<Rule> {
        let rule = self.rules.pick(facts)?;
        *self.counts.acts.entry(rule.act.as_str()).or_default() += 1;
        Some(rule)
    }

    fn enquiry(&mut self, now: Wall, from: Endpoint, request: &StatusRequest) -> Option<Handled> {
        let [asked] = request.transactions.as_slice() else { return None };
        let uetr = asked.uetr?;
        let about = About {
            original: asked.original.clone().or_else(|| request.groups.first().cloned())?,
            instruction_id: asked.instruction_id.clone(),
            end_to_end_id: asked.end_to_end_id.clone(),
            transaction_id: asked.transaction_id.clone(),
            uetr: Some(uetr),
        };
        self.counts.enquiries += 1;
        let Some(kept) = self.kept.get(&uetr) else { return self.unknown(now, from, uetr, &about, asked) };
        let line = kept.line.clone();
        let facts = Facts { on: On::Enquiry, amount_minor: line.amount_minor, creditor: &line.creditor_account };
        let rule = self.pick(facts);
        if rule.as_ref().is_some_and(|rule| rule.act == Act::Lost) {
            return Some(Handled::default());
        }
        let kept = self.kept.get_mut(&uetr)?;
        let first = !std::mem::replace(&mut kept.asked, true);
        let pending = kept.pending > 0;
        kept.pending -= u32::from(pending);
        self.counts.asked_about += u64::from(first);
        let (status, reason) = if pending {
            ("PDNG", "")
        } else {
            self.counts.enquiries_answered += 1;
            (line.status.as_str(), line.reason.as_str())
        };
        let actions = self.answers(now, from, about, status, reason, rule)?;
        let line = first.then(|| self.about(now, Record::Enquiry, line));
        Some(Handled { line, actions })
    }

    /// Never came: says so, and refuses it from now on, since whoever asked relies on it.
    fn unknown(&mut self, now: Wall, from: Endpoint, uetr: Uetr, about: &About, asked: &TransactionEnquiry) -> Option<Handled> {
        self.counts.enquiries_unknown += 1;
        self.counts.asked_about += 1;
        let text = |id: &Option<iso20022::Text<35>>| id.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
        let line = Line {
            n: self.lines + 1,
            at: now.to_string(),
            record: Record::Unknown,
            message_id: about.original.id.as_str().to_owned(),
            end_to_end_id: text(&asked.end_to_end_id),
            transaction_id: text(&asked.transaction_id),
            uetr: uetr.as_str().to_owned(),
            amount_minor: 0,
            currency: String::new(),
            debtor_account: String::new(),
            creditor_account: String::new(),
            status: "RJCT".to_owned(),
            reason: "NOOR".to_owned(),
            act: None,
        };
        self.keep(uetr, line.clone(), 0);
        let envelope = self.envelope(now, from, about, "RJCT", "NOOR")?;
        Some(Handled { line: Some(line), actions: vec![Action::Answer { envelope, after_ms: 0 }] })
    }

    /// The answers that a rule, or none, makes of a status.
    fn answers(
        &mut self,
        now: Wall,
        from: Endpoint,
        mut about: About,
        status: &str,
        reason: &str,
        rule: Option<Rule>,
    ) -> Option<Vec<Action>> {
        let act = rule.as_ref().map(|rule| rule.act);
        let (status, reason) = if act == Some(Act::Pending) { ("PDNG", "") } else { (status, reason) };
        if act == Some(Act::WrongIds) {
            about.uetr = Some(Uetr::from_random([0xA5; 16]));
            about.end_to_end_id = iso20022::Text::new("ANOTHER").ok();
        }
        let mut envelope = self.envelope(now, from.clone(), &about, status, reason)?;
        let answer = |envelope: Vec<u8>| Action::Answer { envelope, after_ms: 0 };
        Some(match (act, rule) {
            (Some(Act::Silent | Act::Lost), _) => Vec::new(),
            (Some(Act::Late), Some(rule)) => vec![Action::Answer { envelope, after_ms: rule.ms }],
            (Some(Act::Twice), _) => vec![answer(envelope), answer(self.envelope(now, from, &about, status, reason)?)],
            (Some(Act::Garbled), _) => {
                envelope.truncate(envelope.len() / 2);
                vec![answer(envelope)]
            }
            (Some(Act::DisconnectBefore), _) => vec![Action::Close],
            (Some(Act::DisconnectAfter), _) => vec![answer(envelope), Action::Close],
            _ => vec![answer(envelope)],
        })
    }

    fn envelope(&mut self, now: Wall, to: Endpoint, about: &About, status: &str, reason: &str) -> Option<Vec<u8>> {
        self.answers += 1;
        let id = format!("S{:016x}{:012x}", self.run, self.answers);
        report(self.bic, to, &id, now, about, status, reason).ok()
    }
}

fn original(transfer: &CreditTransfer) -> Option<OriginalMessage> {
    Some(OriginalMessage { id: transfer.message_id.clone(), name: iso20022::Text::new(iso20022::PACS_008).ok()? })
}
