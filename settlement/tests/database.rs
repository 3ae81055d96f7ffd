//! Clearing and reconciliation over a real server and the ledger's own store.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::suite::samples;
use ledger::{Book, Capture, CaptureKind, Clearing, Command, Fence, NodeId, Payment, PaymentKind, PaymentWrite, Seq, Standing};
use ledger::{Store, postings};
use payments::{BusinessDate, Cause, Currency, Expiry, LocalDateTime, Pan, ProcessingCode, Shard, State, Text, Wall};
use settlement::clearing::{self, Endpoint, Movement};
use settlement::reconciliation::Code;
use settlement::record::{Error, SCHEMA, freeze_day, keep, last_kept, publish_day, reconcile_network};
use store::{Cluster, ClusterOptions, Database, LEDGER, PgStore, StoreOptions};
use tokio_postgres::{Client, NoTls};
use vault::{Sealer, Vault};

const NOW: Wall = Wall(1_795_300_000_000_000);

/// A folder that vanishes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new("/var/tmp").join(format!("switchyard-settlement-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A ledger with a writer, as an engine would drive it.
struct Bench {
    store: PgStore,
    fence: Fence,
    book: Book,
    next: u64,
    vault: Arc<dyn Sealer>,
    database: Database,
    // Last, so that the server ends before its folder does.
    folder: Scratch,
}

impl Bench {
    async fn new(name: &str) -> Self {
        let folder = Scratch::new(name);
        let options = ClusterOptions { unsafe_test: true, ..ClusterOptions::new(folder.0.join("cluster")) };
        let cluster = tokio::task::spawn_blocking(|| Cluster::start(options)).await.unwrap().unwrap();
        let database = Database::Private(cluster);
        database.prepare(&[LEDGER, SCHEMA]).await.unwrap();
        let options = StoreOptions { unsafe_test: true, ..StoreOptions::default() };
        let store = PgStore::connect(database.runtime(), options).await.unwrap();
        let (fence, snapshot) = store.open(Shard(0), NodeId(uuid::Uuid::from_u128(1))).await.unwrap();
        let book = Book::open(Shard(0), &snapshot);
        Self { store, fence, book, next: 1, vault: Arc::new(Vault::ephemeral().unwrap()), database, folder }
    }

    async fn client(&self) -> Client {
        connect(&self.database.runtime()).await
    }

    async fn commit(&mut self, command: Command) {
        let staged = self.book.stage(&self.fence, vec![(Seq(self.next), command)]);
        assert_eq!(staged.refused, []);
        self.store.commit(&self.fence, &staged.batch).await.unwrap();
        self.book.landed(staged);
        self.next += 1;
    }

    async fn open_day(&mut self, later: i32) {
        self.commit(Command { day_opened: Some(samples::day(later)), ..Command::at(NOW) }).await;
    }

    async fn close_day(&mut self, later: i32) {
        self.commit(Command { day_closed: Some(samples::day(later)), ..Command::at(NOW) }).await;
    }

    fn facts(&self, n: u32, kind: PaymentKind, minor: i64) -> Payment {
        let mut facts = samples::card(n, kind, samples::euro(minor));
        let pan = Pan::new(b"5413330089020011").unwrap();
        facts.card = Some(self.vault.card_ref(&pan, Expiry::new(b"2811").ok(), None).unwrap());
        if kind == PaymentKind::Refund {
            facts.processing_code = ProcessingCode::new(b"200000").ok();
        }
        facts
    }

    /// A payment from acceptance to capture.
    async fn captured(&mut self, n: u32, kind: PaymentKind, minor: i64, date: BusinessDate) -> (Payment, Standing) {
        let facts = self.facts(n, kind, minor);
        self.captured_as(n, facts, date).await
    }

    async fn captured_as(&mut self, n: u32, facts: Payment, date: BusinessDate) -> (Payment, Standing) {
        self.commit(samples::accept(facts.clone())).await;
        let before = samples::begins(State::Sent);
        let mut command = samples::captured(&facts, &before, Cause::Capture, facts.amount, date);
        if let Some(evidence) = &mut command.evidence {
            evidence.answer.network_id = Text::new(&network_id(n)).ok();
        }
        let standing = standing(&command);
        self.commit(command).await;
        (facts, standing)
    }

    /// Takes a presented capture back: the presentment is frozen, so a credit goes into clearing.
    async fn credited(&mut self, facts: &Payment, before: &Standing, date: BusinessDate) {
        let amount = samples::euro(before.captured);
        let standing =
            Standing { approved: 0, captured: 0, captures: before.captures + 1, ..samples::then(before, State::Reversed) };
        let (network, clearing) = (samples::NETWORK, Clearing::Presentment);
        let accounts = (&network, clearing);
        let merchant = (&samples::ACQUIRER, &samples::MERCHANT);
        let journal = postings::capture(facts.id, date, CaptureKind::Credit, Some(CaptureKind::Sale), accounts, merchant, amount);
        let capture = Capture {
            seq: 0,
            payment: facts.id,
            number: standing.captures,
            date,
            kind: CaptureKind::Credit,
            clearing,
            network,
            amount,
        };
        let change = samples::change(facts, Cause::ClearingCredit, standing);
        self.commit(Command { journals: vec![journal], capture: Some(capture), ..change }).await;
    }

    fn files(&self) -> PathBuf {
        self.folder.0.join("clearing")
    }

    async fn publish(&self, later: i32) -> Result<clearing::Published, Error> {
        let mut client = self.client().await;
        let vault = Arc::clone(&self.vault);
        publish_day(&mut client, &endpoint(), samples::day(later), self.files(), vault, NOW).await.map(|(published, _)| published)
    }

    async fn breaks(&self, report: &str) -> Vec<(Code, String)> {
        let mut client = self.client().await;
        let found = reconcile_network(&mut client, &self.files(), &samples::NETWORK, report.as_bytes()).await.unwrap();
        assert!(found.population.payments > 0 && found.population.presentments > 0);
        assert_eq!(found.proves(), found.breaks.is_empty());
        found.breaks.into_iter().map(|found| (found.code, found.rrn)).collect()
    }
}

async fn connect(config: &tokio_postgres::Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn standing(command: &Command) -> Standing {
    match &command.payment {
        Some(PaymentWrite::Change { standing, .. } | PaymentWrite::Open { standing, .. }) => *standing,
        None => panic!("no payment"),
    }
}

fn network_id(n: u32) -> String {
    format!("N{n:015}")
}

fn endpoint() -> Endpoint {
    toml::from_str("name='net1'\nnetwork='NET1'\nprocessor='12345'\nreference-bin='541234'\ncountry='DEU'").unwrap()
}

/// A line of the issuer's report for payment `n`.
fn line(n: u32, kind: &str, approved: i64, amount: i64) -> String {
    let (state, reversed) = if amount == 0 { ("reversed", ",\"reversal_date\":\"1121\"") } else { ("open", "") };
    format!(
        "{{\"rrn\":\"{n:012}\",\"network_id\":\"{}\",\"stan\":\"{:06}\",\"kind\":\"{kind}\",\"approved\":{approved},\
         \"amount\":{amount},\"currency\":\"EUR\",\"state\":\"{state}\",\"captured\":false,\"settlement_date\":\"1121\"{reversed}}}\n",
        network_id(n),
        n + 1
    )
}

fn report(lines: &[String]) -> String {
    format!(
        "{{\"report\":\"switchyard.issuer-items.1\",\"network\":\"NET1\"}}\n{}{{\"end\":true,\"items\":{},\"totals\":[]}}\n",
        lines.concat(),
        lines.len()
    )
}

#[tokio::test]
async fn a_day_goes_from_captures_to_one_file_and_the_three_books_agree() {
    let mut bench = Bench::new("day").await;
    bench.open_day(0).await;
    let (first, first_standing) = bench.captured(1, PaymentKind::Purchase, 1250, samples::day(0)).await;
    let (voided, before) = bench.captured(2, PaymentKind::Purchase, 900, samples::day(0)).await;
    let command = samples::reversed_by_acquirer(&voided, &before, 1, samples::day(0));
    let reversing = standing(&command);
    bench.commit(command).await;
    bench.commit(samples::acknowledged(&voided, &reversing, 1)).await;
    bench.captured(3, PaymentKind::Refund, 300, samples::day(0)).await;
    let waiting = bench.facts(4, PaymentKind::Authorization, 777);
    bench.commit(samples::accept(waiting.clone())).await;
    bench.commit(samples::approved(&waiting, &samples::begins(State::Sent))).await;
    let silent = bench.facts(5, PaymentKind::Purchase, 40);
    bench.commit(samples::accept(silent.clone())).await;
    let command = samples::timed_out(&silent, &samples::begins(State::Sent), 1);
    let owed = standing(&command);
    bench.commit(command).await;
    bench.commit(samples::acknowledged(&silent, &owed, 1)).await;

    // The day is open, then cut but not closed: no file yet.
    assert_eq!(bench.publish(0).await.unwrap_err(), Error::NotClosed(samples::day(0)));
    bench.open_day(1).await;
    assert_eq!(bench.publish(0).await.unwrap_err(), Error::NotClosed(samples::day(0)));
    bench.captured(6, PaymentKind::Purchase, 55, samples::day(1)).await;
    bench.close_day(0).await;

    // Frozen once, whoever asks, at whatever time; the settings of the first time stand.
    let mut client = bench.client().await;
    let frozen = freeze_day(&mut client, &endpoint(), samples::day(0), Arc::clone(&bench.vault), NOW).await.unwrap();
    let mut other = endpoint();
    (other.charset, other.country) = (clearing::CharsetSetting::Cp500, Text::literal("FRA"));
    let mut another = bench.client().await;
    let (same, later) = (endpoint(), Wall(NOW.0 + 1));
    let (again, too) = tokio::join!(
        freeze_day(&mut client, &other, samples::day(0), Arc::clone(&bench.vault), later),
        freeze_day(&mut another, &same, samples::day(0), Arc::clone(&bench.vault), later)
    );
    assert_eq!((&again.unwrap(), &too.unwrap()), (&frozen, &frozen));
    let items: Vec<_> = frozen.frozen.items.iter().map(|item| (item.capture.item.payment, item.movement)).collect();
    assert_eq!(items, [(samples::id(1), Movement::Sale), (samples::id(3), Movement::Refund)]);
    assert_eq!(frozen.ledger.get(&Currency::EUR), Some(&950));

    let published = bench.publish(0).await.unwrap();
    assert!(!published.found);
    assert_eq!((published.manifest.sequence, published.manifest.presentments), (1, 2));
    let bytes = std::fs::read(&published.data).unwrap();
    assert!(bench.publish(0).await.unwrap().found);

    // The directory is lost before anybody fetched it: the same bytes come again.
    std::fs::remove_dir_all(bench.files()).unwrap();
    assert_eq!(std::fs::read(bench.publish(0).await.unwrap().data).unwrap(), bytes);

    let lines = [
        line(1, "authorization", 1250, 1250),
        line(2, "authorization", 900, 0),
        line(3, "refund", 300, 300),
        line(4, "authorization", 777, 777),
        line(5, "authorization", 40, 0),
        line(6, "authorization", 55, 55),
    ];
    assert_eq!(bench.breaks(&report(&lines)).await, []);
    let mut planted = lines.clone();
    planted[0] = line(1, "authorization", 1251, 1251);
    assert_eq!(bench.breaks(&report(&planted)).await, [(Code::Amount, "000000000001".to_owned())]);

    // The next day: what was captured then, and a reversal that came after the freeze.
    bench.credited(&first, &first_standing, samples::day(1)).await;
    bench.open_day(2).await;
    bench.close_day(1).await;
    let next = bench.publish(1).await.unwrap();
    assert_eq!((next.manifest.sequence, next.manifest.presentments), (1, 2));
    let (rows, _) = clearing::read_rows(std::fs::File::open(&next.data).unwrap(), endpoint().format()).unwrap();
    assert_eq!((rows[1].movement, rows[1].ard), (Movement::SaleReversal, frozen.frozen.items[0].ard));
    assert_eq!(bench.breaks(&report(&lines)).await, []);

    // A file that was changed after it was published is not reconciled with.
    let mut damaged = std::fs::read(&next.data).unwrap();
    damaged[200] ^= 1;
    std::fs::write(&next.data, damaged).unwrap();
    let refused = reconcile_network(&mut client, &bench.files(), &samples::NETWORK, report(&lines).as_bytes()).await;
    assert!(matches!(refused, Err(Error::Clearing(clearing::Error::Damaged(_)))));
}

#[tokio::test]
async fn a_payment_that_cannot_be_presented_is_set_aside_and_does_not_hold_up_its_day() {
    let mut bench = Bench::new("aside").await;
    bench.open_day(0).await;
    bench.captured(1, PaymentKind::Purchase, 1250, samples::day(0)).await;
    // DE13 = 0229 in a year that has none.
    let mut facts = bench.facts(2, PaymentKind::Purchase, 900);
    facts.head.as_mut().unwrap().local = LocalDateTime::parse(b"101500", b"0229").unwrap();
    bench.captured_as(2, facts, samples::day(0)).await;
    // An account number that no file can carry, and a card that nobody can open.
    let mut facts = bench.facts(3, PaymentKind::Purchase, 400);
    facts.card = Some(bench.vault.card_ref(&Pan::new(b"5413330089020012").unwrap(), None, None).unwrap());
    let (third, third_standing) = bench.captured_as(3, facts, samples::day(0)).await;
    let mut facts = bench.facts(4, PaymentKind::Refund, 30);
    facts.card.as_mut().unwrap().sealed[20] ^= 1;
    bench.captured_as(4, facts, samples::day(0)).await;
    bench.open_day(1).await;
    bench.close_day(0).await;

    let mut client = bench.client().await;
    let vault = Arc::clone(&bench.vault);
    let run = publish_day(&mut client, &endpoint(), samples::day(0), bench.files(), vault, NOW).await;
    let (published, aside) = run.unwrap();
    let manifest = &published.manifest;
    assert_eq!((manifest.presentments, manifest.set_aside_count(), manifest.notes[0].count), (2, 2, 1));
    assert_eq!(manifest.sent().unwrap()[0].sales.minor(), 1250 + 900);
    let reasons: Vec<_> = aside.iter().map(|aside| (aside.payment, aside.amount.minor(), aside.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (samples::id(3), 400, "DE2: the check digit of the account number is wrong"),
            (samples::id(4), 30, "the card cannot be opened: sealed card is not authentic"),
        ]
    );
    // A rerun finds file and reasons; a lost directory is filled with the same bytes.
    let bytes = std::fs::read(&published.data).unwrap();
    std::fs::remove_dir_all(bench.files()).unwrap();
    let vault = Arc::clone(&bench.vault);
    let again = publish_day(&mut client, &endpoint(), samples::day(0), bench.files(), vault, NOW).await.unwrap();
    assert_eq!((std::fs::read(&again.0.data).unwrap(), again.1), (bytes, aside));

    // They are breaks, each with its reason, until somebody settles them.
    let lines = [
        line(1, "authorization", 1250, 1250),
        line(2, "authorization", 900, 900),
        line(3, "authorization", 400, 400),
        line(4, "refund", 30, 30),
    ];
    let expected = [(Code::SetAside, "000000000003".to_owned()), (Code::SetAside, "000000000004".to_owned())];
    assert_eq!(bench.breaks(&report(&lines)).await, expected);
    let found = reconcile_network(&mut client, &bench.files(), &samples::NETWORK, report(&lines).as_bytes()).await.unwrap();
    assert!(found.breaks[0].other.1.contains("check digit"), "{}", found.breaks[0]);
    assert_eq!(last_kept(&client, &samples::NETWORK).await.unwrap(), None);
    keep(&client, &samples::NETWORK, &found, NOW).await.unwrap();
    let kept = last_kept(&client, &samples::NETWORK).await.unwrap().unwrap();
    assert_eq!((kept.number, kept.proves, kept.through), (1, false, samples::day(0)));
    assert_eq!(kept.breaks, found.breaks);

    // The next day proves against the ledger, and a credit of what was set aside is set aside too.
    bench.credited(&third, &third_standing, samples::day(1)).await;
    bench.captured(5, PaymentKind::Purchase, 55, samples::day(1)).await;
    bench.open_day(2).await;
    bench.close_day(1).await;
    let next = bench.publish(1).await.unwrap().manifest;
    assert_eq!((next.presentments, next.set_aside_count()), (1, 1));
    let lines: Vec<_> = lines.into_iter().chain([line(5, "authorization", 55, 55)]).collect();
    assert_eq!(bench.breaks(&report(&lines)).await, [(Code::SetAside, "000000000004".to_owned())]);
}

#[tokio::test]
async fn a_capture_without_its_journal_is_never_published_and_days_go_in_order() {
    let mut bench = Bench::new("forged").await;
    bench.open_day(0).await;
    bench.captured(1, PaymentKind::Purchase, 1250, samples::day(0)).await;
    bench.open_day(1).await;
    bench.close_day(0).await;
    bench.captured(2, PaymentKind::Purchase, 100, samples::day(1)).await;
    bench.open_day(2).await;
    bench.close_day(1).await;
    assert_eq!(bench.publish(1).await.unwrap_err(), Error::EarlierDay(samples::day(0)));

    // Somebody with the rights of the owner adds an item that no journal stands behind.
    let admin = connect(&bench.database.admin()).await;
    let forged = "insert into ledger.capture
        select shard, 99, payment, 2, date, kind, clearing, network, 7, currency, block, idx from ledger.capture where seq = 1";
    admin.execute(forged, &[]).await.unwrap();
    let refused = bench.publish(0).await.unwrap_err();
    let expected = clearing::Error::Ledger { currency: Currency::EUR, file: 1257, ledger: 1250 };
    assert_eq!(refused, Error::Clearing(expected));
    assert!(!bench.files().join(format!("net1-{}-00001.json", samples::day(0))).exists());

    // The running switch can neither take an item out of a file nor give a number again.
    let client = bench.client().await;
    for statement in [
        "delete from settlement.clearing_item",
        "delete from settlement.clearing_file",
        "delete from settlement.set_aside",
        "update settlement.reconciliation set proves = true",
        "update settlement.clearing_item set amount = 1",
    ] {
        let error: Error = client.execute(statement, &[]).await.unwrap_err().into();
        assert!(matches!(&error, Error::Statement(text) if text.contains("permission denied")), "{error}");
    }
}
