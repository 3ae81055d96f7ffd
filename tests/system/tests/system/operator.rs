//! What an operator's verbs say: what came of an order, and what is wrong with files and keys.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::lab::{self, Lab};

fn say(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_order_is_answered_with_what_came_of_it() {
    let lab = Lab::new(20_261_124);
    // Nobody listens there, and no payment is needed.
    lab.prepare(&[1, 2]);
    let (switch, ready) = lab.start();
    let admin = ready["admin"].as_str().expect("an address").to_owned();
    let order = |words: &[&str], more: &[&str]| {
        Command::new(lab::binary()).args(words).args(["--admin", &admin]).args(more).output().expect("switchyard starts")
    };
    let outcome = |output: &Output| {
        assert!(output.status.success(), "{}", say(output));
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        value["outcome"].as_str().expect("an outcome").to_owned()
    };
    let day = || lab::ask(&admin, "/v1/status")["shards"][0]["business_date"].clone();
    lab::until("the first day is open", || day().is_string());
    let today: jiff::civil::Date = day().as_str().expect("a date").parse().expect("a date");
    let tomorrow = today.tomorrow().expect("there is one").to_string();

    assert_eq!(outcome(&order(&["cut-over"], &[&tomorrow])), "done");
    // Durable when it is answered: nobody has to wait and look.
    assert_eq!(day(), json!(tomorrow));
    assert_eq!(outcome(&order(&["cut-over"], &[&tomorrow])), "already done");
    let refused = order(&["cut-over"], &[&today.to_string()]);
    assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));
    assert!(say(&refused).contains(&format!("business day {tomorrow} is open")), "{}", say(&refused));

    let far = today.saturating_add(jiff::Span::new().days(30)).to_string();
    let refused = order(&["cut-over"], &[&far]);
    assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));
    assert!(say(&refused).contains("at most 14 days further"), "{}", say(&refused));
    assert_eq!(day(), json!(tomorrow));

    let dead = order(&["saf", "dead"], &[]);
    assert_eq!((dead.status.code(), serde_json::from_slice(&dead.stdout).ok()), (Some(0), Some(json!([]))), "{}", say(&dead));
    let refused = order(&["saf", "retry"], &["00000000-0000-7000-8000-000000000001"]);
    assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));
    assert!(say(&refused).contains("owes nothing and never did"), "{}", say(&refused));

    let none = order(&["completion", "list"], &[]);
    assert_eq!((none.status.code(), serde_json::from_slice(&none.stdout).ok()), (Some(0), Some(json!([]))), "{}", say(&none));
    let nobody = "00000000-0000-7000-8000-000000000001";
    for words in [&["completion", "withdraw"][..], &["completion", "match", "--authorization", nobody]] {
        let refused = order(words, &[nobody]);
        assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));
        assert!(say(&refused).contains(&format!("there is no payment {nobody}")), "{}", say(&refused));
    }

    let told = order(&["link"], &["sign-off", "dual"]);
    assert_eq!(
        serde_json::from_slice(&told.stdout).ok(),
        Some(json!({ "ordered": "sign-off", "link": "dual" })),
        "{}",
        say(&told)
    );
    let refused = order(&["link"], &["sign-off", "duel"]);
    assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));
    assert!(say(&refused).contains("there is no link duel; there are dual, single"), "{}", say(&refused));

    let deposit = |amount| order(&["deposit"], &["--reference", "init-1", "DE89370400440532013000", amount, "EUR"]);
    assert_eq!(outcome(&deposit("1000")), "done");
    assert_eq!(outcome(&deposit("1000")), "already done");
    let refused = deposit("2000");
    assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));
    assert!(say(&refused).contains("init-1 was used before for something else"), "{}", say(&refused));
    let refused = order(&["deposit"], &["--reference", "init-2", "DE89370400440532013000", "0", "EUR"]);
    assert_eq!(refused.status.code(), Some(1), "{}", say(&refused));

    // Nothing of it is an alarm: who gave the order was told.
    switch.end();
    let log = std::fs::read_to_string(lab.path("switchyard.log")).expect("a log");
    let alarms: Vec<&str> = log.lines().filter(|line| line.contains("\"target\":\"alarm\"")).collect();
    assert!(alarms.is_empty() && log.contains("an order was carried out"), "{alarms:?}");

    keys_are_taken_in_again(&lab);
    a_clearing_file_for_nobody_is_refused(&lab);
}

/// An import that was cut off is run again; another key under a name that is taken is refused.
fn keys_are_taken_in_again(lab: &Lab) {
    let key = |zpk: &str| format!("zpk zpk-dual {zpk}\n");
    let again = lab.verb(&["hsm", "key", "import"], &[], &key(&lab.networks[0].zpk));
    assert!(again.contains("there already"), "{again}");
    let other = lab.networks[1].zpk.clone();
    let refused = lab.refused(&["hsm", "key", "import"], &[], &key(&other));
    assert_eq!(refused.status.code(), Some(65), "{}", say(&refused));
    assert!(say(&refused).contains("line 1: zpk-dual.1 is there already, another key"), "{}", say(&refused));
    assert!(!say(&refused).contains(&other));
}

fn a_clearing_file_for_nobody_is_refused(lab: &Lab) {
    let path = lab.path("clearing.toml");
    let text = std::fs::read_to_string(&path).expect("it was written");
    lab.verb(&["config", "check"], &[], "");
    std::fs::write(&path, text.replace("network = \"dual\"", "network = \"duel\"")).expect("it can be written");
    let refused = lab.refused(&["config", "check"], &[], "");
    assert_eq!(refused.status.code(), Some(78), "{}", say(&refused));
    assert!(say(&refused).contains("clearing.toml:4: endpoint DUAL: network \"duel\""), "{}", say(&refused));
}
