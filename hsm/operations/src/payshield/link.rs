//! One connection to one HSM: frames out and in, and the table of what is in flight, keyed by the header
//! that the HSM returns. A command that was given up keeps its header until its answer came, so that a
//! late answer is never taken for another command's.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::codec::{decode, encode};
use super::commands::status::Diagnostics;
use super::settings::HostSettings;

/// Longest message that is taken or sent, in bytes.
pub(super) const MAX_MESSAGE: usize = 32_768;
/// Bytes of a header.
const HEADER: usize = 4;

type Frame = Zeroizing<Vec<u8>>;
type Header = [u8; HEADER];

/// What a connection is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What [`Connector::connect`] gives.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// How connections are made: over TCP, over TLS where a connector for it is put in, in memory for tests.
pub trait Connector: Send + Sync + 'static {
    /// Connects to an address of the settings.
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a>;
}

/// Plain TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Connector for Tcp {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // Commands are small and someone waits for each.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// A place in the table.
enum Slot {
    Waiting(oneshot::Sender<Frame>),
    /// Nobody waits any more.
    GivenUp,
}

struct State {
    /// Where frames go while the connection stands.
    out: Option<mpsc::Sender<Frame>>,
    /// Counts connections, so that a flight of an earlier one touches nothing.
    generation: u64,
    flying: HashMap<Header, Slot>,
    given_up: usize,
    next: u16,
    answers: u64,
}

/// Why a command did not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotSent {
    /// There is no connection.
    Down,
    /// As many commands as allowed have no answer yet.
    Full,
}

/// The connection was lost before the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

pub(super) struct Link {
    /// Number of its HSM.
    pub(super) hsm: usize,
    address: String,
    settings: Arc<HostSettings>,
    state: Mutex<State>,
    give_up: Notify,
}

/// A command that is on its way.
pub(super) struct Flight {
    link: Arc<Link>,
    header: Header,
    generation: u64,
    answer: oneshot::Receiver<Frame>,
}

impl Flight {
    pub(super) fn hsm(&self) -> usize {
        self.link.hsm
    }

    /// The answer, without its header.
    pub(super) async fn answer(&mut self) -> Result<Frame, Lost> {
        (&mut self.answer).await.map_err(|_| Lost)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.link.lock();
        if state.generation != self.generation {
            return;
        }
        if let Some(slot @ Slot::Waiting(_)) = state.flying.get_mut(&self.header) {
            *slot = Slot::GivenUp;
            state.given_up += 1;
            if state.given_up >= self.link.settings.late.max(1) {
                // An HSM that answers nothing for so long is given up with its connection.
                self.link.give_up.notify_one();
            }
        }
    }
}

impl Link {
    pub(super) fn new(hsm: usize, address: String, settings: Arc<HostSettings>) -> Self {
        let state = State { out: None, generation: 0, flying: HashMap::new(), given_up: 0, next: 0, answers: 0 };
        Self { hsm, address, settings, state: Mutex::new(state), give_up: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it stands, and how many commands are on their way.
    pub(super) fn load(&self) -> Option<usize> {
        let state = self.lock();
        state.out.is_some().then_some(state.flying.len())
    }

    /// Sends code and fields under a header of its own.
    pub(super) fn send(self: &Arc<Self>, body: &[u8]) -> Result<Flight, NotSent> {
        let mut state = self.lock();
        let Some(out) = state.out.clone() else { return Err(NotSent::Down) };
        if state.flying.len() >= self.settings.in_flight.max(1) {
            return Err(NotSent::Full);
        }
        let header = free_header(&mut state);
        let frame = framed(&header, body);
        let (tell, answer) = oneshot::channel();
        // The channel has room for every command that may be in flight; a closed one is a lost connection.
        out.try_send(frame).map_err(|_| NotSent::Down)?;
        state.flying.insert(header, Slot::Waiting(tell));
        Ok(Flight { link: self.clone(), header, generation: state.generation, answer })
    }

    /// Gives an answer to whoever waits for it. `false` where nothing was sent under the header.
    fn deliver(&self, message: &[u8]) -> bool {
        let Some((header, body)) = message.split_first_chunk::<HEADER>() else { return false };
        let mut state = self.lock();
        state.answers = state.answers.wrapping_add(1);
        match state.flying.remove(header) {
            None => false,
            Some(Slot::GivenUp) => {
                state.given_up = state.given_up.saturating_sub(1);
                true
            }
            Some(Slot::Waiting(tell)) => {
                // Whoever waited may have gone this moment.
                let _ = tell.send(Zeroizing::new(body.to_vec()));
                true
            }
        }
    }

    fn up(&self, out: mpsc::Sender<Frame>) {
        let mut state = self.lock();
        state.out = Some(out);
        state.generation += 1;
    }

    /// Everything in flight hears that the connection is lost.
    pub(super) fn down(&self) {
        let mut state = self.lock();
        state.out = None;
        state.generation += 1;
        state.given_up = 0;
        state.flying.clear();
    }

    /// Connects, proves that an HSM answers, and serves the connection until it is lost. Says whether it
    /// ever stood.
    pub(super) async fn live(self: &Arc<Self>, connector: &dyn Connector, changed: &Notify) -> bool {
        let patience = Duration::from_millis(self.settings.connect_ms);
        let Ok(Some(stream)) = timeout(patience, self.greet(connector)).await else { return false };
        let (input, output) = tokio::io::split(stream);
        let (out, frames) = mpsc::channel(self.settings.in_flight.max(1));
        self.up(out);
        changed.notify_waiters();
        tokio::select! {
            () = self.read(input, changed) => {}
            () = write(output, frames) => {}
            () = self.probe() => {}
            () = self.too_late() => {}
        }
        self.down();
        changed.notify_waiters();
        metrics::counter!("hsm_connections_lost_total").increment(1);
        true
    }

    /// Resolves when too many commands passed their deadline. A ring of an earlier connection is not enough.
    async fn too_late(&self) {
        loop {
            self.give_up.notified().await;
            if self.lock().given_up >= self.settings.late.max(1) {
                return;
            }
        }
    }

    /// A connection on which diagnostics were answered well.
    async fn greet(&self, connector: &dyn Connector) -> Option<Box<dyn Stream>> {
        let mut stream = connector.connect(&self.address).await.ok()?;
        let header = *b"HELO";
        stream.write_all(&framed(&header, &encode(&Diagnostics))).await.ok()?;
        let mut received = Vec::new();
        loop {
            stream.read_buf(&mut received).await.ok().filter(|count| *count > 0)?;
            let (message, _) = match split_frame(&received) {
                Framed::Whole(message, rest) => (message, rest),
                Framed::More => continue,
                Framed::TooLong => return None,
            };
            let body = message.strip_prefix(&header)?;
            return decode(&Diagnostics, body).is_ok().then_some(stream);
        }
    }

    async fn read(&self, mut input: ReadHalf<Box<dyn Stream>>, changed: &Notify) {
        // Answers hold translated PIN blocks: the buffer is wiped, and never grows past one frame and a read.
        let mut received: Frame = Zeroizing::new(Vec::with_capacity(2 * MAX_MESSAGE));
        let mut chunk = Zeroizing::new([0; 8 * 1024]);
        loop {
            let count = match input.read(&mut *chunk).await {
                Ok(count) if count > 0 => count,
                _ => return,
            };
            received.extend_from_slice(chunk.get(..count).unwrap_or_default());
            let mut taken = 0;
            loop {
                match split_frame(received.get(taken..).unwrap_or_default()) {
                    Framed::Whole(message, length) => {
                        // An answer to nothing: the two ends do not agree any more on what is in flight.
                        if !message.is_empty() && !self.deliver(message) {
                            return;
                        }
                        changed.notify_one();
                        taken += length;
                    }
                    Framed::More => break,
                    Framed::TooLong => return,
                }
            }
            received.drain(..taken);
        }
    }

    /// Asks for diagnostics whenever nothing was answered for a while; returns when nothing comes back.
    async fn probe(self: &Arc<Self>) {
        let (pause, patience) =
            (Duration::from_millis(self.settings.probe_ms.max(1)), Duration::from_millis(self.settings.probe_deadline_ms));
        loop {
            let before = self.lock().answers;
            sleep(pause).await;
            if self.lock().answers != before {
                continue;
            }
            match self.send(&encode(&Diagnostics)) {
                Ok(mut flight) => {
                    let answer = timeout(patience, flight.answer()).await;
                    if !answer.is_ok_and(|answer| answer.is_ok_and(|body| decode(&Diagnostics, &body).is_ok())) {
                        return;
                    }
                }
                // Full and silent all the while.
                Err(_) => return,
            }
        }
    }
}

/// The next header that nothing in flight has: four hexadecimal characters.
fn free_header(state: &mut State) -> Header {
    loop {
        state.next = state.next.wrapping_add(1);
        let [high, low] = state.next.to_be_bytes();
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
        let header = [digit(high >> 4), digit(high & 0x0F), digit(low >> 4), digit(low & 0x0F)];
        // In flight are far fewer than there are headers.
        if !state.flying.contains_key(&header) {
            return header;
        }
    }
}

/// Length, header, and the rest.
fn framed(header: &Header, body: &[u8]) -> Frame {
    let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX);
    let mut frame = Zeroizing::new(Vec::with_capacity(2 + HEADER + body.len()));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(header);
    frame.extend_from_slice(body);
    frame
}

/// What stands at the front of what was received.
#[derive(Debug, PartialEq, Eq)]
enum Framed<'a> {
    /// A message, and how many bytes it took with its length.
    Whole(&'a [u8], usize),
    /// Not all of it yet.
    More,
    /// A length that is never sent.
    TooLong,
}

fn split_frame(received: &[u8]) -> Framed<'_> {
    let Some((length, rest)) = received.split_first_chunk() else { return Framed::More };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MAX_MESSAGE {
        return Framed::TooLong;
    }
    rest.get(..length).map_or(Framed::More, |message| Framed::Whole(message, 2 + length))
}

async fn write(mut output: WriteHalf<Box<dyn Stream>>, mut frames: mpsc::Receiver<Frame>) {
    while let Some(frame) = frames.recv().await {
        if output.write_all(&frame).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(in_flight: usize, late: usize) -> (Arc<Link>, mpsc::Receiver<Frame>) {
        let settings = HostSettings { in_flight, late, ..HostSettings::default() };
        let link = Arc::new(Link::new(0, "nowhere".to_owned(), Arc::new(settings)));
        let (out, frames) = mpsc::channel(in_flight);
        link.up(out);
        (link, frames)
    }

    #[tokio::test]
    async fn answers_find_their_command_in_any_order() {
        let (link, mut frames) = link(4, 8);
        let mut flights: Vec<Flight> = (0..4).map(|_| link.send(b"NC").unwrap()).collect();
        assert_eq!(link.send(b"NC").err(), Some(NotSent::Full));
        let mut headers = Vec::new();
        for _ in 0..4 {
            let frame = frames.recv().await.unwrap();
            assert_eq!((&frame[..2], &frame[6..]), (&[0, 6][..], &b"NC"[..]));
            headers.push(frame[2..6].to_vec());
        }
        for (at, header) in headers.iter().enumerate().rev() {
            assert!(link.deliver(&[&header[..], &[u8::try_from(at).unwrap()]].concat()));
        }
        for (at, flight) in flights.iter_mut().enumerate() {
            assert_eq!(**flight.answer().await.as_deref().unwrap(), [u8::try_from(at).unwrap()]);
        }
        assert_eq!(link.load(), Some(0));
    }

    #[tokio::test]
    async fn a_late_answer_is_never_taken_for_another_commands() {
        let (link, mut frames) = link(2, 8);
        drop(link.send(b"NC").unwrap());
        let late = frames.recv().await.unwrap()[2..6].to_vec();
        // The header stays taken even when the count comes round.
        link.lock().next = u16::from_be_bytes([0, 0]);
        let mut second = link.send(b"NC").unwrap();
        assert_ne!(second.header.to_vec(), late);
        assert_eq!(link.load(), Some(2));
        assert!(link.deliver(&[&late[..], b"late"].concat()));
        assert!(link.deliver(&[&second.header[..], b"mine"].concat()));
        assert_eq!(**second.answer().await.as_deref().unwrap(), *b"mine");
        assert!(!link.deliver(&[&late[..], b"again"].concat()));
        assert!(!link.deliver(b"abc"));
    }

    #[tokio::test]
    async fn a_lost_connection_is_told_to_everything_in_flight() {
        let (link, _frames) = link(4, 8);
        let mut flight = link.send(b"NC").unwrap();
        link.down();
        assert_eq!(flight.answer().await.err(), Some(Lost));
        assert_eq!((link.load(), link.send(b"NC").err()), (None, Some(NotSent::Down)));
        // A flight of the lost connection leaves the next one alone.
        let (out, _frames) = mpsc::channel(4);
        link.up(out);
        let _other = link.send(b"NC").unwrap();
        drop(flight);
        assert_eq!((link.load(), link.lock().given_up), (Some(1), 0));
    }

    #[tokio::test]
    async fn a_connection_with_too_many_late_answers_is_given_up() {
        let (link, _frames) = link(4, 2);
        drop(link.send(b"NC").unwrap());
        drop(link.send(b"NC").unwrap());
        // Resolves at once, since it was told before.
        link.too_late().await;
    }

    #[test]
    fn frames_are_whole_or_wait_or_are_refused() {
        assert_eq!(split_frame(&[0]), Framed::More);
        assert_eq!(split_frame(&[0, 3, 1, 2]), Framed::More);
        assert_eq!(split_frame(&[0, 3, 1, 2, 3, 4]), Framed::Whole(&[1, 2, 3], 5));
        assert_eq!(split_frame(&[0, 0]), Framed::Whole(&[], 2));
        assert_eq!(split_frame(&[0x80, 1]), Framed::TooLong);
    }
}
