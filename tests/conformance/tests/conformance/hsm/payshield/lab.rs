//! A simulated HSM and a client that is connected to it, for as long as the tests run.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crypto::{AesKey, TdesKey, kcv};
use hsm::payshield::{HostSettings, KeyEntry, KeyTable, PayShield, Role, Wrapped};
use hsm::{HsmError, Kcv, KeyName};
use payments::Pan;
use simulators::hsm::lmk::{self, KeyType, Lmk};
use simulators::hsm::{HsmOptions, serve_device};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::super::case::{Case, Trouble};

pub(super) static LAB: LazyLock<Lab> = LazyLock::new(Lab::start);

pub(super) struct Lab {
    runtime: Runtime,
    client: PayShield,
    /// What the simulator fills PIN blocks with next.
    fill: Arc<Mutex<VecDeque<u8>>>,
    /// One case at a time: its keys and its fill are its own.
    turn: Mutex<()>,
}

/// Every decimalisation table of the cases, as an operator would allow them.
const TABLES: &str = "../vectors/hsm/vectors.json";

impl Lab {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let fill = Arc::new(Mutex::new(VecDeque::new()));
        let scripted = fill.clone();
        let mut rng = (0u8..=255).cycle();
        let random = move |room: &mut [u8]| {
            let mut scripted = lock(&scripted);
            room.iter_mut().for_each(|byte| *byte = scripted.pop_front().or_else(|| rng.next()).unwrap_or_default());
        };
        let (told, address) = oneshot::channel();
        runtime.spawn(async move {
            let tell = |address| told.send(address).expect("the lab waits");
            // Cases have tables that boxes take only when their check is off.
            let options = HsmOptions { reorder: true, check_tables: false, ..HsmOptions::default() };
            serve_device(options, random, tell, std::future::pending()).await
        });
        let client = runtime.block_on(async {
            let address = address.await.expect("the simulator listens");
            let settings = HostSettings {
                hsms: vec![address.to_string()],
                deadline_ms: 30_000,
                admin_deadline_ms: 30_000,
                decimalisation_tables: tables(),
                ..HostSettings::default()
            };
            let client = PayShield::start(settings, KeyTable::default());
            client.ready().await.expect("the simulator answers");
            client
        });
        Self { runtime, client, fill, turn: Mutex::new(()) }
    }

    /// The place for one case.
    pub(super) fn bench(&self) -> Bench<'_> {
        let turn = lock(&self.turn);
        lock(&self.fill).clear();
        Bench { lab: self, names: Mutex::default(), _turn: turn }
    }
}

fn tables() -> Vec<String> {
    let carried = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLES);
    let files = [super::super::read(&carried), super::super::read(&conformance::vectors("hsm").join("vectors.json"))];
    let all = files.iter().flat_map(|file| file["vectors"].as_array().into_iter().flatten());
    let mut tables: Vec<String> =
        all.filter_map(|case| case["inputs"]["decimalization_table"].as_str()).map(str::to_owned).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// One case's keys and client; the keys are gone from the table with it.
pub(super) struct Bench<'a> {
    lab: &'a Lab,
    names: Mutex<Vec<KeyName>>,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        for name in lock(&self.names).drain(..) {
            self.lab.client.remove_key(&name).expect("it was put in");
        }
    }
}

impl Bench<'_> {
    pub(super) fn client(&self) -> &PayShield {
        &self.lab.client
    }

    /// Waits for an operation.
    pub(super) fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        self.lab.runtime.block_on(operation)
    }

    /// What the simulator fills blocks with.
    pub(super) fn script(&self, bytes: &[u8]) {
        lock(&self.lab.fill).extend(bytes);
    }

    /// A free name, whose key is taken out at the end.
    pub(super) fn name(&self) -> KeyName {
        let mut names = lock(&self.names);
        let name = KeyName::new(&format!("case-{}", names.len()), 1).expect("a name");
        names.push(name);
        name
    }

    /// Gives back a name whose key did not get into the table.
    pub(super) fn forget(&self, name: KeyName) {
        lock(&self.names).retain(|kept| *kept != name);
    }

    /// A DES or TDES key of a case in the table, with the parity that boxes want: it does not enter the
    /// cipher. The HSM confirms its check value.
    pub(super) fn put(&self, role: Role, clear: &[u8]) -> Result<KeyName, Trouble> {
        let (wrapped, check_value) = wrapped(role, clear)?;
        self.put_wrapped(role, wrapped, check_value)
    }

    /// An AES key of a case in the table, in a key block.
    pub(super) fn put_aes(&self, role: Role, usage: &str, clear: &[u8]) -> Result<KeyName, Trouble> {
        let key = AesKey::from_bytes(clear)?;
        let [a, b, c, ..] = kcv::aes_cmac(&key);
        let block = lmk::key_block(usage, 'A', clear).ok_or_else(unreadable)?;
        self.put_wrapped(role, Wrapped::parse(&block).map_err(super::refused)?, Kcv([a, b, c]))
    }

    fn put_wrapped(&self, role: Role, wrapped: Wrapped, check_value: Kcv) -> Result<KeyName, Trouble> {
        let name = self.name();
        let entry = KeyEntry { role, wrapped, check_value };
        let added = self.wait(self.client().add_key(&name, entry));
        added.map(|()| name).map_err(|error: HsmError| {
            self.forget(name);
            super::refused(error)
        })
    }
}

fn unreadable() -> Trouble {
    Trouble::Unreadable("its key fits no host command".to_owned())
}

/// A key of a case under the test master keys, and its check value.
pub(super) fn wrapped(role: Role, clear: &[u8]) -> Result<(Wrapped, Kcv), Trouble> {
    let (odd, check_value) = match clear.len() {
        8 => {
            let key = TdesKey::single(clear)?.with_odd_parity();
            (key.reveal().get(..8).unwrap_or_default().to_vec(), kcv::tdes(&key))
        }
        _ => {
            let key = TdesKey::unchecked(clear)?.with_odd_parity();
            (key.reveal().to_vec(), kcv::tdes(&key))
        }
    };
    let text = Lmk::Test.cryptogram(key_type(role), &odd).ok_or_else(unreadable)?;
    Ok((Wrapped::parse(&text).map_err(super::refused)?, Kcv(check_value)))
}

/// The type of a role in the simulator's words.
pub(super) fn key_type(role: Role) -> KeyType {
    match role {
        Role::Zmk => KeyType::ZMK,
        Role::Zpk => KeyType::ZPK,
        Role::Tpk | Role::Pvk => KeyType::TPK,
        Role::Cvk => KeyType::CVK,
        Role::Tak => KeyType::TAK,
        Role::Zak => KeyType::ZAK,
        Role::Bdk => KeyType::BDK,
        Role::MkAc => KeyType::MK_AC,
        Role::Zek => KeyType::ZEK,
        _ => KeyType::DEK,
    }
}

/// The PAN of a case.
pub(super) fn pan(case: &Case<'_>) -> Result<Pan, Trouble> {
    Pan::new(case.pan()?).map_err(|_| crypto::CryptoError::Pan.into())
}

/// Terminals' keys for every other case, zones' for the rest.
pub(super) fn alternately<T>(case: &Case<'_>, terminal: T, zone: T) -> T {
    let last = case.name().bytes().last().unwrap_or_default();
    if last.is_multiple_of(2) { terminal } else { zone }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
