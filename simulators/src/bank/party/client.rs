//! The socket around the party: one connection, made again when it breaks.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::dialogue::{Party, Step};
use super::line::Line;
use super::options::PartyOptions;
use super::summary::Summary;
use crate::bank::frames;
use crate::clock::Clock;
use crate::journal::{self, Journal, Sync};
use crate::{Error, stop};

/// First pause after a connection could not be made; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Runs until every transfer has its outcome, the deadline, or a request to stop; where asked for, the
/// end of standard input cuts it off.
pub async fn run(options: PartyOptions) -> Result<Summary, Error> {
    let stdin_close = options.stop_on_stdin_close;
    stop::unless_abandoned(stdin_close, drive(options, stop::requested())).await
}

/// Runs until every transfer has its outcome, the deadline, or until `stop` resolves.
pub async fn drive(options: PartyOptions, stop: impl Future<Output = Result<(), Error>>) -> Result<Summary, Error> {
    let clock = Clock::start();
    let mut party = Party::new(options.clone(), clock.now().wall)?;
    if let Some(path) = &options.book {
        journal::read_back(path, |line| serde_json::from_slice::<Line>(line).is_ok_and(|line| party.replay(line)))?;
    }
    let sync = if options.sync { Sync::Durable } else { Sync::Unsynced };
    let journal = Journal::open(options.book.as_deref(), sync)?;
    let deadline = Instant::now() + Duration::from_millis(options.deadline_ms);
    let ended = {
        let talk = talk(&options, &mut party, &journal, &clock, deadline);
        tokio::select! {
            talked = talk => talked,
            stopped = stop => stopped,
            () = sleep_until(deadline) => Ok(()),
        }
    };
    for line in party.give_up(clock.now()) {
        append(&journal, &line)?;
    }
    journal.close()?;
    ended?;
    Ok(party.summary())
}

/// Connects until everything has its outcome.
async fn talk(
    options: &PartyOptions,
    party: &mut Party,
    journal: &Journal,
    clock: &Clock,
    deadline: Instant,
) -> Result<(), Error> {
    let mut pause = FIRST_PAUSE;
    while !party.done() {
        match timeout_at(deadline, TcpStream::connect(&options.connect)).await {
            Ok(Ok(socket)) => {
                pause = FIRST_PAUSE;
                party.reconnected(clock.now());
                converse(party, journal, clock, socket).await?;
            }
            Ok(Err(_)) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// One connection: until it breaks or everything has its outcome. An error is one of the book.
async fn converse(party: &mut Party, journal: &Journal, clock: &Clock, mut socket: TcpStream) -> Result<(), Error> {
    let _ = socket.set_nodelay(true);
    let (mut input, mut output) = socket.split();
    let mut received = BytesMut::with_capacity(16 * 1024);
    loop {
        let mut outcomes = Vec::new();
        let steps = party.poll(clock.now(), |line| outcomes.push(line))?;
        for line in &outcomes {
            append(journal, line)?;
        }
        if !send(steps, journal, &mut output).await? {
            return Ok(());
        }
        if party.done() {
            return Ok(());
        }
        let wake = party.next_wake().map(|at| clock.instant(at));
        let idle = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = input.read_buf(&mut received) => {
                if !read.is_ok_and(|count| count > 0) {
                    return Ok(());
                }
                loop {
                    match frames::take(&mut received) {
                        Ok(Some(raw)) => {
                            if let Some(line) = party.receive(clock.now(), &raw) {
                                append(journal, &line)?;
                            }
                        }
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
            }
            () = idle => {}
        }
    }
}

/// Sends what is due, when its lines are durable. `false` when the connection is broken.
async fn send(steps: Vec<Step>, journal: &Journal, output: &mut tokio::net::tcp::WriteHalf<'_>) -> Result<bool, Error> {
    let mut frames_out = Vec::new();
    let mut last = None;
    for step in &steps {
        if let Some(line) = &step.line {
            last = Some(append(journal, line)?);
        }
        step.envelopes.iter().for_each(|envelope| {
            frames::put(&mut frames_out, envelope);
        });
    }
    if let Some(ticket) = last {
        journal.wait(ticket).await?;
    }
    Ok(frames_out.is_empty() || output.write_all(&frames_out).await.is_ok())
}

fn append(journal: &Journal, line: &Line) -> Result<journal::Ticket, Error> {
    let text = serde_json::to_vec(line).map_err(|fault| Error::Journal(fault.to_string()))?;
    Ok(journal.append(&text))
}
