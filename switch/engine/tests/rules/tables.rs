//! The configuration of every script: two tills of one merchant, a dual-message route with a spare link, a
//! single-message route, a bank. Every deadline is the default of SEMANTICS.

use std::sync::Arc;

use engine::Tables;
use engine::tables::{Acquirer, CaptureMode, LinkSettings, Merchant, Registry, RepeatTransmission, Terminal};
use payments::outgoing::MessageSystem;
use payments::{AcquirerId, Currency, InstitutionId, LinkId, MerchantId, TerminalId, Text};

pub(crate) const ACQUIRER: AcquirerId = Text::literal("ACQ1");
pub(crate) const INSTITUTION: InstitutionId = Text::literal("400001");
pub(crate) const MERCHANT: MerchantId = Text::literal("MERCHANT0000001");
/// Takes less than it asked for, where the issuer approves only that.
pub(crate) const TAKES_PART: TerminalId = Text::literal("TILL0001");
/// Takes all or nothing.
pub(crate) const ALL_OR_NOTHING: TerminalId = Text::literal("TILL0002");

pub(crate) const DUAL: LinkId = Text::literal("dual");
/// The second link of the dual-message route.
pub(crate) const SPARE: LinkId = Text::literal("spare");
pub(crate) const SINGLE: LinkId = Text::literal("single");
pub(crate) const BANK: LinkId = Text::literal("bank");

/// The first six digits of a card, which choose its route.
pub(crate) type Bin = &'static str;
pub(crate) const DUAL_CARD: Bin = "541333";
pub(crate) const SINGLE_CARD: Bin = "476173";
/// Nobody carries it.
pub(crate) const FOREIGN_CARD: Bin = "999999";

pub(crate) fn tables() -> Arc<Tables> {
    let mut registry = Registry::default();
    registry.acquirers.insert(ACQUIRER, Acquirer { id: ACQUIRER, institution: INSTITUTION });
    let merchant = Merchant {
        id: MERCHANT,
        acquirer: ACQUIRER,
        category: Text::literal("5411"),
        name: Text::literal("SHOP"),
        city: Text::literal("BERLIN"),
        country: Text::literal("DE"),
        postal_code: Text::EMPTY,
        street: Text::EMPTY,
        currency: Currency::EUR,
        active: true,
    };
    registry.merchants.insert((ACQUIRER, MERCHANT), merchant);
    for id in [TAKES_PART, ALL_OR_NOTHING] {
        let terminal = Terminal {
            id,
            acquirer: ACQUIRER,
            merchant: MERCHANT,
            pin_key: Text::EMPTY,
            mac_key: Text::EMPTY,
            capture: CaptureMode::Host,
            partial_approval: id == TAKES_PART,
            allowed: Vec::new(),
            active: true,
        };
        registry.terminals.insert((ACQUIRER, id), terminal);
    }
    let route = |name, bin: Bin, system, links: &[LinkId]| routing::RouteEntry {
        name,
        bins: vec![bin.to_owned()],
        system,
        links: links.to_vec(),
    };
    let routes = routing::RoutesFile {
        route: vec![
            route(DUAL, DUAL_CARD, MessageSystem::Dual, &[DUAL, SPARE]),
            route(SINGLE, SINGLE_CARD, MessageSystem::Single, &[SINGLE]),
        ],
    };
    Arc::new(Tables {
        version: 1,
        registry,
        links: [DUAL, SPARE, SINGLE, BANK].map(|link| (link, settings(link))).into_iter().collect(),
        routes: routing::Routes::compile(&routes).expect("the routes are right"),
        banks: [(Text::literal("*"), BANK)].into_iter().collect(),
        ..Tables::default()
    })
}

/// The single-message network looks for duplicates by DE7.
fn settings(link: LinkId) -> LinkSettings {
    let repeat_transmission = if link == SINGLE { RepeatTransmission::Same } else { RepeatTransmission::New };
    LinkSettings { repeat_transmission, ..LinkSettings::default() }
}
