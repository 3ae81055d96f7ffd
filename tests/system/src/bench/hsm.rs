//! PIN translations on a SoftHSM token, beside two one-block calls of the library that a translation cannot do
//! without; and the pure functions, beside the cipher that they are made of.
//!
//! SoftHSM reads its configuration when it is loaded, and a process loads it once: so this program starts itself
//! again for each turn, once as the handle that the switch holds, once as a caller of the library and nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crypto::TdesKey;
use crypto::mac::{Padding, retail_mac};
use crypto::pin::{ClearPinBlock, Format, Pin, format0_encode, reformat};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use futures_util::StreamExt;
use hsm::pkcs11::softhsm::{TokenDirectory, initialize};
use hsm::pkcs11::{self, Settings};
use hsm::{ClearKey, Hsm, KeyName, KeyRole, PinSource, PinTarget};
use payments::{Pan, PinBlock};
use serde_json::{Value, json};
use testkit::KitError;

use super::{Figure, machine};

const TPK: &str = "23CE07EA8A0D94D6FB37106E2A5EE0C8";
const ZPK: &str = "57793480E5BCF1EFA21F4F2FCD325DDF";
const PAN: &[u8] = b"5141509087308440";
const TOKEN: &str = "switchyard";
/// Translations that wait at a time: enough that the worker never does.
const AT_ONCE: usize = 64;
/// Keys of the crowded token.
const CROWD: u32 = 1_000;
/// Of what the two calls allow, a translation reaches at least so much.
const GOAL: f64 = 0.4;
/// With a thousand keys in the token, at least so much of that.
const CROWDED_GOAL: f64 = 0.9;

/// Figures, and what is wrong with them or short of its goal.
pub struct Outcome {
    /// One line each.
    pub figures: Vec<Figure>,
    /// What is short of its goal.
    pub objections: Vec<String>,
}

/// What a process that was started for one turn measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Turn {
    /// Makes the token and its two keys.
    Prepare,
    /// A thousand keys more.
    Crowd,
    /// Translations through the handle.
    Handle,
    /// Two one-block calls each.
    Calls,
}

fn failed(what: &str, why: impl std::fmt::Display) -> KitError {
    KitError::Drill(format!("{what}: {why}"))
}

/// Everything, in `turns` turns of `count` translations; the best turn of each counts.
///
/// # Errors
/// When a token cannot be made, or a turn fails.
pub fn run(turns: u32, count: u32, told: impl Fn(&str)) -> Result<Outcome, KitError> {
    let root = PathBuf::from("/var/tmp").join(format!("switchyard-bench-hsm-{}", std::process::id()));
    let outcome = measure(&root, turns, count, told);
    std::fs::remove_dir_all(&root).map_err(KitError::io("removing the token"))?;
    outcome
}

fn measure(root: &Path, turns: u32, count: u32, told: impl Fn(&str)) -> Result<Outcome, KitError> {
    told(&format!("load average {} before anything; one worker, {AT_ONCE} at a time", machine::load_average()));
    turn(root, Turn::Prepare, 0)?;
    let best =
        |turns: &[(Turn, f64)], of: Turn| turns.iter().filter(|(turn, _)| *turn == of).fold(0.0, |best, (_, s)| s.max(best));
    let both = || -> Result<Vec<(Turn, f64)>, KitError> {
        let mut seen = Vec::new();
        for _ in 0..turns {
            for one in [Turn::Calls, Turn::Handle] {
                seen.push((one, turn(root, one, count)?));
            }
        }
        Ok(seen)
    };
    let few = both()?;
    turn(root, Turn::Crowd, 0)?;
    let many = both()?;
    let (calls, handle) = (best(&few, Turn::Calls), best(&few, Turn::Handle));
    let (crowded_calls, crowded) = (best(&many, Turn::Calls), best(&many, Turn::Handle));
    told(&format!("load average {} at the end", machine::load_average()));
    let mut figures = vec![
        Figure::more("hsm/pin-translations", handle, "1/s", "two one-block calls", calls),
        Figure::more("hsm/pin-translations-goal", handle / calls, "of the calls", "goal", GOAL),
        Figure::more("hsm/pin-translations-crowded", crowded, "1/s", "with two keys in the token", handle),
        Figure::more(
            "hsm/pin-translations-crowded-goal",
            (crowded / crowded_calls) / (handle / calls),
            "of the same with two keys",
            "goal",
            CROWDED_GOAL,
        ),
    ];
    figures.extend(pure(count)?);
    let short = |figure: &&Figure| figure.bench.ends_with("-goal") && figure.ratio < 1.0;
    let objection = |figure: &Figure| {
        format!("{} is {:.2} {}, the goal is {}", figure.bench, figure.value, figure.unit, figure.against_value)
    };
    let objections = figures.iter().filter(short).map(objection).collect();
    Ok(Outcome { figures, objections })
}

/// Starts this program for one turn and hears how many a second it did.
fn turn(root: &Path, turn: Turn, count: u32) -> Result<f64, KitError> {
    let directory = TokenDirectory::prepare(root).map_err(|why| failed("the token directory", why))?;
    let (variable, value) = directory.environment();
    let program = std::env::current_exe().map_err(KitError::io("finding this program"))?;
    let word = format!("{turn:?}").to_lowercase();
    let output = Command::new(program)
        .args(["hsm", "--count", &count.to_string(), "--turn", &word, "--token"])
        .arg(root)
        .env(variable, value)
        .output()
        .map_err(KitError::io("starting a turn"))?;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    said["per_second"]
        .as_f64()
        .filter(|_| output.status.success())
        .ok_or_else(|| failed(&format!("the turn {word}"), String::from_utf8_lossy(&output.stderr).trim()))
}

/// One turn, in a process of its own: prints how many a second it did.
///
/// # Errors
/// When the token does not do it.
pub fn inside(root: &Path, turn: Turn, count: u32) -> Result<(), KitError> {
    let directory = TokenDirectory::prepare(root).map_err(|why| failed("the token directory", why))?;
    let settings = Settings::with_pin_file(directory.user_pin_file());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(KitError::io("the runtime"))?;
    let per_second = match turn {
        Turn::Calls => calls(&settings, &directory.user_pin_file(), count).map_err(|why| failed("the library", why))?,
        Turn::Prepare => {
            initialize(&settings, &directory.so_pin_file()).map_err(|why| failed("the token", why))?;
            runtime.block_on(import(settings, [("tpk".to_owned(), KeyRole::Tpk, TPK), ("zpk".to_owned(), KeyRole::Zpk, ZPK)]))?
        }
        Turn::Crowd => runtime.block_on(import(settings, (0..CROWD).map(|n| (format!("crowd-{n}"), KeyRole::Tpk, TPK))))?,
        Turn::Handle => runtime.block_on(translate(settings, count))?,
    };
    pkcs11::finalize();
    println!("{}", json!({ "per_second": per_second }));
    Ok(())
}

fn name(id: &str) -> Result<KeyName, KitError> {
    KeyName::new(id, 1).map_err(|why| failed(id, why))
}

async fn open(settings: Settings) -> Result<Hsm, KitError> {
    pkcs11::open(settings).await.map_err(|why| failed("opening the token", why))
}

async fn import(settings: Settings, keys: impl IntoIterator<Item = (String, KeyRole, &'static str)>) -> Result<f64, KitError> {
    let hsm = open(settings).await?;
    let (mut count, began) = (0.0, Instant::now());
    for (id, role, clear) in keys {
        let key = ClearKey::from_hex(role, clear).map_err(|why| failed(&id, why))?;
        hsm.import_key(&name(&id)?, &key).await.map_err(|why| failed(&id, why))?;
        count += 1.0;
    }
    hsm.close().await;
    Ok(count / began.elapsed().as_secs_f64())
}

/// A PIN block of format 0 under the terminal's key.
fn sealed() -> Result<[u8; 8], KitError> {
    let key = TdesKey::from_hex(TPK).map_err(|why| failed("a key", why))?;
    let pin = Pin::new(b"1234").map_err(|why| failed("a PIN", why))?;
    Ok(format0_encode(&pin, PAN).map_err(|why| failed("a PIN block", why))?.encrypt(&key))
}

async fn translate(settings: Settings, count: u32) -> Result<f64, KitError> {
    let hsm = open(settings).await?;
    let (source, target) = (PinSource::format0(name("tpk")?), PinTarget::format0(name("zpk")?));
    let pan = Pan::new(PAN).map_err(|why| failed("a PAN", why))?;
    let block = PinBlock::new(&sealed()?).map_err(|why| failed("a PIN block", why))?;
    let (hsm, source, target, pan, block) = (&hsm, &source, &target, &pan, &block);
    let of = |count: u32| {
        futures_util::stream::iter(0..count)
            .map(move |_| hsm.translate_pin(source, target, pan, block))
            .buffer_unordered(AT_ONCE)
            .fold((0_u32, None), |(good, wrong), result| async move {
                match result {
                    Ok(_) => (good + 1, wrong),
                    Err(error) => (good, Some(error)),
                }
            })
    };
    // The keys are copied to the session at their first use.
    of(count / 10).await;
    let began = Instant::now();
    let (good, wrong) = of(count).await;
    let took = began.elapsed();
    hsm.close().await;
    match wrong {
        None => Ok(f64::from(good) / took.as_secs_f64()),
        Some(why) => Err(failed("a translation", why)),
    }
}

/// Decrypts a block under one session object and encrypts one under another, with nothing around it.
fn calls(settings: &Settings, pin_file: &Path, count: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let library = Pkcs11::new(&settings.module)?;
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let mut found = None;
    for slot in library.get_slots_with_initialized_token()? {
        if library.get_token_info(slot)?.label().trim_end() == TOKEN {
            found = Some(slot);
        }
    }
    let session = library.open_rw_session(found.ok_or("no slot has the token")?)?;
    let pin = std::fs::read_to_string(pin_file)?;
    session.login(UserType::User, Some(&AuthPin::new(pin.trim().to_owned().into())))?;
    let object = |clear: &str| -> Result<_, Box<dyn std::error::Error>> {
        Ok(session.create_object(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::DES2),
            Attribute::Token(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Value(hex::decode(clear)?),
        ])?)
    };
    let (from, to) = (object(TPK)?, object(ZPK)?);
    let block = sealed()?;
    let once = || -> Result<(), cryptoki::error::Error> {
        let clear = session.decrypt(&Mechanism::Des3Ecb, from, &block)?;
        session.encrypt(&Mechanism::Des3Ecb, to, &clear).map(|_| ())
    };
    for _ in 0..count / 10 {
        once()?;
    }
    let began = Instant::now();
    for _ in 0..count {
        once()?;
    }
    let took = began.elapsed();
    drop(session);
    library.finalize()?;
    Ok(f64::from(count) / took.as_secs_f64())
}

/// The pure functions, beside the same number of blocks through the bare cipher.
fn pure(count: u32) -> Result<Vec<Figure>, KitError> {
    let key = |clear: &str| TdesKey::from_hex(clear).map_err(|why| failed("a key", why));
    let (from, to, block) = (key(TPK)?, key(ZPK)?, sealed()?);
    let bare =
        |blocks: u32| nanoseconds(count, || (0..blocks).fold(block, |block, _| to.encrypt_block(block))) / f64::from(blocks);
    let one = bare(2);
    let translation = nanoseconds(count, || {
        let clear = ClearPinBlock::decrypt(&from, &block).ok()?;
        reformat(&clear, Format::Iso0, Format::Iso0, PAN).ok().map(|moved| moved.encrypt(&to))
    });
    let message = [0x30; 64];
    let mac = nanoseconds(count, || retail_mac(&to, &message, Padding::Zeros));
    Ok(vec![
        Figure::less("hsm/pure-pin-translation", translation, "ns", "two blocks of the bare cipher", 2.0 * one),
        // Algorithm 3: single DES for all but the last of eight blocks, then one of TDES.
        Figure::less("hsm/pure-retail-mac-64", mac, "ns", "eight blocks of the bare cipher", 8.0 * one),
    ])
}

/// The best of five turns.
fn nanoseconds<R>(count: u32, mut what: impl FnMut() -> R) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..count {
            std::hint::black_box(what());
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e9 / f64::from(count));
    }
    best
}
