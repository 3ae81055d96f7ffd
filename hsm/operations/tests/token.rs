//! The operations on a real SoftHSM token and on the software backend: one suite over both, then what
//! only a token can show. SoftHSM reads its configuration when it is loaded, so every test runs in a
//! process of its own, started with the environment of its own token directory.
#![allow(clippy::unwrap_used)] // helpers of tests

mod operations;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crypto::mac::{Padding as Filled, retail_mac};
use crypto::pin::{self, Format as Laid, Pin, format0_encode};
use crypto::{TdesKey, dukpt};
use hsm::pkcs11::softhsm::{TokenDirectory, initialize};
use hsm::pkcs11::{self, Settings};
use hsm::{
    ClearKey, Format, Hsm, HsmError, KeyName, KeyRole, Ksn, MacDirection, MacMethod, MacSource, PinSource, PinTarget,
    PoolSettings, TokenProblem, WrappedDataKey, software,
};
use payments::{Pan, PinBlock};

const TPK: &str = "23CE07EA8A0D94D6FB37106E2A5EE0C8";
const ZPK: &str = "57793480E5BCF1EFA21F4F2FCD325DDF";
const TAK: &str = "0123456789ABCDEFFEDCBA9876543210";
const BDK: &str = "0123456789ABCDEFFEDCBA9876543210";
const PAN: &[u8] = b"5141509087308440";

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn clear(role: KeyRole, text: &str) -> ClearKey {
    ClearKey::from_hex(role, text).unwrap()
}

fn tdes(text: &str) -> TdesKey {
    TdesKey::from_hex(text).unwrap()
}

fn pan() -> Pan {
    Pan::new(PAN).unwrap()
}

fn block(raw: &[u8]) -> PinBlock {
    PinBlock::new(raw).unwrap()
}

/// Runs `body` in a process of its own, with a token made for it.
fn with_token<F: Future<Output = ()>>(test: &str, body: impl FnOnce(TokenDirectory, Settings) -> F) {
    const INSIDE: &str = "SWITCHYARD_TEST_TOKEN";
    if let Some(root) = std::env::var_os(INSIDE) {
        let directory = TokenDirectory::prepare(&PathBuf::from(root)).unwrap();
        assert!(directory.is_active());
        let settings = Settings::with_pin_file(directory.user_pin_file());
        initialize(&settings, &directory.so_pin_file()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(body(directory, settings));
        pkcs11::finalize();
        return;
    }
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("token-{test}-{}", std::process::id()));
    let directory = TokenDirectory::prepare(&root).unwrap();
    let (variable, value) = directory.environment();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env(variable, value)
        .env(INSIDE, &root)
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    print!("{said}");
    std::fs::remove_dir_all(&root).unwrap();
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("1 passed"), "the test ran inside: {said}");
}

/// Closes every session of this process behind the back of the backend, which also ends its login: the
/// same library is loaded once more, so they are the same sessions.
#[allow(unsafe_code)]
fn close_all_sessions(module: &std::path::Path) {
    let library = cryptoki::context::Pkcs11::new(module).unwrap();
    for slot in library.get_slots_with_initialized_token().unwrap() {
        let mut list: *mut cryptoki_sys::CK_FUNCTION_LIST = std::ptr::null_mut();
        // SAFETY: the library is loaded and initialised; it fills in a pointer to its own table, and the
        // call takes a number only.
        let closed = unsafe {
            let raw = cryptoki_sys::Pkcs11::new(module).unwrap();
            assert_eq!(raw.C_GetFunctionList(&mut list), cryptoki_sys::CKR_OK);
            ((*list).C_CloseAllSessions.unwrap())(slot.id())
        };
        assert_eq!(closed, cryptoki_sys::CKR_OK);
    }
}

/// The common keys.
async fn import_all(hsm: &Hsm) {
    for (id, role, value) in
        [("tpk-1", KeyRole::Tpk, TPK), ("zpk-1", KeyRole::Zpk, ZPK), ("tak-1", KeyRole::Tak, TAK), ("bdk-1", KeyRole::Bdk, BDK)]
    {
        let key = clear(role, value);
        let info = hsm.import_key(&name(id), &key).await.unwrap();
        assert_eq!((info.role, info.kcv), (role, key.kcv()));
    }
}

/// What every backend must do alike.
async fn suite(hsm: &Hsm) {
    import_all(hsm).await;
    let to_network = PinTarget::format0(name("zpk-1"));

    // PIN translation, static: as the pure functions, for PINs of every length.
    for digits in ["1234", "84002", "99999999", "602453064882"] {
        let inside = format0_encode(&Pin::new(digits.as_bytes()).unwrap(), PAN).unwrap();
        let sealed = inside.encrypt(&tdes(TPK));
        let out = hsm.translate_pin(&PinSource::format0(name("tpk-1")), &to_network, &pan(), &block(&sealed)).await.unwrap();
        let expected = pin::translate(&tdes(TPK), Laid::Iso0, &tdes(ZPK), Laid::Iso0, PAN, &sealed).unwrap();
        assert_eq!(out.reveal(), expected);
        assert_eq!(out.reveal(), inside.encrypt(&tdes(ZPK)));
    }

    // PIN translation, DUKPT: the first block of X9.24-1:2009 A.4.2.
    let ksn = Ksn::new(&hex::decode("FFFF9876543210E00001").unwrap()).unwrap();
    let source = PinSource::Dukpt { bdk: name("bdk-1"), ksn, format: Format::Iso0 };
    let published = Pan::new(b"4012345678909").unwrap();
    let sealed = hex::decode("1B9C1845EB993A7A").unwrap();
    let out = hsm.translate_pin(&source, &to_network, &published, &block(&sealed)).await.unwrap();
    assert_eq!(out.reveal(), format0_encode(&Pin::new(b"1234").unwrap(), published.reveal()).unwrap().encrypt(&tdes(ZPK)));

    // Every defect of a block is one error: a letter in the PIN, a wrong fill, another key, another
    // PAN, a block of format 4's size.
    for sealed in ["67D9659184FC8733", "1DF2F0ECE6AE5696", "E86C6852D8D3454A", "00000000000000000000000000000000"] {
        let refused = hsm
            .translate_pin(&PinSource::format0(name("tpk-1")), &to_network, &pan(), &block(&hex::decode(sealed).unwrap()))
            .await;
        assert_eq!(refused, Err(HsmError::PinBlock));
    }
    let short = Pan::new(b"123456789012").unwrap();
    let refused = hsm.translate_pin(&PinSource::format0(name("tpk-1")), &to_network, &short, &block(&[1; 8])).await;
    assert_eq!(refused, Err(HsmError::Pan));

    // MACs: as the pure function for every length around the block, both paddings.
    for length in (0..=33).chain([64, 1024, 65_536]) {
        let data: Vec<u8> = (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        for padding in [Filled::Zeros, Filled::OneThenZeros] {
            let source = MacSource::Static { key: name("tak-1"), method: MacMethod::Retail(padding.into()) };
            let made = hsm.generate_mac(source, &data).await.unwrap();
            assert_eq!(made, retail_mac(&tdes(TAK), &data, padding), "{length} bytes");
            assert!(hsm.verify_mac(source, &data, &made).await.unwrap());
            assert!(hsm.verify_mac(source, &data, &made[..4]).await.unwrap());
        }
    }
    let mac = hsm.generate_mac(name("tak-1"), b"a message").await.unwrap();
    for at in 0..8 {
        let mut forged = mac;
        forged[at] ^= 1;
        assert!(!hsm.verify_mac(name("tak-1"), b"a message", &forged).await.unwrap());
    }
    for wrong in [&mac[..3], &[], &[0; 9], &[mac, mac].concat()] {
        assert!(!hsm.verify_mac(name("tak-1"), b"a message", wrong).await.unwrap());
    }
    assert_eq!(hsm.generate_mac(name("tak-1"), &vec![0; 65_537]).await, Err(HsmError::TooLong));
    let dukpt_mac = MacSource::Dukpt { bdk: name("bdk-1"), ksn, direction: MacDirection::Response, method: MacMethod::default() };
    let made = hsm.generate_mac(dukpt_mac, b"4012345678909D987").await.unwrap();
    assert_eq!(hex::encode_upper(&made[..4]), "20364223");
    assert_eq!(dukpt::initial_key(&tdes(BDK), &ksn).unwrap().len(), 16);

    // One key, one role.
    let wrong = |key: &str, role| HsmError::WrongRole { key: name(key), role };
    let to_terminal = PinTarget::format0(name("tpk-1"));
    let as_target = hsm.translate_pin(&PinSource::format0(name("tpk-1")), &to_terminal, &pan(), &block(&[1; 8])).await;
    assert_eq!(as_target, Err(wrong("tpk-1", KeyRole::Tpk)));
    let as_source = hsm.translate_pin(&PinSource::format0(name("tak-1")), &to_network, &pan(), &block(&[1; 8])).await;
    assert_eq!(as_source, Err(wrong("tak-1", KeyRole::Tak)));
    assert_eq!(hsm.generate_mac(name("zpk-1"), b"").await, Err(wrong("zpk-1", KeyRole::Zpk)));
    assert_eq!(hsm.generate_data_key(&name("bdk-1"), "x").await, Err(wrong("bdk-1", KeyRole::Bdk)));
    assert_eq!(hsm.generate_mac(name("tak-2"), b"").await, Err(HsmError::UnknownKey(name("tak-2"))));

    // Data keys come back only whole, for their purpose and under their key.
    let kek = name("kek-1");
    hsm.generate_key(&kek, KeyRole::Kek).await.unwrap();
    hsm.generate_key(&name("kek-2"), KeyRole::Kek).await.unwrap();
    let (key, wrapped) = hsm.generate_data_key(&kek, "cards").await.unwrap();
    let (other, _) = hsm.generate_data_key(&kek, "cards").await.unwrap();
    assert_ne!(key, other);
    assert!(!wrapped.0.windows(8).any(|window| key.reveal().windows(8).any(|clear| clear == window)));
    assert_eq!(hsm.unwrap_data_key(&kek, "cards", &wrapped).await.unwrap(), key);
    assert_eq!(hsm.unwrap_data_key(&kek, "tokens", &wrapped).await, Err(HsmError::NotAuthentic));
    assert_eq!(hsm.unwrap_data_key(&name("kek-2"), "cards", &wrapped).await, Err(HsmError::NotAuthentic));
    for at in 0..wrapped.0.len() {
        let mut changed = wrapped.clone();
        changed.0[at] ^= 0x10;
        assert_eq!(hsm.unwrap_data_key(&kek, "cards", &changed).await, Err(HsmError::NotAuthentic), "byte {at}");
    }
    for cut in [0, 1, 12, 13, 28, 29, wrapped.0.len() - 1] {
        let short = WrappedDataKey(wrapped.0[..cut].to_vec());
        assert_eq!(hsm.unwrap_data_key(&kek, "cards", &short).await, Err(HsmError::NotAuthentic), "{cut} bytes");
    }

    // AES material comes in by the same door; its check value is the one of zeros.
    let material = clear(KeyRole::Kek, "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4");
    assert_eq!(hsm.import_key(&name("kek-3"), &material).await.unwrap().kcv, material.kcv());
    let (key, wrapped) = hsm.generate_data_key(&name("kek-3"), "cards").await.unwrap();
    assert_eq!(hsm.unwrap_data_key(&name("kek-3"), "cards", &wrapped).await.unwrap(), key);

    // Keys: made ones work, names are taken once, destroyed ones are gone at once.
    let made = hsm.generate_key(&name("zak-1.2"), KeyRole::Zak).await.unwrap();
    assert_eq!(hsm.key(&name("zak-1.2")).await.unwrap(), made);
    assert_ne!(made.kcv.0, [0; 3]);
    let mac = hsm.generate_mac(name("zak-1.2"), b"made inside").await.unwrap();
    assert!(hsm.verify_mac(name("zak-1.2"), b"made inside", &mac).await.unwrap());
    assert_eq!(hsm.import_key(&name("tpk-1"), &clear(KeyRole::Tpk, ZPK)).await, Err(HsmError::KeyExists(name("tpk-1"))));
    assert_eq!(hsm.generate_key(&name("tpk-1"), KeyRole::Zpk).await, Err(HsmError::KeyExists(name("tpk-1"))));
    let names: Vec<String> = hsm.list_keys().await.unwrap().iter().map(|key| key.name.to_string()).collect();
    assert_eq!(names, ["bdk-1.1", "kek-1.1", "kek-2.1", "kek-3.1", "tak-1.1", "tpk-1.1", "zak-1.2", "zpk-1.1"]);
    hsm.destroy_key(&name("zak-1.2")).await.unwrap();
    assert_eq!(hsm.generate_mac(name("zak-1.2"), b"").await, Err(HsmError::UnknownKey(name("zak-1.2"))));
    assert_eq!(hsm.destroy_key(&name("zak-1.2")).await, Err(HsmError::UnknownKey(name("zak-1.2"))));
    // The name is free again, and means the new key.
    hsm.import_key(&name("zak-1.2"), &clear(KeyRole::Zak, TAK)).await.unwrap();
    assert_eq!(hsm.generate_mac(name("zak-1.2"), b"x").await.unwrap(), retail_mac(&tdes(TAK), b"x", Filled::Zeros));

    operations::suite(hsm).await;

    assert_eq!(hsm.ping().await, Ok(()));
    assert_eq!(hsm.random(24).await.unwrap().len(), 24);
    assert_ne!(hsm.random(24).await.unwrap(), hsm.random(24).await.unwrap());
    assert_eq!(hsm.random(1_025).await, Err(HsmError::TooLong));

    hsm.close().await;
    assert_eq!(hsm.random(8).await, Err(HsmError::Closed));
}

#[tokio::test]
async fn the_software_backend_passes_the_suite() {
    suite(&software::open(PoolSettings::default()).await.unwrap()).await;
    suite(&software::open(PoolSettings { workers: 3, ..PoolSettings::default() }).await.unwrap()).await;
}

#[test]
fn softhsm_passes_the_suite() {
    with_token("softhsm_passes_the_suite", |_, settings| async { suite(&pkcs11::open(settings).await.unwrap()).await });
}

#[test]
fn softhsm_passes_the_suite_with_several_workers() {
    with_token("softhsm_passes_the_suite_with_several_workers", |_, mut settings| async {
        settings.pool.workers = 3;
        suite(&pkcs11::open(settings).await.unwrap()).await;
    });
}

#[test]
fn softhsm_passes_the_suite_without_session_copies() {
    with_token("softhsm_passes_the_suite_without_session_copies", |_, mut settings| async {
        settings.session_copies = false;
        suite(&pkcs11::open(settings).await.unwrap()).await;
    });
}

#[test]
fn a_lost_session_is_recovered_and_nobody_notices() {
    with_token("a_lost_session_is_recovered_and_nobody_notices", |_, settings| async {
        let module = settings.module.clone();
        let hsm = pkcs11::open(settings).await.unwrap();
        import_all(&hsm).await;
        let expected = retail_mac(&tdes(TAK), b"data", Filled::Zeros);
        assert_eq!(hsm.generate_mac(name("tak-1"), b"data").await.unwrap(), expected);
        for round in 0..5 {
            close_all_sessions(&module);
            assert_eq!(hsm.generate_mac(name("tak-1"), b"data").await.unwrap(), expected, "round {round}");
            assert_eq!(hsm.list_keys().await.unwrap().len(), 4);
        }
        hsm.close().await;
    });
}

#[test]
fn an_hsm_that_does_not_come_back_is_unavailable_until_it_does() {
    with_token("an_hsm_that_does_not_come_back_is_unavailable_until_it_does", |_, settings| async {
        let (module, pin_file) = (settings.module.clone(), settings.pin_file.clone());
        let hsm = pkcs11::open(settings).await.unwrap();
        import_all(&hsm).await;
        // Recovery needs the PIN; without its file there is none.
        let kept = pin_file.with_extension("kept");
        std::fs::rename(&pin_file, &kept).unwrap();
        close_all_sessions(&module);
        for _ in 0..3 {
            let refused = hsm.generate_mac(name("tak-1"), b"data").await.unwrap_err();
            assert!(matches!(refused, HsmError::Unavailable(_)) && refused.may_retry(), "{refused}");
        }
        std::fs::rename(&kept, &pin_file).unwrap();
        let expected = retail_mac(&tdes(TAK), b"data", Filled::Zeros);
        let until = Instant::now() + Duration::from_secs(60);
        while hsm.generate_mac(name("tak-1"), b"data").await != Ok(expected) {
            assert!(Instant::now() < until, "it came back");
            tokio::task::yield_now().await;
        }
        hsm.close().await;
    });
}

#[test]
fn a_cut_off_import_is_refused_and_can_be_repeated() {
    with_token("a_cut_off_import_is_refused_and_can_be_repeated", |directory, settings| async move {
        use cryptoki::object::{Attribute, ObjectClass};
        use cryptoki::types::AuthPin;
        let module = settings.module.clone();
        let hsm = pkcs11::open(settings).await.unwrap();
        import_all(&hsm).await;
        // Take the companion away, as if only the key had been made.
        let library = cryptoki::context::Pkcs11::new(&module).unwrap();
        let slot = library.get_slots_with_initialized_token().unwrap()[0];
        let session = library.open_rw_session(slot).unwrap();
        let pin = AuthPin::from(std::fs::read_to_string(directory.user_pin_file()).unwrap());
        // The login of the process holds for this session too.
        assert!(session.login(cryptoki::session::UserType::User, Some(&pin)).is_err());
        let label = Attribute::Label(b"tak.tak-1.1.companion".to_vec());
        let found = session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true), label]).unwrap();
        assert_eq!(found.len(), 1);
        session.destroy_object(found[0]).unwrap();
        hsm.refresh().await.unwrap();
        assert_eq!(hsm.generate_mac(name("tak-1"), b"x").await, Err(HsmError::IncompleteKey(name("tak-1"))));
        hsm.destroy_key(&name("tak-1")).await.unwrap();
        hsm.import_key(&name("tak-1"), &clear(KeyRole::Tak, TAK)).await.unwrap();
        assert_eq!(hsm.generate_mac(name("tak-1"), b"x").await.unwrap(), retail_mac(&tdes(TAK), b"x", Filled::Zeros));
        hsm.close().await;
    });
}

#[test]
fn keys_of_the_token_cannot_be_read_out() {
    with_token("keys_of_the_token_cannot_be_read_out", |_, settings| async {
        use cryptoki::object::{Attribute, AttributeType, ObjectClass};
        let module = settings.module.clone();
        let hsm = pkcs11::open(settings).await.unwrap();
        import_all(&hsm).await;
        hsm.generate_key(&name("kek-1"), KeyRole::Kek).await.unwrap();
        // Make use of one, so that there is a session copy too.
        hsm.generate_mac(name("tak-1"), b"x").await.unwrap();
        let library = cryptoki::context::Pkcs11::new(&module).unwrap();
        let slot = library.get_slots_with_initialized_token().unwrap()[0];
        let session = library.open_ro_session(slot).unwrap();
        let mut seen = 0;
        for handle in session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap() {
            let read = session.get_attributes(handle, &[AttributeType::Value]).unwrap_or_default();
            assert!(read.is_empty(), "a value came out");
            // Each of the two would do; a key has both.
            let kept = session.get_attributes(handle, &[AttributeType::Sensitive, AttributeType::Extractable]).unwrap();
            assert_eq!(kept, [Attribute::Sensitive(true), Attribute::Extractable(false)]);
            seen += 1;
        }
        assert!(seen >= 9, "5 keys, 2 companions, 2 copies: {seen}");
        // The token itself holds keys to their role: a terminal's PIN key never encrypts, a MAC key
        // never decrypts.
        let find = |label: &str| session.find_objects(&[Attribute::Label(label.into())]).unwrap()[0];
        let ecb = cryptoki::mechanism::Mechanism::Des3Ecb;
        assert!(session.encrypt(&ecb, find("tpk.tpk-1.1"), &[0; 8]).is_err());
        assert!(session.decrypt(&ecb, find("tak.tak-1.1"), &[0; 8]).is_err());
        assert!(session.decrypt(&ecb, find("tpk.tpk-1.1"), &[0; 8]).is_ok());
        hsm.close().await;
    });
}

/// Keeps every line that is logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, raw: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(raw);
        Ok(raw.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_secret_is_logged_at_any_level() {
    with_token("nothing_secret_is_logged_at_any_level", |directory, settings| async move {
        let logged = Logged::default();
        let writer = logged.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        subscriber.with_writer(move || writer.clone()).init();
        let module = settings.module.clone();
        let hsm = pkcs11::open(settings).await.unwrap();
        close_all_sessions(&module);
        suite(&hsm).await;
        tracing::trace!("planted: {TPK}");
        let text = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap().to_uppercase();
        assert!(text.contains("HSM OPERATION FAILED") && text.contains("RECOVERED"), "it did log: {text}");
        assert!(text.contains(TPK), "a planted one is found");
        let text = text.replace(&format!("PLANTED: {TPK}"), "");
        let pin = std::fs::read_to_string(directory.user_pin_file()).unwrap().to_uppercase();
        let pan = String::from_utf8(PAN.to_vec()).unwrap();
        for secret in [TPK, ZPK, TAK, &TAK[..16], &pin, &pan, "602453064882", "1B9C1845EB993A7A", "67D9659184FC8733"] {
            assert!(!text.contains(secret), "something secret in {text}");
        }
    });
}

#[test]
fn what_an_operator_must_put_right_is_said_with_the_fix() {
    with_token("what_an_operator_must_put_right_is_said_with_the_fix", |directory, settings| async move {
        use std::os::unix::fs::PermissionsExt;
        let problem = |changed: Settings| async {
            match pkcs11::open(changed).await {
                Err(HsmError::Token(problem)) => problem,
                other => panic!("{other:?}"),
            }
        };
        // The right library first: one process has one.
        pkcs11::open(settings.clone()).await.unwrap().close().await;
        let other = Settings { module: "/nowhere/libpkcs11.so".into(), ..settings.clone() };
        assert_eq!(problem(other).await, TokenProblem::SecondModule(settings.module.clone()));
        let label = Settings { token: "elsewhere".to_owned(), ..settings.clone() };
        assert_eq!(problem(label).await, TokenProblem::NoToken("elsewhere".to_owned()));
        assert_eq!(
            initialize(&settings, &directory.so_pin_file()),
            Err(HsmError::Token(TokenProblem::TokenExists(settings.token.clone())))
        );
        let pin = std::fs::read(&settings.pin_file).unwrap();
        std::fs::write(&settings.pin_file, "wrong-pin").unwrap();
        assert_eq!(problem(settings.clone()).await, TokenProblem::WrongPin(settings.token.clone()));
        std::fs::write(&settings.pin_file, pin).unwrap();
        std::fs::set_permissions(&settings.pin_file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open_to_others = problem(settings.clone()).await.to_string();
        assert!(open_to_others.contains("chmod 600"), "{open_to_others}");
        std::fs::remove_file(&settings.pin_file).unwrap();
        let absent = problem(settings.clone()).await.to_string();
        assert!(absent.contains("is not there") && !absent.contains('\n'), "{absent}");
    });
}

#[test]
fn a_missing_module_says_what_to_install() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Settings { module: "/nowhere/libpkcs11.so".into(), ..Settings::with_pin_file("/nowhere/pin".into()) };
    let missing = runtime.block_on(pkcs11::open(settings)).unwrap_err();
    assert!(missing.to_string().contains("apt-get install softhsm2"), "{missing}");
}

/// Eight callers at once, each with a key of its own that it makes, uses and destroys again and again beside a
/// shared one: no error, no wrong result, and nothing stays behind.
#[test]
fn callers_and_keys_that_come_and_go_do_not_disturb_each_other() {
    const ROUNDS: usize = 6;
    const USES: usize = 12;
    with_token("callers_and_keys_that_come_and_go_do_not_disturb_each_other", |_, mut settings| async {
        settings.pool.workers = 3;
        // Deriving waits while a key is written to the token's files, and it is not the time that is judged here.
        settings.pool.deadline_ms = 60_000;
        settings.pool.admin_deadline_ms = 60_000;
        let module = settings.module.clone();
        let hsm = pkcs11::open(settings).await.unwrap();
        import_all(&hsm).await;
        let imk = name("imk-shared");
        hsm.import_key(&imk, &clear(KeyRole::ImkAc, ZPK)).await.unwrap();
        let tasks: Vec<_> = (0..8u8)
            .map(|number| {
                let hsm = hsm.clone();
                tokio::spawn(async move {
                    let card = hsm::ChipCard::new(imk, hsm::Scheme::VISA_18, &pan(), *b"00").unwrap();
                    let of = hsm::ChipTransaction { counter: Some([0, number]), cryptogram: Some([1; 8]), unpredictable: None };
                    for _ in 0..ROUNDS {
                        let own = name(&format!("tak-own-{number}"));
                        let raw: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap() * 13 + number * 7 + 2);
                        let key = ClearKey::with_odd_parity(KeyRole::Tak, &raw).unwrap();
                        hsm.import_key(&own, &key).await.unwrap();
                        let expected = retail_mac(&TdesKey::unchecked(&raw).unwrap(), b"data", Filled::Zeros);
                        let shared = retail_mac(&tdes(TAK), &[number], Filled::Zeros);
                        for _ in 0..USES {
                            assert_eq!(hsm.generate_mac(own, b"data").await, Ok(expected));
                            assert_eq!(hsm.generate_mac(name("tak-1"), &[number]).await, Ok(shared));
                            // Derived in the token and gone again.
                            assert_eq!(hsm.verify_arqc(&card, &of, b"data").await, Ok(false));
                        }
                        hsm.destroy_key(&own).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(hsm.list_keys().await.unwrap().len(), 5);
        // What was derived is gone: what is left in sessions are copies of the keys in use, at most one for each
        // object and worker.
        let library = cryptoki::context::Pkcs11::new(&module).unwrap();
        let slot = library.get_slots_with_initialized_token().unwrap()[0];
        let session = library.open_ro_session(slot).unwrap();
        let copies = session.find_objects(&[cryptoki::object::Attribute::Token(false)]).unwrap();
        assert!(copies.len() <= 3 * 9, "{} objects in sessions", copies.len());
        hsm.close().await;
    });
}

#[test]
fn translations_a_second_with_many_callers_are_printed() {
    with_token("translations_a_second_with_many_callers_are_printed", |_, settings| async {
        let hsm = pkcs11::open(settings).await.unwrap();
        import_all(&hsm).await;
        let sealed = format0_encode(&Pin::new(b"1234").unwrap(), PAN).unwrap().encrypt(&tdes(TPK));
        let count = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..64 {
            let (hsm, count) = (hsm.clone(), count.clone());
            tasks.push(tokio::spawn(async move {
                for _ in 0..100 {
                    let source = PinSource::format0(name("tpk-1"));
                    hsm.translate_pin(&source, &PinTarget::format0(name("zpk-1")), &pan(), &block(&sealed)).await.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let (done, spent) = (count.load(Ordering::Relaxed), started.elapsed());
        assert_eq!(done, 6_400);
        println!("{done} PIN translations in {} ms with 64 callers", spent.as_millis());
        hsm.close().await;
    });
}
