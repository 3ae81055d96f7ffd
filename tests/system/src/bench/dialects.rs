//! Whether dialects that are loaded cost those who do not speak them anything: the same load on a switch
//! that speaks one, and on one that listens in eleven, in turns.
//!
//! A dialect is found by its name in a list of a dozen, once for each message, so nothing should show. What
//! is compared is the processor time of one authorization, the best of the turns of each: what others take
//! meanwhile moves a throughput far more than what is looked for.

use dialects::card;
use testkit::{KitError, Laboratory};

use super::Figure;
use super::record;
use super::switch::{Level, Options, laboratory, level};

/// Turns of each.
const TURNS: usize = 3;
/// Authorizations a second: sustained on every machine that reaches the goal.
const RATE: u32 = 1000;
/// More than so much worse is no noise: a twentieth.
const WORSE: f64 = 0.95;

/// Runs both in turns.
///
/// # Errors
/// When a laboratory cannot be run.
pub(super) fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<(Vec<Figure>, Vec<String>), KitError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(KitError::io("starting a runtime"))?;
    let mut sides = [laboratory(options, "one")?, laboratory(options, "eleven")?];
    let [_, eleven] = &mut sides;
    listen_in_all(eleven)?;
    let mut clients = Vec::new();
    for side in &mut sides {
        let stack = side.stack()?;
        stack.start_switch(&[])?;
        clients.push(runtime.block_on(record::connect(&stack.data_dir()))?);
    }
    let mut found: [Vec<Level>; 2] = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        for ((side, client), levels) in sides.iter_mut().zip(&clients).zip(&mut found) {
            levels.push(level(side, &runtime, client, options, RATE, turn)?);
        }
    }
    drop(clients);
    let [one, eleven] = found.map(|levels| best(&levels));
    tell(&format!(
        "one dialect and eleven in {TURNS} turns of {RATE}/s: answered {:.0} and {:.0} a second, {:.0} and {:.0} us of processor each",
        one.0, eleven.0, one.1, eleven.1
    ));
    let figures = vec![
        Figure::more("switch/eleven-dialects", eleven.0, "1/s", "answered with one dialect", one.0),
        Figure::less("switch/eleven-dialects-processor", eleven.1, "us", "with one dialect", one.1),
    ];
    let worse = figures.iter().filter(|figure| figure.ratio < WORSE);
    let objections = worse.map(|figure| format!("{}: eleven dialects are {:.2} of one", figure.bench, figure.ratio)).collect();
    Ok((figures, objections))
}

/// The most that was answered, and the least processor time of one.
fn best(levels: &[Level]) -> (f64, f64) {
    let answered = levels.iter().map(|level| level.answered).fold(0.0, f64::max);
    (answered, levels.iter().map(|level| level.cpu_us).fold(f64::INFINITY, f64::min))
}

/// Adds a listener for every dialect that the terminals do not speak, the eleventh of one's own.
fn listen_in_all(laboratory: &mut Laboratory) -> Result<(), KitError> {
    let stack = laboratory.stack()?;
    let file = stack.config();
    let mut text = std::fs::read_to_string(&file).map_err(KitError::io("reading the configuration"))?;
    for name in card::NAMES.into_iter().chain(["eleventh"]) {
        text += &format!(
            "\n[[listener]]\nname = \"in-{name}\"\nprotocol = \"{name}\"\nlisten = \"127.0.0.1:0\"\nacquirer = \"ACQ1\"\n"
        );
    }
    text += "\n[dialect.eleventh]\nspec = \"eleventh.toml\"\nmapping = \"eleventh-map.toml\"\n";
    let write = |name: &str, text: &str| std::fs::write(file.with_file_name(name), text);
    write("eleventh.toml", "name = \"eleventh\"\nextends = \"iso93-binary\"\n")
        .and_then(|()| write("eleventh-map.toml", "extends = \"iso93\"\n"))
        .and_then(|()| std::fs::write(&file, text))
        .map_err(KitError::io("writing the configuration"))
}
