//! What a history consists of: the parties, the configuration, and how bad it will be.

use std::sync::Arc;
use std::time::Duration;

use engine::tables::{Acquirer, CaptureMode, Deadlines, LinkSettings, Merchant, Registry, Terminal};
use engine::{StanBlock, Tables};
use payments::outgoing::MessageSystem;
use payments::{Currency, LinkId, Shard, Stan, Text};

use crate::clock::{SEC, Time};
use crate::dice::Dice;
use crate::wire::Form;

/// The shard that the history plays in.
pub(crate) const SHARD: Shard = Shard(3);
/// The acquirer of every terminal.
pub(crate) const ACQUIRER: &str = "ACQ1";
/// Its DE32.
pub(crate) const INSTITUTION: &str = "400001";
/// The instructing party of credit transfers.
pub(crate) const PARTY: &str = "PARTY1";
/// The listeners.
pub(crate) const CARD_LISTENER: LinkId = Text::literal("terminals");
pub(crate) const BANK_LISTENER: LinkId = Text::literal("parties");
/// Two links of one dual-message network, one of a single-message network, one bank.
pub(crate) const DUAL_A: LinkId = Text::literal("dual-a");
pub(crate) const DUAL_B: LinkId = Text::literal("dual-b");
pub(crate) const SINGLE: LinkId = Text::literal("single");
pub(crate) const BANK: LinkId = Text::literal("bank");
pub(crate) const LINES: [LinkId; 4] = [DUAL_A, DUAL_B, SINGLE, BANK];
/// BICs.
pub(crate) const PARTY_BIC: &str = "PRTYDEFF";
pub(crate) const SWITCH_BIC: &str = "SWYDDEFFXXX";
pub(crate) const BANK_BIC: &str = "BANKFRPP";
/// What is put on each debtor's account, minor units.
pub(crate) const DEPOSIT: i64 = 200_000;
/// Debtors' accounts.
pub(crate) const DEBTORS: [&str; 3] = ["DEBTOR-1", "DEBTOR-2", "DEBTOR-3"];
/// A request wanders through a network no longer than this.
pub(crate) const LIFE: Time = 60 * SEC;
/// Above this our own rules decline, minor units.
pub(crate) const CEILING: i64 = 50_000;

/// How often messages of a leg suffer, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) lost: u32,
    pub(crate) delayed: u32,
    pub(crate) doubled: u32,
    pub(crate) garbled: u32,
}

/// What is going to happen in a history, drawn from its seed.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Microseconds since 1970 at virtual time 0.
    pub(crate) epoch_us: i64,
    pub(crate) terminals: usize,
    /// New requests until then; after it faults stop and everything drains.
    pub(crate) traffic: Time,
    pub(crate) gap: Time,
    pub(crate) terminal_leg: Rates,
    pub(crate) network_leg: Rates,
    pub(crate) bank_leg: Rates,
    /// Misbehaviour of networks and the bank, in a thousand.
    pub(crate) misbehaviour: u32,
    pub(crate) hsm: u32,
    pub(crate) commits: u32,
    pub(crate) reads: u32,
    pub(crate) mid_frame: u32,
    pub(crate) undeliverable: u32,
    pub(crate) stans: u32,
    /// Nobody waits for a reply longer than this, in seconds.
    pub(crate) reply: u64,
    pub(crate) crashes: u64,
    pub(crate) pauses: u64,
    pub(crate) leases: u64,
    pub(crate) cuts: u64,
    pub(crate) half_open: u64,
    pub(crate) store_crashes: u64,
    pub(crate) stalls: u64,
    pub(crate) jumps: u64,
    pub(crate) swaps: u64,
    pub(crate) cut_overs: u64,
    pub(crate) drains: u64,
    pub(crate) sign_offs: u64,
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let level = |dice: &mut Dice| dice.pick(&[0, 0, 5, 15, 40, 100]);
        let rates =
            |dice: &mut Dice| Rates { lost: level(dice), delayed: level(dice), doubled: level(dice), garbled: level(dice) / 2 };
        let few = |dice: &mut Dice, most: u64| if dice.chance(500) { 0 } else { dice.between(0, most) };
        // Around noon, around midnight, over the new year, on 29 February.
        let starts = [1_795_262_400, 1_795_305_540, 1_798_761_500, 1_835_395_100];
        Self {
            epoch_us: dice.pick(&starts) * 1_000_000 + i64::try_from(dice.between(0, 60_000_000)).unwrap_or(0),
            terminals: dice.index(6) + 3,
            traffic: dice.between(60, 180) * SEC,
            gap: dice.between(2, 12) * SEC,
            terminal_leg: rates(dice),
            network_leg: rates(dice),
            bank_leg: rates(dice),
            misbehaviour: dice.pick(&[0, 100, 250, 500]),
            hsm: level(dice),
            commits: level(dice),
            reads: level(dice),
            mid_frame: level(dice) / 2,
            undeliverable: level(dice) / 2,
            stans: dice.pick(&[999, 999, 200, 24, 10]),
            reply: dice.pick(&[12, 12, 7]),
            crashes: few(dice, 5),
            pauses: few(dice, 4),
            leases: few(dice, 1),
            cuts: few(dice, 8),
            half_open: few(dice, 2),
            store_crashes: few(dice, 2),
            stalls: few(dice, 3),
            jumps: few(dice, 3),
            swaps: few(dice, 2),
            cut_overs: few(dice, 3),
            drains: few(dice, 1),
            sign_offs: few(dice, 2),
        }
    }

    /// This shard's STANs on a link.
    pub(crate) fn block(&self) -> StanBlock {
        let stan = |number| Stan::new(number).expect("a STAN below a million");
        StanBlock { first: stan(101), last: stan(100 + self.stans) }
    }
}

/// A terminal as the registry has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) host_capture: bool,
    pub(crate) takes_partial: bool,
}

/// Even terminals are captured by the host, two of three take less than they asked for.
pub(crate) fn model(index: usize) -> Model {
    Model { host_capture: index % 3 != 2, takes_partial: index % 3 != 1 }
}

/// Every other terminal packs its digits.
pub(crate) fn terminal_form(index: usize) -> Form {
    if index % 2 == 1 { Form::Binary } else { Form::Ascii }
}

/// So does the single-message network.
pub(crate) fn link_form(link: &LinkId) -> Form {
    if *link == SINGLE { Form::Binary } else { Form::Ascii }
}

pub(crate) fn terminal_id(index: usize) -> String {
    format!("TERM{index:04}")
}

pub(crate) fn merchant_id(index: usize) -> String {
    format!("MERCHANT{:07}", index % 2)
}

pub(crate) fn tpk(terminal: &str) -> String {
    format!("tpk/{terminal}")
}

pub(crate) fn zpk(link: &LinkId) -> String {
    format!("zpk/{link}")
}

/// The configuration.
pub(crate) fn tables(plan: &Plan, version: u64) -> Arc<Tables> {
    let text = |words: &str| payments::AcquirerId::new(words).expect("a short name");
    let mut registry = Registry::default();
    let acquirer = text(ACQUIRER);
    let institution = payments::InstitutionId::new(INSTITUTION).expect("a short name");
    for id in [acquirer, text(PARTY)] {
        registry.acquirers.insert(id, Acquirer { id, institution });
    }
    for index in 0..plan.terminals {
        let merchant = payments::MerchantId::new(&merchant_id(index)).expect("a short name");
        registry.merchants.entry((acquirer, merchant)).or_insert(Merchant {
            id: merchant,
            acquirer,
            category: Text::literal("5411"),
            name: Text::literal("SHOP"),
            city: Text::literal("BERLIN"),
            country: Text::literal("DE"),
            postal_code: Text::EMPTY,
            street: Text::EMPTY,
            currency: Currency::EUR,
            active: true,
        });
        let name = terminal_id(index);
        let id = payments::TerminalId::new(&name).expect("a short name");
        let model = model(index);
        registry.terminals.insert(
            (acquirer, id),
            Terminal {
                id,
                acquirer,
                merchant,
                pin_key: Text::new(&tpk(&name)).expect("a short name"),
                mac_key: Text::new(&format!("tak/{name}")).expect("a short name"),
                capture: if model.host_capture { CaptureMode::Host } else { CaptureMode::Terminal },
                partial_approval: model.takes_partial,
                allowed: Vec::new(),
                active: true,
            },
        );
    }
    let settings = |link: &LinkId, sign_on| LinkSettings {
        forwarding: Text::literal("500002"),
        pin_key: Text::new(&zpk(link)).expect("a short name"),
        sign_on,
        echo_every: Duration::from_secs(10),
        maximum_life: Duration::from_nanos(LIFE),
        lane_window: 8,
        ..LinkSettings::default()
    };
    let route = |name: &str, bin: &str, system, links: &[LinkId]| routing::RouteEntry {
        name: payments::RouteId::new(name).expect("a short name"),
        bins: vec![bin.to_owned()],
        system,
        links: links.to_vec(),
    };
    let routes = routing::RoutesFile {
        route: vec![
            route("dual", "541333", MessageSystem::Dual, &[DUAL_A, DUAL_B]),
            route("single", "476173", MessageSystem::Single, &[SINGLE]),
        ],
    };
    let rules = risk::RulesFile {
        version: Text::literal("sim-1"),
        rule: vec![risk::Rule {
            name: Text::literal("ceiling"),
            code: payments::ResponseCode::EXCEEDS_LIMIT,
            merchant: None,
            test: risk::Test::AmountCeiling { max_minor: CEILING, currency: Currency::EUR },
        }],
    };
    Arc::new(Tables {
        version,
        registry,
        links: [DUAL_A, DUAL_B, SINGLE]
            .iter()
            .map(|link| (*link, settings(link, true)))
            .chain([(BANK, settings(&BANK, false))])
            .collect(),
        routes: routing::Routes::compile(&routes).expect("the routes are right"),
        rules: risk::Rules::compile(&rules).expect("the rules are right"),
        banks: [(Text::literal("*"), BANK)].into_iter().collect(),
        limits: engine::tables::Limits::default(),
        deadlines: Deadlines { reply: Duration::from_secs(plan.reply), ..Deadlines::default() },
    })
}
