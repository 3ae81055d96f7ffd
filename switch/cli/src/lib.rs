//! `switchyard`: the verbs of the one binary, and the laboratory that `demo`, drills and system tests
//! share. They call the rooms of the house; no rule about payments lives here.
#![forbid(unsafe_code)]

mod books;
mod clearing_file;
mod demo;
mod exit;
mod logging;
mod skeleton;
pub mod stack;
pub mod three_books;
mod token;
mod verbs;

use clap::{Parser, Subcommand};

use exit::Exit;

/// Payment switch and acquirer gateway.
#[derive(Parser)]
#[command(
    name = "switchyard",
    version,
    about,
    max_term_width = 100,
    after_help = "Example: switchyard demo\n         switchyard init lab && switchyard config check --config lab/switchyard.toml"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the whole job end to end: database, token, issuers, bank, switch, terminals, clearing.
    Demo(demo::Arguments),
    /// Run the switch in the foreground.
    Run(verbs::run::Arguments),
    /// Write a commented set of configuration files.
    Init(verbs::init::Arguments),
    /// Check or show a configuration.
    #[command(subcommand, after_help = "Example: switchyard config check --config lab/switchyard.toml")]
    Config(verbs::config::Action),
    /// Say what is missing on this machine.
    Doctor(verbs::doctor::Arguments),
    /// Read and write ISO 8583 messages.
    #[command(subcommand, after_help = "Example: echo 0800… | switchyard iso8583 describe --spec iso87-ascii")]
    Iso8583(verbs::iso8583::Action),
    /// Tokens and keys.
    #[command(subcommand, after_help = "Example: switchyard hsm init --config lab/switchyard.toml")]
    Hsm(verbs::hsm::Action),
    /// Links of a running switch.
    Link(verbs::admin::Links),
    /// Which route a card takes, and why.
    #[command(subcommand, after_help = "Example: switchyard route test --config lab/switchyard.toml 5413330089020011")]
    Route(verbs::route::Action),
    /// Owed messages of a running switch.
    #[command(subcommand, after_help = "Example: switchyard saf depth --admin 127.0.0.1:9100")]
    Saf(verbs::admin::SafAction),
    /// Completions that came without their authorization.
    #[command(subcommand, after_help = "Example: switchyard completion list --admin 127.0.0.1:9100")]
    Completion(verbs::admin::CompletionAction),
    /// Everything the record has about a payment, by its DE37.
    Trace(verbs::admin::Trace),
    /// Cut over to a business day.
    CutOver(verbs::admin::CutOver),
    /// Put money on an account that the switch keeps.
    Deposit(verbs::admin::Deposit),
    /// The books.
    #[command(subcommand, after_help = "Example: switchyard ledger trial --config lab/switchyard.toml")]
    Ledger(verbs::ledger::Action),
    /// The proof of the books.
    #[command(subcommand, after_help = "Example: switchyard audit verify --config lab/switchyard.toml")]
    Audit(verbs::ledger::AuditAction),
    /// Clearing files.
    #[command(
        subcommand,
        after_help = "Example: switchyard clearing build --config lab/switchyard.toml --date 2026-11-21 --admin 127.0.0.1:9100"
    )]
    Clearing(verbs::clearing::Action),
    /// Reconciliation of file, ledger and the issuer's report.
    #[command(subcommand, after_help = "Example: switchyard recon breaks --config lab/switchyard.toml --network dual")]
    Recon(verbs::recon::Action),
    /// Simulators, each usable alone against anybody's system.
    #[command(subcommand, after_help = "Example: switchyard sim issuer --show")]
    Sim(verbs::sim::Action),
}

/// Parses the command line and does what it says.
pub fn main() -> std::process::ExitCode {
    quiet_about_closed_pipes();
    let arguments = Arguments::parse();
    let done = match arguments.verb {
        Verb::Demo(arguments) => demo::run(arguments),
        Verb::Run(arguments) => verbs::run::run(arguments),
        Verb::Init(arguments) => verbs::init::run(&arguments),
        Verb::Config(action) => verbs::config::run(action),
        Verb::Doctor(arguments) => verbs::doctor::run(&arguments),
        Verb::Iso8583(action) => verbs::iso8583::run(action),
        Verb::Hsm(action) => verbs::hsm::run(action),
        Verb::Link(arguments) => verbs::admin::links(&arguments),
        Verb::Route(action) => verbs::route::run(action),
        Verb::Saf(action) => verbs::admin::saf(action),
        Verb::Completion(action) => verbs::admin::completion(action),
        Verb::Trace(arguments) => verbs::admin::trace(&arguments),
        Verb::CutOver(arguments) => verbs::admin::cut_over(&arguments),
        Verb::Deposit(arguments) => verbs::admin::deposit(&arguments),
        Verb::Ledger(action) => verbs::ledger::run(action),
        Verb::Audit(action) => verbs::ledger::audit(action),
        Verb::Clearing(action) => verbs::clearing::run(action),
        Verb::Recon(action) => verbs::recon::run(action),
        Verb::Sim(action) => verbs::sim::run(action),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(Exit { code, what }) => {
            if !what.is_empty() {
                eprintln!("switchyard: {what}");
            }
            std::process::ExitCode::from(code)
        }
    }
}

/// `switchyard … | head` is no bug: a closed standard output ends the program without a story.
fn quiet_about_closed_pipes() {
    let story = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let what = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if what.starts_with("failed printing to stdout") {
            std::process::exit(i32::from(exit::IO));
        }
        story(panic);
    }));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Every verb of the tree, by its words.
    fn walk(words: &str, command: &clap::Command, visit: &mut impl FnMut(&str, &clap::Command)) {
        visit(words, command);
        for inner in command.get_subcommands() {
            walk(&format!("{words} {}", inner.get_name()), inner, visit);
        }
    }

    #[test]
    fn every_verb_has_an_example_that_parses() {
        let (mut verbs, mut without, mut wrong) = (0, Vec::new(), Vec::new());
        walk("switchyard", &Arguments::command(), &mut |words, command| {
            verbs += 1;
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let Some(example) = help.split("Example: ").nth(1) else { return without.push(words.to_owned()) };
            // What the shell makes of it: the first program of a pipe that is ours, without its input.
            let ours = example.lines().next().unwrap_or_default().split(" | ").flat_map(|part| part.split(" && "));
            let own = ours.map(str::trim).find(|part| part.starts_with("switchyard")).unwrap_or_default();
            let typed = own.split(['<', '>']).next().unwrap_or_default().split_whitespace();
            if let Err(error) = Arguments::try_parse_from(typed) {
                wrong.push(format!("{words}: {error}"));
            }
        });
        assert!(verbs > 40, "{verbs} verbs");
        assert!(without.is_empty(), "without an example: {without:#?}");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
