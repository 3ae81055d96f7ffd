//! What a card may do before anybody is asked: its number, and how often it was seen.

use std::sync::Arc;

use engine::{Event, Tables};
use payments::request::CardRequest;
use payments::{Request, ResponseCode, State, Text};

use crate::tables::{DUAL_CARD, SINGLE_CARD, tables};
use crate::till::Till;

#[test]
fn a_number_that_no_clearing_file_takes_is_refused_where_we_would_present_it() {
    let mut till = Till::open();
    let card = till.lost_purchase(DUAL_CARD, 1_000);
    till.request(Request::Card(Box::new(CardRequest { well_formed: false, ..card })));
    till.expect_reply("14");
    till.expect_nothing_sent();
    assert_eq!(till.state(), State::Declined);
    // Where the network clears itself it is the network's to say: private cards have no check digit.
    let card = till.lost_purchase(SINGLE_CARD, 1_000);
    till.request(Request::Card(Box::new(CardRequest { well_formed: false, ..card })));
    till.expect_send("0200");
}

#[test]
fn a_duplicate_of_a_payment_burns_no_velocity() {
    let mut till = Till::open();
    let twice_an_hour = risk::Rule {
        name: Text::literal("often"),
        code: ResponseCode::EXCEEDS_FREQUENCY,
        merchant: None,
        test: risk::Test::Velocity { count: 2, window_s: 3_600 },
    };
    let rules = risk::RulesFile { version: Text::literal("r2"), rule: vec![twice_an_hour] };
    let rules = risk::Rules::compile(&rules).expect("the rule is right");
    till.step(Event::Config(Arc::new(Tables { rules, ..(*tables()).clone() })));
    let sale = till.purchase(SINGLE_CARD, 1_000);
    let request = till.expect_send("0200");
    till.network_approves(&request);
    till.expect_reply("00");
    for _ in 0..3 {
        till.again(&sale, "0200");
        till.expect_reply("00");
        till.expect_nothing_sent();
    }
    till.purchase(SINGLE_CARD, 2_000);
    let request = till.expect_send("0200");
    till.network_approves(&request);
    till.expect_reply("00");
    till.purchase(SINGLE_CARD, 3_000);
    assert_eq!(till.expect_reply("65").answer.code, ResponseCode::EXCEEDS_FREQUENCY);
}
