//! Data keys in PostgreSQL and in a file: made once, found again, useless without their HSM.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::path::PathBuf;

use hsm::{Hsm, HsmError, KeyName, KeyRole, PoolSettings, software};
use payments::{CardSequence, Expiry, Pan};
use store::{Cluster, ClusterOptions};
use tokio_postgres::{Client, NoTls};
use vault::{Reason, Sealer, Storage, Vault, VaultError, storage};

fn kek() -> KeyName {
    "kek-cards".parse().unwrap()
}

async fn hsm() -> Hsm {
    let hsm = software::open(PoolSettings::default()).await.unwrap();
    hsm.generate_key(&kek(), KeyRole::Kek).await.unwrap();
    hsm
}

fn pan() -> Pan {
    Pan::new(b"5413330089020011").unwrap()
}

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("vault-{name}-{}", std::process::id()))
}

/// What must hold of a vault wherever its keys are.
async fn comes_back<F: AsyncFnMut(&Hsm, &KeyName) -> Result<Vault, VaultError>>(mut open: F) {
    let hsm = hsm().await;
    let first = open(&hsm, &kek()).await.unwrap();
    let (expiry, sequence) = (Some(Expiry::new(b"2512").unwrap()), Some(CardSequence::new(7).unwrap()));
    let card = first.card_ref(&pan(), expiry, sequence).unwrap();

    // A second opening, as after a restart, has the same keys.
    let second = open(&hsm, &kek()).await.unwrap();
    let opened = second.unseal(&card.sealed, Reason::Reversal).unwrap();
    assert_eq!((opened.pan, opened.expiry, opened.sequence), (pan(), expiry, sequence));
    assert_eq!(second.token(&pan()), card.token);

    // With the HSM gone, what is open goes on: reversals need no HSM.
    let missing = KeyName::new("kek-missing", 1).unwrap();
    hsm.close().await;
    assert!(second.unseal(&card.sealed, Reason::Reversal).is_ok());
    assert!(second.seal(&pan(), None, None).is_ok());
    assert!(matches!(open(&hsm, &missing).await, Err(VaultError::Hsm(HsmError::Closed))));

    // Another HSM with a key of the same name opens nothing.
    let other = self::hsm().await;
    assert!(matches!(open(&other, &kek()).await, Err(VaultError::Hsm(HsmError::NotAuthentic))));
}

#[tokio::test]
async fn a_vault_in_a_file_comes_back() {
    let root = place("file");
    std::fs::create_dir_all(&root).unwrap();
    let path = root.join("data-keys.json");
    comes_back(async |hsm, kek| Vault::open_or_create(hsm, kek, &mut Storage::File(path.clone())).await).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"purpose\": \"card\"") && text.contains("kek-cards.1"), "{text}");
    std::fs::write(&path, "{").unwrap();
    let broken = Vault::open_or_create(&hsm().await, &kek(), &mut Storage::File(path)).await;
    assert!(matches!(broken, Err(VaultError::File { .. })), "never made anew over a broken one: {broken:?}");
    std::fs::remove_dir_all(&root).unwrap();
}

async fn connect(cluster: &Cluster) -> Client {
    let (client, connection) = cluster.admin_config("postgres").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_vault_in_postgresql_comes_back() {
    let root = place("postgres");
    let options = ClusterOptions { unsafe_test: true, ..ClusterOptions::new(root.clone()) };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options)).await.unwrap().unwrap();
    let mut client = connect(&cluster).await;
    let mut fresh = connect(&cluster).await;
    comes_back(async |hsm, kek| Vault::open_or_create(hsm, kek, &mut Storage::Postgres(&mut client)).await).await;
    let rows = client.query("select purpose, active, kek from vault.data_key order by id", &[]).await.unwrap();
    let purposes: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(purposes, ["card", "fingerprint"]);

    // Nobody changes or removes a data key by mistake.
    for statement in [
        "delete from vault.data_key",
        "truncate vault.data_key",
        "update vault.data_key set id = 9 where id = 1",
        "update vault.data_key set purpose = 'card' where purpose = 'fingerprint'",
        "insert into vault.data_key (purpose, kek, wrapped, active) select purpose, kek, wrapped, true from vault.data_key",
    ] {
        assert!(client.batch_execute(statement).await.is_err(), "{statement}");
    }

    // Two that begin at the same time on an empty database have the same keys.
    client.batch_execute("drop schema vault cascade").await.unwrap();
    let hsm = hsm().await;
    let (mut one, mut two) = (Storage::Postgres(&mut client), Storage::Postgres(&mut fresh));
    let key = kek();
    let (one, two) = tokio::join!(Vault::open_or_create(&hsm, &key, &mut one), Vault::open_or_create(&hsm, &key, &mut two));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.token(&pan()), two.token(&pan()));
    assert!(two.unseal(&one.seal(&pan(), None, None).unwrap(), Reason::Recovery).is_ok());
    storage::migrate(&mut client).await.unwrap();

    drop((client, fresh));
    let used = cluster.data_dir().to_owned();
    tokio::task::spawn_blocking(|| cluster.stop()).await.unwrap();
    std::fs::remove_dir_all(used).unwrap();
}
