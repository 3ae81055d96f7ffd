//! HSMs that die and come back, lose connections and report faults, while many callers ask. Each caller has
//! a card of its own, so that an answer which went to the wrong one would be seen.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crypto::TdesKey;
use crypto::cvv::{self, CardData};
use hsm::payshield::{CardSecurity, Connecting, Connector, HostSettings, KeyEntry, KeyTable, PayShield, Role, Stream, Wrapped};
use hsm::{HsmError, Kcv, KeyName};
use payments::Pan;
use simulators::hsm::lmk::{KeyType, Lmk};
use simulators::hsm::{Counts, HsmOptions, serve};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Callers at a time.
const CALLERS: u64 = 12;
/// Answers that each phase of a test waits for.
const PHASE: usize = 300;

/// Where the HSM of each name listens at present.
#[derive(Default)]
struct Switchboard(Mutex<Vec<Option<SocketAddr>>>);

impl Switchboard {
    fn set(&self, hsm: usize, address: Option<SocketAddr>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() <= hsm {
            places.resize(hsm + 1, None);
        }
        places[hsm] = address;
    }
}

impl Connector for Switchboard {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let hsm: usize = address.parse().expect("a number");
            let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hsm).copied().flatten();
            let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(TcpStream::connect(place).await?) as Box<dyn Stream>)
        })
    }
}

/// A simulated HSM that can be killed.
struct Running {
    kill: oneshot::Sender<()>,
    end: JoinHandle<Counts>,
}

async fn start(board: &Switchboard, hsm: usize, options: HsmOptions) -> Running {
    let (told, address) = oneshot::channel();
    let (kill, killed) = oneshot::channel();
    let end = tokio::spawn(async move {
        let stop = async {
            let _ = killed.await;
            Ok(())
        };
        serve(options, |address| told.send(address).expect("someone waits"), stop).await.expect("it served").counts
    });
    board.set(hsm, Some(address.await.expect("it listens")));
    Running { kill, end }
}

impl Running {
    async fn die(self, board: &Switchboard, hsm: usize) -> Counts {
        board.set(hsm, None);
        self.kill.send(()).expect("it runs");
        self.end.await.expect("it ended")
    }
}

const CVK: [u8; 16] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];

fn client(board: Arc<Switchboard>, hsms: usize) -> (PayShield, KeyName) {
    let name: KeyName = "cvk".parse().expect("a name");
    let wrapped = Wrapped::parse(&Lmk::Test.cryptogram(KeyType::CVK, &CVK).expect("a key")).expect("a key");
    let check_value = Kcv(crypto::kcv::tdes(&TdesKey::unchecked(&CVK).expect("a key")));
    let mut keys = KeyTable::default();
    keys.insert(name, KeyEntry { role: Role::Cvk, wrapped, check_value }).expect("it is free");
    let settings = HostSettings {
        hsms: (0..hsms).map(|hsm| hsm.to_string()).collect(),
        in_flight: 4,
        deadline_ms: 30_000,
        admin_deadline_ms: 30_000,
        reconnect_ms: 1,
        reconnect_most_ms: 4,
        ..HostSettings::default()
    };
    (PayShield::start_with(settings, keys, board, Arc::new(|| 1)), name)
}

/// How operations ended so far.
#[derive(Debug, Clone, Default)]
struct Tally {
    asked: usize,
    right: usize,
    unavailable: usize,
    late: usize,
    other: usize,
    /// The first of what must not be.
    wrong: Option<String>,
}

impl Tally {
    fn wrong(&mut self, what: String) {
        self.other += 1;
        self.wrong.get_or_insert(what);
    }

    fn ended(&self) -> usize {
        self.right + self.unavailable + self.late + self.other
    }
}

/// Callers that ask until they are told to stop.
struct Load {
    tally: watch::Receiver<Tally>,
    stop: watch::Sender<bool>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(client: &PayShield, key: KeyName) -> Self {
        let (tell, tally) = watch::channel(Tally::default());
        let tell = Arc::new(tell);
        let (stop, stopped) = watch::channel(false);
        let callers = (0..CALLERS).map(|caller| {
            let (client, tell, stopped) = (client.clone(), tell.clone(), stopped.clone());
            tokio::spawn(async move {
                let mut number = 4_000_000_000_000_000 + caller * 1_000_000;
                while !*stopped.borrow() {
                    number += 1;
                    let digits = number.to_string();
                    let pan = Pan::new(digits.as_bytes()).expect("a PAN");
                    let card = CardSecurity { key, pan: &pan, expiry: *b"3012", service_code: *b"101" };
                    let data = CardData::new(digits.as_bytes(), b"3012", b"101").expect("a card");
                    let wanted = cvv::cvv(&TdesKey::unchecked(&CVK).expect("a key"), &data).expect("a value");
                    tell.send_modify(|tally| tally.asked += 1);
                    let outcome = client.cvv(&card).await;
                    tell.send_modify(|tally| match outcome {
                        Ok(made) if *made == *wanted.reveal() => tally.right += 1,
                        Ok(_) => tally.wrong("the value of another card".to_owned()),
                        Err(HsmError::Unavailable(_)) => tally.unavailable += 1,
                        Err(HsmError::Timeout) => tally.late += 1,
                        Err(other) => tally.wrong(other.to_string()),
                    });
                    // Where everything is down, failing must not keep others from running.
                    tokio::task::yield_now().await;
                }
            })
        });
        Self { tally, stop, callers: callers.collect() }
    }

    /// Waits until a count has grown by so many since now.
    async fn grows(&mut self, count: impl Fn(&Tally) -> usize, by: usize) {
        let from = count(&self.tally.borrow());
        self.tally.wait_for(|tally| count(tally) >= from + by).await.expect("callers ask");
    }

    /// Every request that was ever asked has ended when this returns.
    async fn finish(self) -> Tally {
        self.stop.send_replace(true);
        for caller in self.callers {
            caller.await.expect("a caller ends");
        }
        let tally = self.tally.borrow().clone();
        assert_eq!(tally.asked, tally.ended(), "{tally:?}");
        assert_eq!(tally.wrong, None, "{tally:?}");
        tally
    }
}

fn reordering() -> HsmOptions {
    HsmOptions { reorder: true, ..HsmOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hsm_that_dies_and_comes_back_leaves_no_request_without_an_answer() {
    let board = Arc::new(Switchboard::default());
    let mut running = start(&board, 0, reordering()).await;
    let (client, key) = client(board.clone(), 1);
    client.ready().await.expect("it answers");
    let mut load = Load::start(&client, key);
    for _ in 0..3 {
        load.grows(|tally| tally.right, PHASE).await;
        running.die(&board, 0).await;
        load.grows(|tally| tally.unavailable, PHASE).await;
        running = start(&board, 0, reordering()).await;
    }
    load.grows(|tally| tally.right, PHASE).await;
    let tally = load.finish().await;
    assert!(tally.right >= 4 * PHASE && tally.unavailable >= 3 * PHASE, "{tally:?}");
    running.die(&board, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_hsms_the_death_of_one_is_not_noticed_by_callers() {
    let board = Arc::new(Switchboard::default());
    let mut running = [start(&board, 0, reordering()).await, start(&board, 1, reordering()).await].map(Some);
    let (client, key) = client(board.clone(), 2);
    client.ready().await.expect("one answers");
    let mut load = Load::start(&client, key);
    for dying in [0, 1, 0] {
        // Both stand, so that work can go on at the other.
        while client.connections() < 4 {
            load.grows(|tally| tally.right, 1).await;
        }
        load.grows(|tally| tally.right, PHASE).await;
        let counts = running[dying].take().expect("it runs").die(&board, dying).await;
        assert!(counts.commands > 10, "work was not balanced: {counts:?}");
        load.grows(|tally| tally.right, PHASE).await;
        running[dying] = Some(start(&board, dying, reordering()).await);
    }
    let tally = load.finish().await;
    assert_eq!((tally.unavailable, tally.late), (0, 0), "{tally:?}");
    for (hsm, running) in running.into_iter().enumerate() {
        running.expect("it runs").die(&board, hsm).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_and_faults_on_purpose_cost_no_answer_and_give_no_wrong_one() {
    let board = Arc::new(Switchboard::default());
    let trouble = |seed| HsmOptions { seed, drop_per_mille: 20, error_per_mille: 100, ..reordering() };
    let running = [start(&board, 0, trouble(1)).await, start(&board, 1, trouble(2)).await];
    let (client, key) = client(board.clone(), 2);
    client.ready().await.expect("one answers");
    let mut load = Load::start(&client, key);
    load.grows(|tally| tally.right, 4 * PHASE).await;
    let tally = load.finish().await;
    let mut all = Counts::default();
    for (hsm, running) in running.into_iter().enumerate() {
        let counts = running.die(&board, hsm).await;
        all.errors += counts.errors;
        all.drops += counts.drops;
    }
    assert!(all.errors > 20 && all.drops > 3, "{all:?}");
    assert!(tally.right >= 4 * PHASE, "{tally:?}");
}
