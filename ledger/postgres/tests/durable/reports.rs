//! What people and other packages read.

use ledger::command::PaymentWrite;
use ledger::{Book, Payment, Store};
use payments::{Cause, Currency, State};
use store::test_support::{TestDatabase, connect};
use store::{Database, LEDGER, Schema, migrate, reports};
use tokio_postgres::Client;

use crate::fixture::*;

/// A sale captured after a failover, a sale that timed out and was reversed, one that is open, and a
/// customer's money.
async fn populated() -> (TestDatabase, Client) {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    // Captured after a failover: version 2 sends it out on another route, version 3 captures it.
    let mut rerouted = capture(1);
    if let Some(PaymentWrite::Change { egress, .. }) = &mut rerouted.payment {
        *egress = Some(Box::new(egress_elsewhere()));
    }
    for commands in [
        vec![open_day(), begin(1), begin(2), begin(3), deposit(100, 5000)],
        vec![rerouted, time_out(2), hold(3, 3000)],
        vec![acknowledge(2)],
    ] {
        let staged = stage(&book, &fence, commands);
        store.commit(&fence, &staged.batch).await.unwrap();
        book.landed(staged);
    }
    let runtime = connect(&database.runtime()).await.unwrap();
    (database, runtime)
}

fn egress_elsewhere() -> payments::outgoing::Egress {
    payments::outgoing::Egress { attempt: 2, ..egress(500, &text("net2")) }
}

#[tokio::test]
async fn balances_trial_and_statement_agree() {
    let (_database, client) = populated().await;
    let trial = reports::trial(&client).await.unwrap();
    let [euro] = trial.as_slice() else { panic!("{trial:?}") };
    assert_eq!((euro.currency, euro.debit, euro.credit, euro.pending), (Currency::EUR, 6250, 6250, 3000));
    assert_eq!(euro.difference(), 0);
    let customers = reports::balance(&client, "customer/", 10).await.unwrap();
    let [one] = customers.as_slice() else { panic!("{customers:?}") };
    assert_eq!((one.net_credit, one.pending, one.floor, one.entries), (5000, 3000, Some(0), 1));
    assert_eq!(reports::balance(&client, "", 100).await.unwrap().len(), usize::try_from(euro.accounts).unwrap());
    let lines = reports::statement(&client, SHARD.0, &one.code, Currency::EUR, None, 10).await.unwrap();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.side.as_str(), line.amount, line.balance_after), ("C", 5000, 5000));
    assert_eq!(reports::statement(&client, SHARD.0, &one.code, Currency::EUR, Some(1), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_trace_tells_the_whole_story_and_no_card_data() {
    let (_database, client) = populated().await;
    let traced = reports::trace(&client, &rrn(1)).await.unwrap();
    let [sale] = traced.as_slice() else { panic!("{traced:?}") };
    assert_eq!((sale.state.as_str(), sale.captured, sale.card.as_deref()), ("captured", 1250, Some("999999******0000")));
    assert_eq!(sale.egress_link.as_deref(), Some("net2"), "the route of the last attempt");
    assert_eq!(sale.events.iter().map(|event| event.cause.as_str()).collect::<Vec<_>>(), ["accepted", "capture"]);
    assert_eq!(sale.answers.iter().map(|answer| answer.code.as_str()).collect::<Vec<_>>(), ["00"]);
    assert_eq!(sale.captures.len(), 1);
    let journal = sale.journals.first().unwrap();
    assert_eq!(
        journal.entries.iter().map(|entry| (entry.side.as_str(), entry.amount)).collect::<Vec<_>>(),
        [("D", 1250), ("C", 1250)]
    );
    let shown = serde_json::to_string(&traced).unwrap();
    assert!(!shown.contains(&"a5".repeat(8)), "the sealed card is not shown");

    let reversed = reports::trace(&client, &rrn(2)).await.unwrap();
    let [reversed] = reversed.as_slice() else { panic!("{reversed:?}") };
    assert_eq!(reversed.state, "reversed");
    assert_eq!(reversed.lanes.iter().map(|lane| lane.ended.as_deref()).collect::<Vec<_>>(), [Some("acknowledged")]);
    assert_eq!(Some(reversed), reports::history(&client, id(2)).await.unwrap().as_ref());
    let held = reports::history(&client, id(3)).await.unwrap().unwrap();
    assert_eq!(held.hold.map(|hold| (hold.amount, hold.released)), Some((3000, false)));
    assert_eq!(reports::history(&client, id(999)).await.unwrap(), None);
    assert_eq!(reports::trace(&client, &rrn(999)).await.unwrap(), []);
}

#[tokio::test]
async fn the_view_of_captures_has_all_that_clearing_needs() {
    let (_database, client) = populated().await;
    let text =
        "select *, facts::text as facts_text from ledger.capture_v1 where shard = $1 and date = $2::text::date order by seq";
    let rows = client.query(text, &[&i16::try_from(SHARD.0).unwrap(), &day().to_string()]).await.unwrap();
    let [row] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    let facts: Payment = serde_json::from_str(row.get("facts_text")).unwrap();
    assert_eq!(facts, Payment { egress: Some(egress_elsewhere()), ..crate::fixture::facts(1) });
    assert_eq!(row.get::<_, &str>("network_id"), "N000000000000001");
    assert_eq!(row.get::<_, &str>("local_time"), facts.egress.unwrap().local.date().to_owned() + NOW.local().time());
    assert_eq!(row.get::<_, &str>("merchant"), merchant(1).as_str());
    let nulls: Vec<&str> = row
        .columns()
        .iter()
        .filter(|column| column.type_().name() == "text" && row.get::<_, Option<&str>>(column.name()).is_none())
        .map(|column| column.name())
        .collect();
    assert_eq!(nulls, ["eci"], "everything that came is there");
}

#[tokio::test]
async fn the_words_of_the_views_are_those_of_the_lifecycle() {
    let (_database, client) = populated().await;
    for state in State::ALL {
        let word: String = client.query_one("select ledger.state_name($1)", &[&state.code()]).await.unwrap().get(0);
        assert_eq!(word, state.to_string());
    }
    for cause in Cause::ALL {
        let word: String = client.query_one("select ledger.cause_name($1)", &[&cause.code()]).await.unwrap().get(0);
        assert_eq!(word.replace('-', ""), format!("{cause:?}").to_lowercase());
    }
    assert_eq!(client.query_one("select ledger.state_name(99::int2)", &[]).await.unwrap().get::<_, Option<&str>>(0), None);
}

#[tokio::test]
async fn migrations_run_once_from_every_earlier_state_and_refuse_another_history() {
    const EMPTY: &[Schema] = &[];
    let database = TestDatabase::new(EMPTY).await.unwrap();
    for known in 1..=LEDGER.migrations.len() {
        let earlier = Schema { name: LEDGER.name, migrations: &LEDGER.migrations[..known] };
        migrate(&database.admin(), &[earlier]).await.unwrap();
    }
    migrate(&database.admin(), &[LEDGER]).await.unwrap();
    let admin = database.administer().await.unwrap();
    let applied: i64 = admin.query_one("select count(*) from ledger.migration", &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(applied).unwrap(), LEDGER.migrations.len());
    let edited = Schema { name: "ledger", migrations: &[("V1__record", "select 1")] };
    assert!(matches!(migrate(&database.admin(), &[edited]).await, Err(store::Error::Migration { schema: "ledger", .. })));
    let wrong = Schema { name: "wrong", migrations: &[("V1__wrong", "create table wrong.it (broken")] };
    match migrate(&database.admin(), &[wrong]).await {
        Err(store::Error::Migration { schema: "wrong", why }) => assert!(why.contains("42601"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_of_somebody_else_is_brought_up_to_date_by_its_connection_string() {
    const EMPTY: &[Schema] = &[];
    let given = TestDatabase::new(EMPTY).await.unwrap();
    let config = given.admin();
    let host = match config.get_hosts() {
        [tokio_postgres::config::Host::Unix(path)] => path.display().to_string(),
        [tokio_postgres::config::Host::Tcp(name)] => name.clone(),
        other => panic!("{other:?}"),
    };
    let (user, name) = (config.get_user().unwrap(), config.get_dbname().unwrap());
    let database = Database::external(&format!("host={host} user={user} dbname={name}")).unwrap();
    database.prepare(&[LEDGER]).await.unwrap();
    let store = store::PgStore::connect(database.runtime(), store::StoreOptions::default()).await.unwrap();
    store.open(SHARD, ME).await.unwrap();
    let runtime = connect(&database.runtime()).await.unwrap();
    let role: String = runtime.query_one("select current_user::text", &[]).await.unwrap().get(0);
    assert_eq!(role, store::migrate::RUNTIME);
    assert!(
        matches!(Database::external("host="), Err(store::Error::ConnectionString(_))) || Database::external("nonsense").is_err()
    );
}
