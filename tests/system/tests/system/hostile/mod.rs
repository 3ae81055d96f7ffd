//! Peers that mean harm, or are broken, against the real binary over real sockets: closed or refused,
//! counted, bounded, and nobody else notices.
#![allow(clippy::float_arithmetic, reason = "counters of the metrics are floating-point numbers")]

mod cards;
mod files;
mod wire;
mod xml;

use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crypto::TdesKey;
use simulators::cards::{Class, Population, PopulationOptions};
use simulators::keys::Secrets;
use system::bench::record::{metric, metrics};
use testkit::Laboratory;

use wire::{Fields, Peer, Seen, message};

/// Connections of a listener at once.
const CONNECTIONS: usize = 40;
/// Requests of a connection in flight.
const IN_FLIGHT: usize = 64;

/// What the attackers need to look like terminals.
struct Target {
    /// Behind a lock, since threads share what is beside it.
    laboratory: Mutex<Laboratory>,
    pos: String,
    party: String,
    admin: String,
    cards: Population,
    keys: Secrets,
}

impl Target {
    fn start(name: &str) -> Self {
        let mut laboratory = Laboratory::new(name, |options| {
            options.dual_rules = vec![r#"{ do = "silent", amount_ends = "91" }"#.to_owned()];
        })
        .expect("a laboratory");
        let stack = laboratory.stack().expect("it is there");
        let text = std::fs::read_to_string(stack.config()).expect("a configuration");
        let bounds = format!("max_in_flight = {IN_FLIGHT}\nmax_connections = {CONNECTIONS}\nframe_within_s = 1");
        let text = text.replace("max_in_flight = 512", &bounds);
        assert!(text.contains(&bounds), "{text}");
        let text = text.replace("acquirer = \"PARTY1\"", "acquirer = \"PARTY1\"\nframe_within_s = 1");
        std::fs::write(stack.config(), text).expect("a configuration can be written");
        stack.start_switch(&[]).expect("the switch starts");
        let keys = Secrets::parse(stack.secrets.json.as_bytes()).expect("the run's secrets");
        let seed = keys.card_seed().expect("a seed").to_owned();
        let cards = Population::derive(&PopulationOptions::default(), "dual", &seed).expect("cards");
        let (pos, party, admin) = (stack.pos.clone(), stack.party.clone(), stack.admin.clone());
        Self { laboratory: Mutex::new(laboratory), pos, party, admin, cards, keys }
    }

    fn key(&self, terminal: &str) -> TdesKey {
        self.keys.terminal(terminal).expect("a terminal").mac.clone()
    }

    /// A purchase on the dual-message network, right in every field.
    fn purchase(&self, nth: u32, stan: u32, amount: u64) -> Fields {
        let card = self.cards.of_class(Class::Ample, nth).expect("a card");
        let pan = String::from_utf8_lossy(card.pan.reveal()).into_owned();
        let expiry = String::from_utf8_lossy(card.expiry.reveal()).into_owned();
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let fields = [
            (2, format!("16{pan}")),
            (3, "000000".to_owned()),
            (4, format!("{amount:012}")),
            (7, now.strftime("%m%d%H%M%S").to_string()),
            (11, format!("{stan:06}")),
            (12, now.strftime("%H%M%S").to_string()),
            (13, now.strftime("%m%d").to_string()),
            (14, expiry),
            (22, "812".to_owned()),
            (25, "59".to_owned()),
            (41, "TERM0001".to_owned()),
            (42, format!("{:<15}", "M0001")),
            (43, format!("{:<40}", "CORNER SHOP             BERLIN        DE")),
            (49, "978".to_owned()),
            (60, "00205".to_owned()),
        ];
        fields.map(|(number, text)| (number, text.into_bytes())).into()
    }

    fn terminal(&self) -> Peer {
        Peer::connect(&self.pos, 2)
    }

    fn metric(&self, name: &str) -> f64 {
        metric(&metrics(&self.admin).expect("metrics"), name)
    }

    /// No bound is broken while anything runs.
    fn bounds_hold(&self) {
        let text = metrics(&self.admin).expect("metrics");
        assert!(metric(&text, "switchyard_connections_open") <= (CONNECTIONS + 2) as f64);
        assert!(metric(&text, "switchyard_carried") <= (CONNECTIONS * IN_FLIGHT) as f64);
        assert!(metric(&text, "switchyard_writer_queue") <= (CONNECTIONS * IN_FLIGHT) as f64);
    }
}

/// A terminal that pays all the while on a connection of its own; how many payments were approved.
fn while_paying(target: &Target, attack: impl FnOnce()) -> u64 {
    let (stop, approved) = (AtomicBool::new(false), AtomicU64::new(0));
    let key = target.key("TERM0003");
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut peer = target.terminal();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let mut fields = target.purchase(number, number + 1, 1_000);
                fields.insert(41, b"TERM0003".to_vec());
                fields.insert(42, format!("{:<15}", "M0002").into_bytes());
                assert_eq!(peer.ask(&message("0200", &fields, Some(&key))), Seen::Code("00".to_owned()), "payment {number}");
                approved.fetch_add(1, Ordering::Relaxed);
            }
        });
        // A payment before the first attack, and the thread ends even where an attack fails its test.
        let _stop = Stop(&stop);
        crate::lab::until("the first payment", || approved.load(Ordering::Relaxed) > 0);
        attack();
        let so_far = approved.load(Ordering::Relaxed);
        let wanted = so_far.max(10);
        crate::lab::until("payments, and one after the last attack", || approved.load(Ordering::Relaxed) > wanted);
    });
    approved.into_inner()
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether what was seen is among `wanted`: codes, or `closed`.
fn among(seen: &Seen, wanted: &str) -> bool {
    wanted.split('|').any(|wanted| match seen {
        Seen::Closed => wanted == "closed",
        Seen::Code(code) => wanted == code,
        Seen::Bytes(_) => false,
    })
}

/// After everything: nothing is left in flight, nothing panicked, and the log is one JSON object a line.
fn nothing_is_left(target: Target) {
    crate::lab::until("connections to end", || target.metric("switchyard_connections_open") < 1.0);
    let mut laboratory = target.laboratory.into_inner().expect("no test has failed");
    laboratory.settle_down(Duration::from_secs(60)).expect("it settles");
    let stack = laboratory.stack().expect("it is there");
    assert!(stack.stop_switch().expect("the switch ends").success());
    let log = std::fs::read(laboratory.dir().join("switch.log")).expect("a log");
    let log = String::from_utf8(log).expect("a log is text");
    assert!(!log.contains("panicked"), "{log}");
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "not one object: {line:?}");
        assert!(!line.bytes().any(|byte| byte < 0x20 || byte == 0x7F), "control bytes: {line:?}");
    }
}

/// Ends a connection by a reset.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).expect("a socket takes options");
}
