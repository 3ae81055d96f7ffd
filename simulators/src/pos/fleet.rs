//! All terminals of a run with their connections, cards and book, and the loop that carries out what
//! an exchange wants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crypto::TdesKey;
use iso8583::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::exchange::{Do, Ended, Exchange, stray_line};
use super::link::{Link, LinkCounts};
use super::options::{FleetOptions, Framing};
use super::record::Entry;
use super::tally::Tally;
use super::terminal::Terminal;
use crate::Error;
use crate::cards::Population;
use crate::clock::Clock;
use crate::frames::Tpdu;
use crate::journal::{Journal, Sync, Ticket};
use crate::keys::Secrets;
use crate::wire::Wire;

/// Stray answers that may wait to be written down; further ones are only counted.
const MAX_STRAYS: usize = 1024;

/// Most terminals of one run.
pub const MAX_TERMINALS: usize = 10_000;

/// A terminal and the connection it uses.
#[derive(Clone)]
pub struct Seat {
    /// The terminal.
    pub terminal: Arc<Terminal>,
    /// Its connection.
    pub link: Arc<Link>,
}

/// See the module.
pub struct Fleet {
    /// Terminals in the order of their ids.
    pub seats: Vec<Seat>,
    /// Cards by network.
    pub cards: BTreeMap<String, Population>,
    /// For wrong PINs that are certain to be wrong; absent where the secrets have none.
    pub pvk: Option<TdesKey>,
    /// Both clocks.
    pub clock: Clock,
    /// What was counted.
    pub tally: Mutex<Tally>,
    /// Longest wait for a connection.
    pub connect_wait: Duration,
    journal: Arc<Journal>,
    links: Arc<LinkCounts>,
    strays: Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
}

impl Fleet {
    /// Derives the cards, opens the book and begins to connect.
    pub fn open(options: &FleetOptions, secrets: &Secrets) -> Result<Self, Error> {
        let wire = Wire::shipped(&options.dialect)?;
        let ids: Vec<String> = match options.terminals.as_slice() {
            [] => secrets.terminal_ids().map(str::to_owned).collect(),
            some => some.to_vec(),
        };
        if ids.is_empty() || ids.len() > MAX_TERMINALS {
            return Err(Error::BadOption { option: "terminals", reason: format!("1 to {MAX_TERMINALS} terminals") });
        }
        let seed = secrets.card_seed()?;
        let derive = |network: &str| Population::derive(&options.cards, network, seed);
        let cards = options.cards.ranges.iter().map(|range| Ok((range.network.clone(), derive(&range.network)?)));
        let cards = cards.collect::<Result<BTreeMap<_, _>, Error>>()?;
        let sync = if options.sync { Sync::Durable } else { Sync::Unsynced };
        let journal = Arc::new(Journal::open(options.log.as_deref(), sync)?);
        let clock = Clock::start();
        let run = clock.now().wall.unix_ms();
        let (links, stop) = (Arc::<LinkCounts>::default(), CancellationToken::new());
        let (strays, stray) = mpsc::channel(MAX_STRAYS);
        let writer = tokio::spawn(write_strays(stray, journal.clone(), clock, stop.clone()));
        let known: Vec<&str> = secrets.terminal_ids().collect();
        let terminals = ids.iter().map(|id| {
            let keys = secrets.terminal(id)?.clone();
            // Among all terminals that have keys, so that fleets that share them do not share DE37.
            let place = known.binary_search(&id.as_str()).unwrap_or_default();
            Terminal::new(id, place, run, keys, options.terminal.clone(), wire.clone()).map(Arc::new)
        });
        let terminals = terminals.collect::<Result<Vec<_>, Error>>()?;
        let connections = if options.connections == 0 { terminals.len() } else { options.connections.min(terminals.len()) };
        let shared: Vec<Arc<Link>> = (1..)
            .take(connections)
            .map(|number| {
                let tpdu = (options.framing == Framing::Nac).then(|| Tpdu::of_line(number));
                Link::open(options.connect.clone(), wire.clone(), tpdu, links.clone(), strays.clone(), stop.clone())
            })
            .collect();
        let seats = terminals.into_iter().zip(shared.iter().cycle().cloned());
        Ok(Self {
            seats: seats.map(|(terminal, link)| Seat { terminal, link }).collect(),
            cards,
            pvk: secrets.pvk().ok().cloned(),
            clock,
            tally: Mutex::default(),
            connect_wait: Duration::from_millis(options.connect_wait_ms),
            journal,
            links,
            strays: Mutex::new(Some(writer)),
            stop,
        })
    }

    /// The cards of a network.
    pub fn population(&self, network: &str) -> Result<&Population, Error> {
        self.cards
            .get(network)
            .ok_or_else(|| Error::BadOption { option: "network", reason: format!("there are no cards of a network {network:?}") })
    }

    /// Writes a line to the book.
    pub fn log(&self, entry: &Entry) -> Result<Ticket, Error> {
        let line = serde_json::to_vec(entry).map_err(|fault| Error::Journal(fault.to_string()))?;
        Ok(self.journal.append(&line))
    }

    /// Waits until a line is durable.
    pub async fn durable(&self, ticket: Ticket) -> Result<(), Error> {
        self.journal.wait(ticket).await
    }

    /// Carries out an exchange to its end.
    pub async fn exchange(&self, seat: &Seat, exchange: &mut Exchange) -> Result<Ended, Error> {
        let mut mailbox = seat.link.mailbox();
        let mut todo = exchange.start(self.clock.now())?;
        let mut written = None;
        loop {
            for next in todo {
                match next {
                    Do::Log(entry) => {
                        self.journal.room().await?;
                        lock(&self.tally).message(&entry);
                        written = Some(self.log(&entry)?);
                    }
                    Do::Send { message, terminal, stan } => {
                        self.settled(&mut written).await?;
                        mailbox.expect(terminal, stan);
                        seat.link.send(&message).await;
                    }
                    Do::Done(ended) => {
                        self.settled(&mut written).await?;
                        return Ok(ended);
                    }
                }
            }
            self.settled(&mut written).await?;
            let due = exchange.deadline().unwrap_or_default();
            let answer = tokio::select! {
                biased;
                answer = mailbox.next() => answer,
                () = tokio::time::sleep_until(self.clock.instant(due)) => None,
            };
            let now = self.clock.now();
            todo = match answer {
                Some(answer) => exchange.receive(now, &answer)?,
                None => exchange.timer(now)?,
            };
        }
    }

    async fn settled(&self, written: &mut Option<Ticket>) -> Result<(), Error> {
        match written.take() {
            Some(ticket) => self.journal.wait(ticket).await,
            None => Ok(()),
        }
    }

    /// The tally with what the links counted.
    pub fn tallied(&self) -> Tally {
        let mut tally = lock(&self.tally).clone();
        tally.connects = self.links.connects.load(Ordering::Relaxed);
        tally.garbled = self.links.garbled.load(Ordering::Relaxed);
        tally.misaddressed = self.links.misaddressed.load(Ordering::Relaxed);
        tally.unexpected = self.links.unexpected.load(Ordering::Relaxed);
        tally
    }

    /// Disconnects and closes the book.
    pub async fn close(&self) -> Result<(), Error> {
        self.stop.cancel();
        let writer = lock(&self.strays).take();
        if let Some(writer) = writer {
            // It ends with the stop; if it panicked, strays are missing, nothing else.
            let _ = writer.await;
        }
        self.journal.close()
    }
}

/// Writes down answers that nobody waited for: second ones, late ones, wrong STANs.
async fn write_strays(mut stray: mpsc::Receiver<Message>, journal: Arc<Journal>, clock: Clock, stop: CancellationToken) {
    loop {
        let answer = tokio::select! {
            answer = stray.recv() => answer,
            () = stop.cancelled() => None,
        };
        let Some(answer) = answer else { return };
        if let Ok(line) = serde_json::to_vec(&stray_line(clock.now(), &answer)) {
            journal.append(&line);
        }
    }
}

/// A number that several tasks take turns on.
#[derive(Debug, Default)]
pub struct Turns(AtomicU64);

impl Turns {
    /// The next number, from 0.
    pub fn take(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Locks; a poisoned lock is taken over, since counters stay usable.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
