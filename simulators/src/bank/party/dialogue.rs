//! The party without sockets: what to send when, what to ask about, and what was answered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hdrhistogram::Histogram;
use iso20022::{Document, Limits, TransactionStatus, Uetr};
use payments::{Mono, Now, Wall};

use super::line::{Line, Record};
use super::messages::Correspondence;
use super::options::PartyOptions;
use super::summary::Summary;
use crate::Error;
use crate::bank::accounts;

/// Something to send, and the line that must be durable before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line.
    pub line: Option<Line>,
    /// Envelopes, in order.
    pub envelopes: Vec<Vec<u8>>,
}

/// A transfer without outcome.
#[derive(Debug, Clone)]
struct Open {
    line: Line,
    sent: Option<Mono>,
    next_ask: Mono,
}

/// See the module.
pub struct Party {
    options: PartyOptions,
    correspondence: Correspondence,
    rng: fastrand::Rng,
    ids: fastrand::Rng,
    run: u64,
    begun: u64,
    lines: u64,
    open: BTreeMap<Uetr, Open>,
    known: HashMap<Uetr, Line>,
    /// Transfers with an outcome that are asked about all the same, and until when an answer is awaited.
    curious: BTreeMap<Uetr, Option<Mono>>,
    latencies: Histogram<u64>,
    summary: Summary,
}

impl Party {
    /// A party that has sent nothing.
    pub fn new(options: PartyOptions, start: Wall) -> Result<Self, Error> {
        let correspondence = Correspondence::new(&options, start)?;
        correspondence.check(&options)?;
        let run = if options.run == 0 { u64::try_from(start.0).unwrap_or(1) } else { options.run };
        let latencies = Histogram::new_with_max(600_000_000, 3)
            .map_err(|fault| Error::BadOption { option: "histogram", reason: fault.to_string() })?;
        Ok(Self {
            correspondence,
            rng: fastrand::Rng::with_seed(options.seed),
            ids: fastrand::Rng::with_seed(options.seed ^ run.rotate_left(32)),
            run,
            begun: 0,
            lines: 0,
            open: BTreeMap::new(),
            known: HashMap::new(),
            curious: BTreeMap::new(),
            latencies,
            summary: Summary { simulator: "party", ..Summary::default() },
            options,
        })
    }

    /// Takes a line of an existing book. `false` where it is none.
    pub fn replay(&mut self, line: Line) -> bool {
        let Ok(uetr) = Uetr::new(&line.uetr) else { return false };
        self.lines = self.lines.max(line.n);
        match line.record {
            Record::Sent => {
                self.summary.resumed += 1;
                self.open.insert(uetr, Open { line, sent: None, next_ask: Mono::default() });
            }
            Record::Outcome => {
                self.summary.resumed -= u64::from(self.open.remove(&uetr).is_some());
                self.known.insert(uetr, line);
            }
            Record::Contradiction => {}
        }
        true
    }

    /// Whether everything was sent and has its outcome.
    pub fn done(&self) -> bool {
        self.begun >= self.options.transfers && self.open.is_empty() && self.curious.is_empty()
    }

    /// When there is something to do, if nothing comes in before.
    pub fn next_wake(&self) -> Option<Mono> {
        self.open.values().map(|open| open.next_ask).chain(self.curious.values().copied().flatten()).min()
    }

    /// A new connection: answers to what went out on the old one may never come, so ask soon. Not at
    /// once: what was written last to the old connection may still be on its way, and must not arrive
    /// after an enquiry about it.
    pub fn reconnected(&mut self, now: Now) {
        self.summary.connections += 1;
        let soon = now.mono.after(Duration::from_millis(self.options.ask_every_ms));
        self.open.values_mut().for_each(|open| open.next_ask = open.next_ask.min(soon));
        self.curious.values_mut().for_each(|until| *until = None);
    }

    /// What is due: new transfers as far as the window allows, and enquiries.
    pub fn poll(&mut self, now: Now, mut outcomes: impl FnMut(Line)) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        let due: Vec<Uetr> = self.open.iter().filter(|(_, open)| open.next_ask <= now.mono).map(|(uetr, _)| *uetr).collect();
        for uetr in due {
            match self.ask(now, uetr)? {
                Some(envelope) => steps.push(Step { line: None, envelopes: vec![envelope] }),
                None => outcomes(self.end(now, uetr, "", "")),
            }
        }
        self.curious.retain(|_, until| until.is_none_or(|until| until > now.mono));
        let unasked: Vec<Uetr> = self.curious.iter().filter(|(_, until)| until.is_none()).map(|(uetr, _)| *uetr).collect();
        for uetr in unasked {
            self.curious.insert(uetr, Some(now.mono.after(Duration::from_millis(self.options.ask_after_ms))));
            if let Some(line) = self.known.get(&uetr).cloned() {
                let envelope = self.enquiry(now, &line)?;
                steps.push(Step { line: None, envelopes: vec![envelope] });
            }
        }
        while self.begun < self.options.transfers && self.open.len() < self.options.in_flight {
            steps.push(self.begin(now)?);
        }
        Ok(steps)
    }

    /// A new transfer.
    fn begin(&mut self, now: Now) -> Result<Step, Error> {
        self.begun += 1;
        let number = self.begun;
        let uetr = Uetr::from_random(self.ids.u128(..).to_be_bytes());
        let line = Line {
            n: self.next_line(),
            at: now.wall.to_string(),
            record: Record::Sent,
            message_id: format!("M{:016x}{number:010}", self.run),
            end_to_end_id: format!("E{:016x}{number:010}", self.run),
            transaction_id: format!("T{:016x}{number:010}", self.run),
            uetr: uetr.as_str().to_owned(),
            amount_minor: self.rng.i64(self.options.min_minor..=self.options.max_minor),
            currency: self.options.currency.clone(),
            debtor_account: accounts::debtor(self.rng.u32(0..self.options.debtors))?.as_str().to_owned(),
            creditor_account: accounts::creditor(self.rng.u32(0..self.options.creditors))?.as_str().to_owned(),
            status: String::new(),
            reason: String::new(),
            asks: 0,
            interim: 0,
            latency_us: None,
        };
        let envelope = self.correspondence.transfer(now.wall, &line, number)?;
        let mut envelopes = vec![envelope];
        if self.rng.u16(0..1000) < self.options.doubles_per_mille {
            self.summary.doubles += 1;
            envelopes.extend(envelopes.first().cloned());
        }
        self.summary.sent += 1;
        let next_ask = now.mono.after(Duration::from_millis(self.options.ask_after_ms));
        self.open.insert(uetr, Open { line: line.clone(), sent: Some(now.mono), next_ask });
        Ok(Step { line: Some(line), envelopes })
    }

    /// An enquiry about a transfer without outcome; `None` when there were enough.
    fn ask(&mut self, now: Now, uetr: Uetr) -> Result<Option<Vec<u8>>, Error> {
        let every = Duration::from_millis(self.options.ask_every_ms.max(1));
        let Some(open) = self.open.get_mut(&uetr) else { return Ok(None) };
        if open.line.asks >= self.options.asks {
            return Ok(None);
        }
        self.summary.asked_about += u64::from(open.line.asks == 0);
        open.line.asks += 1;
        open.next_ask = now.mono.after(every);
        let line = open.line.clone();
        self.enquiry(now, &line).map(Some)
    }

    fn enquiry(&mut self, now: Now, line: &Line) -> Result<Vec<u8>, Error> {
        self.summary.enquiries += 1;
        let id = format!("Q{:016x}{:010}", self.run, self.summary.enquiries);
        self.correspondence.enquiry(now.wall, line, &id)
    }

    /// Takes an envelope; gives the line that it leads to, if any.
    pub fn receive(&mut self, now: Now, raw: &[u8]) -> Option<Line> {
        let report = match iso20022::read(raw, &Limits::LINK).map(|received| received.value.document) {
            Ok(Document::StatusReport(report)) => report,
            _ => {
                self.summary.unreadable += 1;
                return None;
            }
        };
        let [status] = report.transactions.as_slice() else {
            self.summary.unreadable += 1;
            return None;
        };
        let told = status.status.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
        let reason = status.reasons.first().map(|it| it.as_str().to_owned()).unwrap_or_default();
        let line = status
            .uetr
            .and_then(|uetr| Some((uetr, self.open.get(&uetr).map(|open| &open.line).or_else(|| self.known.get(&uetr))?)));
        let Some((uetr, line)) = line.filter(|(_, line)| about(status, line)) else {
            self.summary.strangers += 1;
            return None;
        };
        let line = line.clone();
        self.curious.remove(&uetr);
        let is_final = matches!(told.as_str(), "ACSC" | "ACCC" | "RJCT");
        match (is_final, self.open.contains_key(&uetr)) {
            (false, open) => {
                self.summary.interim += 1;
                if let Some(open) = self.open.get_mut(&uetr).filter(|_| open) {
                    open.line.interim += 1;
                    // Pending is an answer: ask again in the rhythm of asking, not of silence.
                    open.next_ask = open.next_ask.min(now.mono.after(Duration::from_millis(self.options.ask_every_ms)));
                }
                None
            }
            (true, true) => Some(self.end(now, uetr, &told, &reason)),
            (true, false) if line.status.is_empty() => {
                self.summary.unknown -= self.summary.unknown.min(1);
                Some(self.outcome(now, uetr, line, &told, &reason))
            }
            (true, false) if (line.status.as_str(), line.reason.as_str()) == (told.as_str(), reason.as_str()) => {
                self.summary.confirmed += 1;
                None
            }
            (true, false) => {
                self.summary.contradictions += 1;
                let n = self.next_line();
                Some(Line { n, at: now.wall.to_string(), record: Record::Contradiction, status: told, reason, ..line })
            }
        }
    }

    /// Takes a transfer out of those without outcome.
    fn end(&mut self, now: Now, uetr: Uetr, status: &str, reason: &str) -> Line {
        let (mut line, sent) = match self.open.remove(&uetr) {
            Some(open) => (open.line, open.sent),
            None => (self.known.get(&uetr).cloned().unwrap_or_else(empty), None),
        };
        if let Some(sent) = sent.filter(|_| !status.is_empty()) {
            let latency = u64::try_from(now.mono.since(sent).as_micros()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(latency);
            line.latency_us = Some(latency);
        }
        if !status.is_empty() && self.rng.u16(0..1000) < self.options.curious_per_mille {
            self.curious.insert(uetr, None);
        }
        self.outcome(now, uetr, line, status, reason)
    }

    fn outcome(&mut self, now: Now, uetr: Uetr, line: Line, status: &str, reason: &str) -> Line {
        match status {
            "" => self.summary.unknown += 1,
            "RJCT" => {
                self.summary.rejected += 1;
                *self.summary.reasons.entry(reason.to_owned()).or_default() += 1;
            }
            _ => {
                self.summary.executed += 1;
                self.summary.executed_minor = self.summary.executed_minor.saturating_add(line.amount_minor);
            }
        }
        let (n, at) = (self.next_line(), now.wall.to_string());
        let line = Line { n, at, record: Record::Outcome, status: status.to_owned(), reason: reason.to_owned(), ..line };
        self.known.insert(uetr, line.clone());
        line
    }

    /// Ends whatever has no outcome yet as unknown.
    pub fn give_up(&mut self, now: Now) -> Vec<Line> {
        let open: Vec<Uetr> = self.open.keys().copied().collect();
        open.into_iter().map(|uetr| self.end(now, uetr, "", "")).collect()
    }

    /// The run so far.
    pub fn summary(&self) -> Summary {
        Summary {
            p50_us: self.latencies.value_at_quantile(0.50),
            p99_us: self.latencies.value_at_quantile(0.99),
            ..self.summary.clone()
        }
    }

    fn next_line(&mut self) -> u64 {
        self.lines += 1;
        self.lines
    }
}

/// Whether an answer names the transfer by everything that it was sent with.
fn about(status: &TransactionStatus, line: &Line) -> bool {
    let is = |id: &Option<iso20022::Text<35>>, sent: &str| id.as_ref().is_some_and(|id| id.as_str() == sent);
    is(&status.end_to_end_id, &line.end_to_end_id)
        && is(&status.transaction_id, &line.transaction_id)
        && status.original.as_ref().is_some_and(|original| original.id.as_str() == line.message_id)
}

fn empty() -> Line {
    Line {
        n: 0,
        at: String::new(),
        record: Record::Outcome,
        message_id: String::new(),
        end_to_end_id: String::new(),
        transaction_id: String::new(),
        uetr: String::new(),
        amount_minor: 0,
        currency: String::new(),
        debtor_account: String::new(),
        creditor_account: String::new(),
        status: String::new(),
        reason: String::new(),
        asks: 0,
        interim: 0,
        latency_us: None,
    }
}
